"""How migrations take turns on SQLite, and change all or nothing."""

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ....config import load_settings
from ..connection import POLL, wait_while
from .backup import back_up
from .batch import without_warnings

# Settings that SQLite refuses or ignores inside a transaction.
FIXED = {"foreign_keys", "journal_mode", "synchronous", "temp_store"}


@contextmanager
def turn(connection: Connection, *, wait: float) -> Iterator[Connection]:
    """Hold SQLite's only lock for writing, in the transaction that will change the database.

    SQLAlchemy does not know yet that it has begun: Alembic would take it for the caller's.
    """
    driver = _driver(connection)
    wait_while(lambda: _writer(driver), deadline=time.monotonic() + wait)
    # Where there is no WAL, who commits waits for those who read.
    _let_wait(driver, wait)
    try:
        yield connection
    finally:
        driver.rollback()


def _writer(driver: sqlite3.Connection) -> str | None:
    """Begin, or tell who is in the way."""
    _let_wait(driver, POLL)
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname.startswith("SQLITE_BUSY"):
            return "Another process is writing to this database."
        raise CommandError(
            f"SQLite cannot write to this database: {error}. See that this user may write to the"
            " file and to its folder."
        ) from None
    return None


def _let_wait(driver: sqlite3.Connection, seconds: float) -> None:
    driver.execute(f"PRAGMA busy_timeout = {round(min(seconds, 1_000_000) * 1000)}")


@contextmanager
def applying(context: MigrationContext, step: MigrationInfo) -> Iterator[None]:
    """Around the function of one migration."""
    connection = cast(Connection, context.connection)
    if "broken" not in connection.info:
        connection.info["broken"] = _broken_foreign_keys(connection)
        _back_up(context, step)
    with without_warnings(), _undivided(connection, step):
        yield


def _back_up(context: MigrationContext, step: MigrationInfo) -> None:
    """From another connection, which sees what is committed."""
    file = cast(Connection, context.connection).engine.url.database
    is_throw_away = context.config is None or context.config.attributes.get("url") is not None
    backups = load_settings().migration_backups
    if backups and file and not is_throw_away:
        back_up(Path(file), "-".join(step.source_revision_ids) or "base", keep=backups)


@contextmanager
def _undivided(connection: Connection, step: MigrationInfo) -> Iterator[None]:
    """Let SQLite refuse what would commit a part of the migration."""
    refused: list[str] = []

    def authorize(action: int, what: str | None, value: str | None, *_: Any) -> int:
        if action == sqlite3.SQLITE_TRANSACTION:
            refused.append(str(what))
        elif action == sqlite3.SQLITE_PRAGMA and what in FIXED and value is not None:
            refused.append(f"PRAGMA {what}")
        else:
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

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
        raise CommandError(
            f"Migration {step.up_revision_id} says {refused[0]}. On SQLite all migrations of a run"
            " are one transaction, so that none is ever half-applied: leave it out, and"
            " autocommit_block() and commit() too. Foreign keys are off meanwhile."
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


def unfinished(connection: Connection) -> str | None:
    return None
