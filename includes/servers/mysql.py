"""How migrations take turns and keep out of the application's way on MySQL and MariaDB."""

import logging
import random
import time
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from textwrap import shorten
from typing import cast

from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.util import CommandError
from sqlalchemy import Connection, event, inspect
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ....driver import run
from ..connection import LENGTH
from .journal.entries import State, forget, last_that_stays
from .journal.journal import Journal
from .journal.verdict import Resume
from .journal.wire import code
from .sessions import LOCK, Session, blocking, migrating

logger = logging.getLogger(__name__)

POLL = 0.5

NO_LOCKS_HERE = 1235
LOCK_CONFLICTS = {1205, 1213}

GALERA = (
    "This server is a node of a Galera cluster, which has no lock for migrations to take turns"
    " with. Nothing was done: "
)

WITHOUT_TRANSACTIONS = """
    SELECT table_name, engine FROM information_schema.tables
    WHERE table_schema = DATABASE()
        AND table_name IN ('alembic_version', 'alembic_history', 'alembic_journal')
        AND engine NOT IN (SELECT engine FROM information_schema.engines WHERE transactions = 'YES')
"""


@contextmanager
def turn(connection: Connection, *, wait: float, script: str | None) -> Iterator[Connection]:
    """Hold the lock on the connection that migrates.

    The server frees it when that session has ended, also when the process was killed: then no
    statement of it runs any more, nor is rolled back. A lock on a connection of its own would be
    free at once.
    """
    with connection.begin():
        if _is_in_cluster(connection):
            raise _refusal(script)
        _refuse_without_transactions(connection)
    deadline, told = time.monotonic() + wait, False
    while not _take_lock(connection, script):
        with connection.begin():
            holder = migrating(connection)
            if holder and holder.is_dead:
                _end(connection, holder)
        who = f": {holder}" if holder else ""
        if time.monotonic() > deadline:
            raise CommandError(
                f"Another process is migrating this database{who}. Nothing was done, since this"
                " may wait no longer: run the command again when it has ended, or give it more"
                " time (--lock-wait, MIGRATION_LOCK_WAIT)."
            )
        if not told:
            logger.warning(
                "Another process is migrating this database%s. Waiting until it has ended.", who
            )
        told = True
        time.sleep(POLL * random.uniform(0.8, 1.2))  # noqa: S311
    try:
        yield connection
    finally:
        with suppress(SQLAlchemyError):
            connection.rollback()
            with connection.begin():
                connection.exec_driver_sql(f"DO RELEASE_LOCK({LOCK})")


def prepare(context: MigrationContext, *, lock_timeout: float, resume: str | None) -> None:
    """Let no statement wait for a lock so long that the application notices: in whole seconds.

    Nor for one of its own: a migration may open other connections, as by `sa.inspect(engine)`.
    """
    connection = _connection(context)
    seconds = max(1, round(lock_timeout))
    limits = f"SET SESSION lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}"
    if context.purge:
        limits += ", sql_safe_updates = 0"  # Alembic deletes without a condition.
    event.listen(connection.engine, "connect", lambda driver, _: run(driver, limits))
    with connection.begin():
        connection.exec_driver_sql(limits)
    connection.info["journal"] = Journal(connection, cast(Resume | None, resume))


def applying(context: MigrationContext, step: MigrationInfo) -> AbstractContextManager[None]:
    """Around the function of one migration, in the transaction that changes the version row."""
    journal: Journal = _connection(context).info["journal"]
    return journal.applying(step)


def finish(connection: Connection, *, is_stamp: bool = False) -> None:
    """Each migration has been committed by itself. Who stamps says what the database is like."""
    if is_stamp:
        forget(connection)


def what_stays(connection: Connection) -> str:
    """Of a migration that has failed."""
    last = last_that_stays(connection)
    if last is None:
        return "Nothing of it stays."
    journal: Journal | None = connection.info.get("journal")
    is_known = last.state == State.DONE or (journal and journal.executed == last.number)
    condition = "" if is_known else ", if it took effect,"
    return (
        f"What it did up to and with `{shorten(last.statement, LENGTH)}`{condition} stays, and the"
        " next run goes on from there: leave the file as it is up to there."
    )


def is_lock_conflict(error: DBAPIError) -> bool:
    return _code(error) in LOCK_CONFLICTS


def blockers(connection: Connection) -> list[str]:
    """Ask on another connection, while the migration waits."""
    session = migrating(connection)
    return blocking(connection, session) if session else []


def unfinished(connection: Connection) -> str | None:
    """The revision that was begun, and that nobody is completing now."""
    last = last_that_stays(connection)
    # Asked afterwards: whoever begins has it first.
    if last is None or connection.exec_driver_sql(f"SELECT IS_USED_LOCK({LOCK})").scalar():
        return None
    # And again: whoever has completed it in between has no lock any more.
    return last.revision if last_that_stays(connection) == last else None


def has_begun(connection: Connection) -> bool:
    """Whether tables may be those of a migration that is not completed yet."""
    return last_that_stays(connection) is not None


def script_instead(connection: Connection, heads: Collection[str], command: str) -> str | None:
    """What to apply where migrations cannot take turns; None where they can."""
    if not _is_in_cluster(connection):
        return None
    # From the beginning, the script makes that table.
    is_there = not heads and inspect(connection).has_table("alembic_version")
    first = "`DROP TABLE alembic_version`, then " if is_there else ""
    # Else a statement is given up that collides twice with what others write.
    setting = "`SET wsrep_retry_autocommit = 1000`"
    return f"{first}the script that `{command}` writes, once, on one node, after {setting}"


def _is_in_cluster(connection: Connection) -> bool:
    """Of Galera, whatever the node's sessions replicate."""
    row = connection.exec_driver_sql("SHOW GLOBAL STATUS LIKE 'wsrep_connected'").one_or_none()
    return row is not None and row[1] == "ON"


def _refuse_without_transactions(connection: Connection) -> None:
    if row := connection.exec_driver_sql(WITHOUT_TRANSACTIONS).first():
        table, engine = row
        raise CommandError(
            f"The table {table} is kept by {engine}, which has no transactions, so that an upgrade that"
            f" fails would be half-applied. Nothing was done: run `ALTER TABLE {table} ENGINE=InnoDB`,"
            " then the command again."
        )


def _refusal(script: str | None) -> CommandError:
    """Who asks from Python mostly has a throw-away database, which has no use for a script."""
    if script is None:
        return CommandError(f"{GALERA}set DATABASE_SCRATCH_URL to a server that is none.")
    return CommandError(f"{GALERA}apply {script}.")


def _take_lock(connection: Connection, script: str | None) -> bool:
    try:
        with connection.begin():
            return bool(connection.exec_driver_sql(f"SELECT GET_LOCK({LOCK}, 0)").scalar())
    except DBAPIError as error:
        if _code(error) == NO_LOCKS_HERE:
            raise _refusal(script) from None
        raise


def _end(connection: Connection, holder: Session) -> None:
    """Safe at any moment: the next migration completes what this one began."""
    logger.warning(
        "It has done nothing for %d s, so its process is gone or stuck: session %d is ended.",
        *(holder.time, holder.id),
    )
    with suppress(DBAPIError):
        connection.exec_driver_sql(f"KILL {holder.id}")


def _connection(context: MigrationContext) -> Connection:
    return cast(Connection, context.connection)


def _code(error: DBAPIError) -> int:
    return code(error.orig) if error.orig else 0
