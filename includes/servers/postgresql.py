"""PostgreSQL: how migrations take turns, and keep out of the application's way."""

import logging
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, cast

import psycopg
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.util import CommandError
from psycopg import errors
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Row, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError

from .... import DISTRIBUTION
from ....driver import reason
from ..connection import connect
from ..refusal import NESTED, RollbackRefusedError, incomplete
from . import concurrently

logger = logging.getLogger(__name__)

# Advisory locks belong to a database: each has one of this number.
KEY = int.from_bytes(b"alembic")
POLL = 0.5

# By these a session that migrates is told in pg_stat_activity, also behind a pooler, which gives
# one session to many clients: the name is gone with the transaction, and the comment with the
# statement, where there is no transaction.
NAME = f"{DISTRIBUTION} migration"
COMMENT = f"/* {NAME} */ "

# Gone with the transaction, however it ends.
MARK = "SET LOCAL alembic.migration = 'begun'"
IS_MARKED = "SELECT current_setting('alembic.migration', true) = 'begun'"

ENDS_TRANSACTION = re.compile(
    r"(?:^|;)\s*(COMMIT|END|ROLLBACK|ABORT|PREPARE\s+TRANSACTION)\b"
    r"(?!(?:\s+(?:WORK|TRANSACTION))?\s+TO\b)",
    re.IGNORECASE,
)
GOES_BACK = re.compile(r"\s*ROLLBACK\b.*\bTO\b", re.IGNORECASE)
# Where these words mean something else: texts, bodies of functions, comments.
QUOTED = re.compile(r"'(?:[^']|'')*'|(\$\w*\$).*?\1|--[^\n]*|/\*.*?\*/", re.DOTALL)
BODY = re.compile(r"\bBEGIN\s+ATOMIC\b(?:.*?;)?\s*END\b", re.DOTALL | re.IGNORECASE)
ONE_TRANSACTION = (
    "Each migration is one transaction, so that none is ever half-applied: leave it out."
)

SESSIONS = r"""
    SELECT pid, application_name AS name, host(client_addr) AS address, state,
        date_trunc('second', coalesce(xact_start, query_start) AT TIME ZONE 'UTC') AS since,
        left(regexp_replace(query, '\s+', ' ', 'g'), 200) AS query,
        query = '<insufficient privilege>' AS is_hidden, usename, quote_ident(current_user) AS role
    FROM pg_stat_activity WHERE
"""
MIGRATES = """
    datname = current_database() AND pid <> pg_backend_pid() AND (
        application_name = %(name)s AND state <> 'idle'
        OR starts_with(query, %(comment)s) AND state = 'active'
    )
"""
WAITING_MIGRATION = """
    FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
    AND (application_name = %(name)s OR starts_with(query, %(comment)s))
"""
BLOCKS_MIGRATION = f"pid IN (SELECT unnest(pg_blocking_pids(pid)) {WAITING_MIGRATION})"
# These have no session any more; which of them holds the lock is not said.
PREPARED = f"""
    SELECT gid, owner, date_trunc('second', prepared AT TIME ZONE 'UTC') AS since
    FROM pg_prepared_xacts WHERE database = current_database()
    AND EXISTS (SELECT {WAITING_MIGRATION} AND 0 = ANY(pg_blocking_pids(pid))) ORDER BY prepared
"""
HAS_TURN = """
    pid IN (
        SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid::bigint << 32 | objid::bigint = %(key)s
    )
"""


@contextmanager
def turn(connection: Connection, *, wait: float, script: str | None) -> Iterator[Connection]:
    """Hold a lock in a transaction, and yield another connection: the one that migrates.

    A session's lock would stay with a pooler, and CREATE INDEX CONCURRENTLY waits for every
    transaction that has a snapshot. So nobody waits inside the server, and the last word in the
    transaction that holds the lock is a SET: a query would keep its snapshot.
    """
    deadline = time.monotonic() + wait
    _let_idle(connection)
    _wait(lambda: _lock_holder(connection), deadline)
    newer = (connection.dialect.server_version_info or ()) >= (17,)
    connection.exec_driver_sql(
        f"{'SET LOCAL transaction_timeout = 0;' if newer else ''}"
        "SET LOCAL idle_in_transaction_session_timeout = 0"
    )
    with connect(connection.engine) as migrating:
        # A process that was killed has lost its lock, and may have left a statement behind.
        with _second_connection():
            _let_idle(migrating)
            _wait(lambda: _other_migration(migrating), deadline)
        migrating.info["wait"] = wait
        yield migrating


