"""What a migration waits for, found out while it waits: once it has given up, nobody knows."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from . import server

logger = logging.getLogger(__name__)


@contextmanager
def watch(engine: Engine, lock_timeout: float) -> Iterator[list[str]]:
    """The sessions that were last found in the way, a sentence for each."""
    seen: list[str] = []
    over = Event()
    thread = Thread(target=_look, args=(engine, lock_timeout / 4, seen, over), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join(1)


def _look(engine: Engine, pause: float, seen: list[str], over: Event) -> None:
    if over.wait(pause):
        return  # A run that is quickly over costs no connection.
    looks_in_a_row = 0
    with suppress(DBAPIError), engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        while not over.is_set():
            found = server.blockers(connection)
            looks_in_a_row = looks_in_a_row + 1 if found else 0
            if found:
                seen[:] = found
            if looks_in_a_row == 6:
                # Longer than a lock timeout: a statement that has none, and goes on waiting.
                logger.warning("Waiting for %s.", "; ".join(found))
            over.wait(pause)
        # Closed without a word to the server, which may have gone meanwhile.
        connection.invalidate()
