"""The connection that migrates."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic.util import CommandError
from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError

from ...driver import create_migration_engine, explain


@contextmanager
def look(url: URL) -> Iterator[Connection]:
    """A connection that waits for nobody, and until further notice only reads."""
    with _connect(url) as connection:
        yield connection.execution_options(read_only=True)


def _connect(url: URL) -> Connection:
    try:
        return create_migration_engine(url).connect()
    except DBAPIError as error:
        raise CommandError(explain(error, url)) from None