def _let_idle(connection: Connection) -> None:
    """Between two attempts, and while it waits for its turn, a session does nothing.

    A pooler would give it to another client.
    """
    with connection.begin():
        session = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        if session == _driver(connection).info.backend_pid:
            connection.exec_driver_sql("SET idle_session_timeout = 0")


@contextmanager
def _second_connection() -> Iterator[None]:
    """A pooler takes everybody's, and may have none on the server to give."""
    try:
        yield
    except DBAPIError as error:
        if "query_wait_timeout" not in reason(error):
            raise
        raise CommandError(
            "Migrations need two connections to the server at once, and the pooler has given one."
            " Nothing was done: let its pool have more (PgBouncer's `pool_size`), or go around it"
            " (DATABASE_MIGRATION_URL), and run the command again."
        ) from error


def prepare(context: MigrationContext, *, lock_timeout: float, resume: str | None) -> None:
    """Let no statement wait for a lock so long that the application notices, nor for one of its own.

    A migration may open other connections, as by `sa.inspect(engine)`.
    """
    connection = cast(Connection, context.connection)
    setting = (
        f"SET LOCAL lock_timeout = {_milliseconds(lock_timeout)};"
        f"SET LOCAL application_name = '{NAME}';{MARK};"
        "SET LOCAL idle_in_transaction_session_timeout = 0"
    )

    @event.listens_for(connection.engine, "begin")
    def begin(connection: Connection) -> None:
        if not _is_autocommit(connection):
            connection.exec_driver_sql(setting)

    @event.listens_for(connection.engine, "before_cursor_execute", retval=True)
    def limit(
        other: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any
    ) -> tuple[str, Any]:
        if other is not connection and _is_autocommit(other):
            other.info.update(limits)
            statement = _limited(other, statement)
        return statement, parameters

    limits = {"setting": setting, "lock_timeout": lock_timeout, "wait": connection.info["wait"]}
    connection.info.update(limits)
    with connection.begin():
        # Apart from the first migration, which then has changed nothing when it begins.
        context.impl.version_table_impl(
            version_table=context.version_table,
            version_table_schema=context.version_table_schema,
            version_table_pk=context.opts.get("version_table_pk", True),
        ).create(connection, checkfirst=True)
        connection.info["unfinished"] = concurrently.unfinished(connection)


@contextmanager
def applying(context: MigrationContext, step: MigrationInfo) -> Iterator[None]:
    """Around the function of one migration."""
    connection = cast(Connection, context.connection)
    notes = connection.info["notes"] = concurrently.Notes(connection, step)
    _refuse_another(connection.info["unfinished"], notes.step)
    with _same_types_again(context), _guarded(connection, notes, step):
        yield
    if notes.begun or connection.info["unfinished"]:
        concurrently.forget(connection)
        connection.info["unfinished"] = None


@contextmanager
def _same_types_again(context: MigrationContext) -> Iterator[None]:
    """Alembic makes no type twice in one run: what is rolled back is to be forgotten."""
    made = deepcopy(context.impl.memo)
    try:
        yield
    except Exception:
        context.impl.memo = made
        raise


