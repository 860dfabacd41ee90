"""Of one run of migrations: it listens to what SQLAlchemy executes while a migration runs."""

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

from alembic.runtime.migration import MigrationInfo
from alembic.script import Script
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from ... import history
from ...refusal import incomplete
from . import order as order
from . import outcome, values
from .entries import Entries, Entry, State, Step
from .replay import Execution, Replay
from .schema import Schema
from .statements import Statement
from .verdict import Resume, took_effect
from .wire import Wire, is_answer

logger = logging.getLogger(__name__)

LOCK_WAIT_TIMEOUT = 1205
EVENTS = ("do_execute", "do_executemany", "do_execute_no_params")


class Journal:
    """The turn must be held: nobody else writes meanwhile."""

    def __init__(self, connection: Connection, resume: Resume | None) -> None:
        self._connection = connection
        self._resume = resume
        self._wire = Wire(connection)
        self._entries = Entries(self._wire)
        self._schema = Schema(connection, self._wire)
        #: What this run has completed last; when another step follows, it is committed.
        self._completed: Step | None = None
        #: While a migration runs: Alembic's own statements are none of its.
        self._replay: Replay | None = None
        #: Of the migration that ran last: the number of its last definition, 0 if it has none.
        self.executed = 0
        for name in EVENTS:
            event.listen(connection.engine, name, self._listener(name))
        event.listen(connection, "commit", self._before_commit)
        driver: Any = connection.connection.dbapi_connection
        # Of which SQLAlchemy knows nothing, if a migration calls it by itself.
        driver.rollback = self._told(driver.rollback)

    @contextmanager
    def applying(self, step: MigrationInfo) -> Iterator[None]:
        """Around the migration's function, in the transaction that changes the version row."""
        script = cast(Script, step.up_revision)
        now = Step("upgrade" if step.is_upgrade else "downgrade", script.revision)
        file = history.digest(script)
        try:
            left = self._load(now)
            self._replay = Replay(self._wire, self._schema, self._entries, now, file, left)
            with self._replay.running():
                yield
            self._completed = now
        except self._wire.errors.Error as error:
            # Of a statement of the journal's own, of which SQLAlchemy does not know.
            is_lost = not is_answer(error)
            raise DBAPIError(None, None, error, connection_invalidated=is_lost) from None
        finally:
            self.executed = self._replay.executed if self._replay else 0
            self._replay = None

    def _before_commit(self, _: Connection) -> None:
        if self._replay:
            self._replay.before_commit()

    def _told(self, roll_back: Callable[[], None]) -> Callable[[], None]:
        def tell_and_roll_back() -> None:
            if self._replay:
                self._replay.before_rollback()
            roll_back()

        return tell_and_roll_back

    def _listener(self, name: str) -> Callable[..., bool]:
        run = getattr(self._connection.dialect, name)

        def listener(cursor: Any, sql: str, *rest: Any) -> bool:
            """Whether the statement is done, so that SQLAlchemy does not execute it."""
            *parameters, context = rest
            if self._replay is None or context.root_connection is not self._connection:
                return False
            self._replay.handle(
                Execution(
                    Statement.parse(sql),
                    values.fingerprints(parameters),
                    partial(run, cursor, sql, *rest),
                    cursor,
                    context,
                )
            )
            return True

        return listener

    def _load(self, now: Step) -> dict[int, Entry]:
        before, self._completed = self._completed, None
        if before not in (None, now):
            return {}
        left = self._entries.load()
        if not left:
            return {}
        # What the user says is meant for what they have seen.
        resume, self._resume = self._resume, None
        if resume == "restart" or _is_no_obstacle(left.values(), now):
            self._entries.clear()
            self._wire.commit()
            return {}
        self._check(left, now, resume)
        return left

    def _check(self, left: dict[int, Entry], now: Step, resume: Resume | None) -> None:
        last = left[max(left)]
        if last.step != now:
            raise incomplete(last.direction, last.revision)
        if LOCK_WAIT_TIMEOUT not in outcome.load(last.outcome).get("error", ()):
            logger.warning("The %s stopped at statement %d: completing it.", now, last.number)
        if last.state == State.INTENT:
            # Written at once: later statements may change the same tables.
            left[last.number] = self._judge(last, resume)

    def _judge(self, last: Entry, resume: Resume | None) -> Entry:
        done = took_effect(last, self._schema, self._wire, resume)
        state = State.DONE if done else State.FAILED
        judged = last._replace(state=state, outcome=values.dump(outcome.NOTHING))
        # It is written with the entry, and this session has another one.
        self._entries.restore_last_insert_id(last.number)
        self._entries.write(judged)
        self._wire.commit()
        return judged


def _is_no_obstacle(left: Collection[Entry], now: Step) -> bool:
    """Whether another step was begun that has failed before it changed anything."""
    return not any(entry.step == now or entry.stays for entry in left)
