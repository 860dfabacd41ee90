"""A migration is tried again where others held a lock, and says who.

Whom it waits for is found out while it waits: once it has given up, nobody knows.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from ....driver import reason
from ..history import Recorder
from . import server
from .migrate import Patience, Plan, attempt

logger = logging.getLogger(__name__)

#: How long the application goes first after it was kept waiting, in lock timeouts: what a
#: migration changes is blocked for at most a tenth of the time.
PAUSE = 9


def run(connection: Connection, plan: Plan, recorder: Recorder, patience: Patience) -> None:
    server.prepare(context.get_context(), lock_timeout=patience.lock_timeout)
    place, deadline = "", 0.0
    with _watch(connection.engine, patience.lock_timeout) as blockers:
        while True:
            blockers.clear()
            try:
                return attempt(connection, plan, recorder)
            except DBAPIError as error:
                if not server.is_lock_conflict(error):
                    raise
                connection.rollback()
                if place != plan.place:
                    place, deadline = plan.place, time.monotonic() + patience.wait
                _let_others_pass("; ".join(blockers) or reason(error), plan, patience, deadline)


def _let_others_pass(why: str, plan: Plan, patience: Patience, deadline: float) -> None:
    what = f"Migration {plan.step.info.up_revision_id}" if plan.step else "The migration"
    pause = PAUSE * patience.lock_timeout
    if time.monotonic() + pause > deadline:
        raise CommandError(
            f"{what} did not get its locks in {patience.wait:g} s, because of {why}."
            " Run the command again when that has ended, or give it more time"
            " (--lock-wait, MIGRATION_LOCK_WAIT)."
        )
    logger.warning(
        "%s had to wait longer than %g s, because of %s. It lets others pass, and is tried again"
        " in %g s.",
        *(what, patience.lock_timeout, why, pause),
    )
    time.sleep(pause)


@contextmanager
def _watch(engine: Engine, lock_timeout: float) -> Iterator[list[str]]:
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
