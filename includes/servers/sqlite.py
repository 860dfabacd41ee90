"""How migrations take turns on SQLite, and change all or nothing."""

import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.util import CommandError
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from ....config import load_settings
from ..refusal import RollbackRefusedError
from ..schema.omissions import without_warnings
from .backup import back_up

# To import it is enough: for each dialect, Alembic takes the class that was made last.
from .batch import SQLiteImpl as SQLiteImpl

logger = logging.getLogger(__name__)

#: How long one attempt to begin takes, in seconds: SQLite waits without a word.
STEP = 1
# Settings that SQLite refuses or ignores inside a transaction.
FIXED = {"foreign_keys", "journal_mode", "synchronous", "temp_store"}


@contextmanager
def turn(connection: Connection, *, wait: float, script: str | None) -> Iterator[Connection]:
    """Hold SQLite's only lock for writing, in the transaction that will change the database.

    SQLAlchemy does not know yet that it has begun: Alembic would take it for the caller's.
    """
    driver = _driver(connection)
    deadline, told = time.monotonic() + wait, False
    while not _begin(driver, min(STEP, max(0, deadline - time.monotonic()))):
        if time.monotonic() >= deadline:
            raise CommandError(
                f"Another process has been writing to this database for {wait:g} s. Nothing was"
                " done: run the command again when it has ended, or give it more time"
                " (--lock-wait, MIGRATION_LOCK_WAIT)."
            )
        if not told:
            logger.warning("Another process is writing to this database. Waiting until it ends.")
        told = True
    # Where there is no WAL, who commits waits for those who read.
    _let_wait(driver, wait)
    try:
        yield connection
    finally:
        driver.rollback()


def _begin(driver: sqlite3.Connection, wait: float) -> bool:
    _let_wait(driver, wait)
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if not error.sqlite_errorname.startswith("SQLITE_BUSY"):
            raise
        return False
    return True


def _let_wait(driver: sqlite3.Connection, seconds: float) -> None:
    driver.execute(f"PRAGMA busy_timeout = {round(min(seconds, 1_000_000) * 1000)}")


def prepare(context: MigrationContext, *, lock_timeout: float, resume: str | None) -> None:
    """Remember what is to be done before the first change: there may be none."""
    connection = cast(Connection, context.connection)
    is_throw_away = context.config is None or context.config.attributes.get("url") is not None
    connection.info["backups"] = 0 if is_throw_away else load_settings().migration_backups


@contextmanager
def applying(context: MigrationContext, step: MigrationInfo) -> Iterator[None]:
    """Around the function of one migration."""
    connection = cast(Connection, context.connection)
    if "broken" not in connection.info:
        connection.info["broken"] = _broken_foreign_keys(connection)
        _back_up(connection, step)
    with without_warnings(), _alone(connection, step), _undivided(connection, step):
        yield


def _back_up(connection: Connection, step: MigrationInfo) -> None:
    """From another connection, which sees what is committed."""
    backups, file = connection.info["backups"], connection.engine.url.database
    if backups and file:
        back_up(Path(file), "-".join(step.source_revision_ids) or "base", keep=backups)


@contextmanager
def _alone(connection: Connection, step: MigrationInfo) -> Iterator[None]:
    """Another connection of the migration's would wait for this one, and see nothing of it."""

    def refuse(_: Connection) -> None:
        raise CommandError(
            f"Migration {step.up_revision_id} opens another connection to the database, which this"
            " one keeps to itself: let it use op.get_bind() and not its engine, as in"
            " sa.inspect(op.get_bind())."
        )

    event.listen(connection.engine, "engine_connect", refuse)
    try:
        yield
    finally:
        event.remove(connection.engine, "engine_connect", refuse)


@contextmanager
def _undivided(connection: Connection, step: MigrationInfo) -> Iterator[None]:
    """Let SQLite refuse what would commit a part of the migration."""
    refused: list[CommandError] = []

    def authorize(action: int, what: str | None, value: str | None, *_: Any) -> int:
        if refused:
            return sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_TRANSACTION:
            word = str(what)
        elif action == sqlite3.SQLITE_PRAGMA and what in FIXED and value is not None:
            word = f"PRAGMA {what}"
        else:
            return sqlite3.SQLITE_OK
        refused.append(_refusal(step, word))
        return sqlite3.SQLITE_OK if getattr(refused[0], "reason", None) else sqlite3.SQLITE_DENY

    driver = _driver(connection)
    driver.set_authorizer(authorize)
    try:
        yield
    except (DBAPIError, sqlite3.Error):
        if not refused:
            raise
    finally:
        driver.set_authorizer(None)
    if refused:
        raise refused[0]


def _refusal(step: MigrationInfo, what: str) -> CommandError:
    error = RollbackRefusedError if what == "ROLLBACK" else CommandError
    return error(
        f"Migration {step.up_revision_id} says {what}. On SQLite all migrations of a run are one"
        " transaction, so that none is ever half-applied: leave it out, and autocommit_block() and"
        " commit() too. Foreign keys are off meanwhile."
    )


def finish(connection: Connection, *, is_stamp: bool = False) -> None:
    """Foreign keys are off meanwhile: see that all hold that held before."""
    if is_stamp:
        return
    new = _broken_foreign_keys(connection) - connection.info.get("broken", Counter())
    for what, count in new.items():
        raise CommandError(
            f"Nothing was changed, because foreign keys would not hold: {what} ({count} times)."
            " Let the migration delete or correct it."
        )


def _broken_foreign_keys(connection: Connection) -> Counter[str]:
    try:
        rows = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    except DBAPIError as error:  # One that refers to what is not unique.
        return Counter([str(error.orig)])
    return Counter(f"{row[0]} has rows that lack the one in {row[2]}" for row in rows)


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)


def what_stays(connection: Connection) -> str:
    """Of a command that has failed."""
    return "Nothing stays of what this command did."


def script_instead(connection: Connection, heads: Collection[str], command: str) -> str | None:
    """What to apply where migrations cannot take turns: here they can."""
    return None


def unfinished(connection: Connection) -> str | None:
    return None


def has_begun(connection: Connection) -> bool:
    return False
