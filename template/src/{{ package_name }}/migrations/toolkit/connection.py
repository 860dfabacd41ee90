"""The connection that migrates."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from textwrap import shorten

from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError

from ...driver import create_migration_engine, explain, may_pass, reason, to_look_at

logger = logging.getLogger(__name__)

#: Between two attempts, in seconds.
POLL = 0.5
#: So much of a statement is shown.
LENGTH = 300


@contextmanager
def look(url: URL, *, wait: float = 0, may_change: bool = False) -> Iterator[Connection]:
    """A connection that waits for no lock, and until further notice only reads.

    What the database refuses becomes a sentence.
    """
    engine = create_migration_engine(url if may_change else to_look_at(url))
    # Of each connection: where the turn has one of its own, a migration needs two.
    engine.update_execution_options(wait=wait)
    with connect(engine) as connection:
        try:
            yield connection.execution_options(read_only=True)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise CommandError(
                    f"The connection to the database is lost: {reason(error)}. Run the"
                    " command again when the database answers."
                ) from error
            at = f" at `{shorten(error.statement, LENGTH)}`" if error.statement else ""
            raise CommandError(
                f"The database refuses{at}: {reason(error)}. Let this user do that, or"
                " correct the cause, and run the command again."
            ) from error


@contextmanager
def connect(engine: Engine) -> Iterator[Connection]:
    """Where the server has gone, there is nothing to close, and whoever noticed has said so."""
    connection = _connect(engine, wait=engine.get_execution_options().get("wait", 0))
    try:
        yield connection
    finally:
        with suppress(Exception):  # Some are the driver's own.
            connection.close()


def _connect(engine: Engine, *, wait: float) -> Connection:
    """Wait for a server that may be there later, and not for one that refuses."""
    deadline, told = time.monotonic() + wait, False
    while True:
        try:
            return engine.connect()
        except DBAPIError as error:
            if time.monotonic() >= deadline or not may_pass(error):
                raise CommandError(explain(error, engine.url)) from None
            if not told:
                logger.warning("Waiting up to %g s for the database: %s.", wait, reason(error))
        told = True
        time.sleep(POLL)
