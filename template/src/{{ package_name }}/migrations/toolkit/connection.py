"""The connection that migrates."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError

from ...driver import create_migration_engine, explain


@contextmanager
def look(url: URL) -> Iterator[Connection]:
    """A connection that waits for nobody, and until further notice only reads."""
    with connect(create_migration_engine(url)) as connection:
        yield connection.execution_options(read_only=True)


def connect(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except DBAPIError as error:
        raise CommandError(explain(error, engine.url)) from None