@contextmanager
def _guarded(
    connection: Connection, notes: concurrently.Notes, step: MigrationInfo
) -> Iterator[None]:
    """Let nothing end the transaction but an autocommit_block() before any change.

    What it does in that block is kept repeatable.
    """

    caught: list[DBAPIError] = []
    refused: list[RollbackRefusedError] = []

    def remember(context: ExceptionContext) -> None:
        error = context.sqlalchemy_exception
        if context.connection is connection and isinstance(error, DBAPIError):
            caught.append(error)

    def look_at(
        connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any
    ) -> tuple[str, Any]:
        if _is_autocommit(connection):
            statement = COMMENT + _limited(connection, notes.repeatable(statement))
        elif _is_idle(connection) and statement != connection.info["setting"]:
            raise _ended(connection, notes, step)
        elif caught and _is_aborted(connection) and not GOES_BACK.match(statement):
            raise CommandError(
                f"Migration {step.up_revision_id} has caught an error of the database"
                f" ({reason(caught[-1])}), after which PostgreSQL does nothing more in the transaction."
                f" {NESTED}"
            )
        else:
            _refuse_end(statement, step)
        return statement, parameters

    def refuse_to_split(connection: Connection) -> None:
        if not _is_autocommit(connection) and _has_written(connection):
            raise CommandError(
                f"Migration {step.up_revision_id} changes something before its"
                " autocommit_block() or commit(), which would commit that much of it, to stay"
                " whatever comes. Leave commit() out, and move what is in a block to a migration of"
                " its own."
            )

    def refuse_rollback(connection: Connection) -> None:
        if not _is_autocommit(connection):
            refusal = RollbackRefusedError(
                f"Migration {step.up_revision_id} says rollback(). {ONE_TRANSACTION} {NESTED}"
            )
            refused.append(refusal)
            if refusal.reason is None:
                raise refusal

    event.listen(connection.engine, "handle_error", remember)
    event.listen(connection, "before_cursor_execute", look_at, retval=True)
    event.listen(connection, "commit", refuse_to_split)
    event.listen(connection, "rollback", refuse_rollback)
    try:
        yield
        if refused:
            raise refused[0]
        if _is_autocommit(connection):
            raise CommandError(
                f"Migration {step.up_revision_id} leaves the connection in AUTOCOMMIT: what runs in no"
                " transaction goes into `with op.get_context().autocommit_block():`, which ends that"
                " again. What has run stays, and is known to the next run."
            )
        if not _is_same(connection):
            raise _ended(connection, notes, step)
    except Exception as error:
        if refused:
            raise refused[0] from error
        is_known = isinstance(error, CommandError) or _is_autocommit(connection)
        if _is_idle(connection) and not is_known:
            raise _ended(connection, notes, step) from error
        raise
    finally:
        event.remove(connection.engine, "handle_error", remember)
        event.remove(connection, "before_cursor_execute", look_at)
        event.remove(connection, "commit", refuse_to_split)
        event.remove(connection, "rollback", refuse_rollback)


def finish(connection: Connection, *, is_stamp: bool = False) -> None:
    """Each migration has been committed by itself. Who stamps says what the database is like."""
    if is_stamp:
        concurrently.forget(connection)


def what_stays(connection: Connection) -> str:
    """Of a migration that has failed."""
    if concurrently.unfinished(connection) is None:
        return "Nothing of it stays."
    return (
        "What it did outside a transaction stays: the next run knows its indexes, enum values and"
        " batches, and does the rest again."
    )


def is_lock_conflict(error: DBAPIError) -> bool:
    return isinstance(error.orig, (errors.LockNotAvailable, errors.DeadlockDetected))


def blockers(connection: Connection) -> list[str]:
    """Ask on another connection, while the migration waits."""
    rows = _sessions(connection, BLOCKS_MIGRATION)
    prepared = connection.exec_driver_sql(PREPARED, {"name": NAME, "comment": COMMENT})
    return [
        *(_describe(row) if row.is_hidden else f"{_describe(row)}: {row.query}" for row in rows),
        *(
            f"the prepared transaction {row.gid} (of {row.owner}, since {row.since} UTC), to be ended"
            " by COMMIT PREPARED or ROLLBACK PREPARED"
            for row in prepared
        ),
    ]


def script_instead(connection: Connection, heads: Collection[str], command: str) -> str | None:
    """What to apply where migrations cannot take turns: here they can."""
    return None


def unfinished(connection: Connection) -> str | None:
    """The revision that was begun, and that nobody is completing now."""
    begun = concurrently.unfinished(connection)
    return None if begun is None or _sessions(connection, HAS_TURN) else begun[0]


def has_begun(connection: Connection) -> bool:
    """Whether tables may be those of a migration that is not completed yet."""
    return concurrently.unfinished(connection) is not None


def _wait(reason: Callable[[], str | None], deadline: float) -> None:
    """Until there is no reason any more; a new one is said."""
    said = None
    while why := reason():
        if time.monotonic() > deadline:
            raise CommandError(
                f"{why} Nothing was done, since this may wait no longer: run the command again"
                " when it has ended, or give it more time (--lock-wait, MIGRATION_LOCK_WAIT)."
            )
        if why != said:
            logger.warning("%s Waiting until it has ended.", why)
        said = why
        time.sleep(POLL)


def _lock_holder(connection: Connection) -> str | None:
    """Take the lock, or tell who has it."""
    if connection.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock({KEY})").scalar():
        return None
    connection.rollback()
    with connection.begin():
        sessions = _sessions(connection, HAS_TURN)
    who = f": {_describe(sessions[0])}" if sessions else ""
    return f"Another process is migrating this database{who}."


