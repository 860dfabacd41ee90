"""Attempts to migrate: where others hold a lock it ends, lets them pass, and is made again."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic.util import CommandError
from sqlalchemy import Connection, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError

from ....driver import reason
from ..history import Recorder
from . import server
from .blockers import watch
from .migrate import Patience, Plan, Step, attempt

logger = logging.getLogger(__name__)

#: Each migration on its own, so that locks are short.
OPTIONS: dict[str, Any] = {"transaction_per_migration": True}
#: How long the application goes first after it was kept waiting, in lock timeouts: what a
#: migration changes is blocked for at most a tenth of the time.
PAUSE = 10
#: To try again would end in the same way.
ANOTHER_CONNECTION = (
    "This was asked on another connection than that of the migration, whose locks it may be waiting"
    " for: let the migration use op.get_bind() and not its engine, as in sa.inspect(op.get_bind())."
)


def run(connection: Connection, plan: Plan, recorder: Recorder, patience: Patience) -> None:
    place: tuple[str, object] | None = None
    deadline = 0.0
    with watch(connection.engine, patience.lock_timeout) as blockers:
        while True:
            blockers.clear()
            try:
                with _insisted_on(connection):
                    return attempt(connection, plan, recorder)
            except DBAPIError as error:
                is_elsewhere = ANOTHER_CONNECTION in getattr(error, "__notes__", ())
                if is_elsewhere or not server.is_lock_conflict(error):
                    raise
                connection.rollback()
                reached = (plan.place, connection.info.get("progress"))
                if place != reached:
                    place, deadline = reached, time.monotonic() + patience.wait
                why = "; ".join(blockers) or reason(error)
                _let_others_pass(why, plan.step(), patience, deadline)


@contextmanager
def _insisted_on(connection: Connection) -> Iterator[None]:
    """After a conflict, each further statement raises it again, and so does the end.

    A migration that catches every error of a statement would lose the change without a word.
    """
    conflicts: list[DBAPIError] = []

    def remember(context: ExceptionContext) -> None:
        error = context.sqlalchemy_exception
        if not (isinstance(error, DBAPIError) and server.is_lock_conflict(error)):
            return
        if context.connection is connection:
            conflicts.append(error)
        else:
            error.add_note(ANOTHER_CONNECTION)

    def insist(*_: Any) -> None:
        if conflicts:
            raise conflicts[0]

    event.listen(connection.engine, "handle_error", remember)
    event.listen(connection, "before_cursor_execute", insist)
    try:
        yield
    except Exception:
        insist()
        raise
    finally:
        event.remove(connection, "before_cursor_execute", insist)
        event.remove(connection.engine, "handle_error", remember)


def _let_others_pass(why: str, step: Step | None, patience: Patience, deadline: float) -> None:
    what = f"Migration {step.info.up_revision_id}" if step else "The migration"
    pause = PAUSE * patience.lock_timeout
    if time.monotonic() + pause > deadline:
        raise CommandError(
            f"{what} did not get its locks, because of {why}. It would be tried again in"
            f" {pause:g} s, and may wait no longer than {patience.wait:g} s in all. Run the command"
            " again when that has ended, or give it more time (--lock-wait, MIGRATION_LOCK_WAIT)."
        )
    logger.warning(
        "%s had to wait longer than %g s, because of %s. It lets others pass, and is tried again"
        " in %g s.",
        what,
        patience.lock_timeout,
        why,
        pause,
    )
    time.sleep(pause)