def _other_migration(connection: Connection) -> str | None:
    with connection.begin():
        sessions = _sessions(connection, MIGRATES)
    if not sessions:
        return None
    return (
        "A statement of a migration whose process is gone still runs on the server, in"
        f" {_describe(sessions[0])}: {sessions[0].query}."
    )


def _sessions(connection: Connection, condition: str) -> Sequence[Row[Any]]:
    parameters = {"name": NAME, "comment": COMMENT, "key": KEY}
    return connection.exec_driver_sql(SESSIONS + condition, parameters).all()


def _describe(row: Row[Any]) -> str:
    if row.is_hidden:
        return (
            f"session {row.pid} ({row.name or 'no name'}, of the user {row.usename}; to be told"
            f" more, GRANT pg_read_all_stats TO {row.role})"
        )
    where = f" at {row.address}" if row.address else ""
    return f"session {row.pid} ({row.name or 'no name'}{where}, {row.state}, since {row.since} UTC)"


def _refuse_another(begun: tuple[str, str] | None, step: tuple[str, str]) -> None:
    if begun is None or begun == step:
        return
    revision, direction = begun
    raise incomplete(direction, revision)


def end_of_transaction(statement: str) -> str | None:
    """The word in it that ends the transaction."""
    found = ENDS_TRANSACTION.search(BODY.sub("", QUOTED.sub(" ", statement)))
    return found[1].upper() if found else None


def _refuse_end(statement: str, step: MigrationInfo) -> None:
    if word := end_of_transaction(statement):
        raise CommandError(
            f"Migration {step.up_revision_id} says {word}. {ONE_TRANSACTION} What runs in no"
            " transaction goes into autocommit_block(), before anything is changed."
        )


def _ended(connection: Connection, notes: concurrently.Notes, step: MigrationInfo) -> CommandError:
    """Past SQLAlchemy: by then it has happened, and whether it was a COMMIT nobody knows."""
    driver = _driver(connection)
    driver.rollback()
    notes.remember("its transaction", "ended")
    driver.commit()
    return CommandError(
        f"Migration {step.up_revision_id} has ended its transaction by itself, with commit() or"
        f" rollback() of the driver's connection. {ONE_TRANSACTION} What it did before may stay:"
        " undo that by hand before you run the command again."
    )


def _is_same(connection: Connection) -> bool:
    """Still in the transaction that it began. The server reports each other name by itself; who
    gave it one, or is behind a pooler that does not pass that on, is asked."""
    if _driver(connection).info.parameter_status("application_name") == NAME:
        return True
    return bool(connection.exec_driver_sql(IS_MARKED).scalar())


def _is_idle(connection: Connection) -> bool:
    """Not in a transaction, whatever SQLAlchemy believes."""
    return _is(TransactionStatus.IDLE, connection)


def _is_aborted(connection: Connection) -> bool:
    """Until it is rolled back, to a savepoint at least."""
    return _is(TransactionStatus.INERROR, connection)


def _is(status: TransactionStatus, connection: Connection) -> bool:
    if connection.invalidated:
        return False
    return _driver(connection).info.transaction_status == status


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


def _limited(connection: Connection, statement: str) -> str:
    """What is CONCURRENTLY keeps nobody waiting, and would leave an invalid index each time.

    A pooler would give the session, and its setting, to another client, unless both are one message.
    """
    if not _is_idle(connection):
        return statement
    if _is_pooled(connection):
        may_be_joined = concurrently.locks_a_table(statement)
        return f"{connection.info['setting']}; {statement}" if may_be_joined else statement
    limit = "wait" if concurrently.is_concurrent(statement) else "lock_timeout"
    milliseconds = _milliseconds(connection.info[limit])
    _driver(connection).execute(f"SET lock_timeout = {milliseconds}")
    return statement


def _milliseconds(seconds: float) -> int:
    """As PostgreSQL has them, for which 0 is without end."""
    return min(max(1, round(seconds * 1000)), 2**31 - 1)


def _is_pooled(connection: Connection) -> bool:
    driver = _driver(connection)
    row = driver.execute("SELECT pg_backend_pid()").fetchone()
    return row is None or row[0] != driver.info.backend_pid


def _has_written(connection: Connection) -> bool:
    return connection.exec_driver_sql("SELECT txid_current_if_assigned()").scalar() is not None


def _is_autocommit(connection: Connection) -> bool:
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
