"""SQLite: how migrations take turns."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

logger = logging.getLogger(__name__)

CAN_TELL_BLOCKERS = False


@contextmanager
def turn(connection: Connection, *, wait: float) -> Iterator[None]:
    """BEGIN IMMEDIATE is the lock: let it wait for as long as it may."""
    if not _is_free(connection, 0):
        logger.warning("Another process writes to this database. Waiting until it has ended.")
        if not _is_free(connection, wait):
            raise CommandError(
                "Another process writes to this database all the time. Nothing was done: run the"
                " command again, or give it more time (--lock-wait, MIGRATION_LOCK_WAIT)."
            )
    yield


def _is_free(connection: Connection, wait: float) -> bool:
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA busy_timeout = {round(wait * 1000)}")
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    driver.rollback()
    driver.execute(f"PRAGMA busy_timeout = {round(max(wait, 5) * 1000)}")
    return True


def prepare(context: MigrationContext, *, lock_timeout: float, resume: str | None) -> None:
    """Nothing: migrations are one transaction, which has the only lock there is."""


@contextmanager
def applying(context: MigrationContext, step: MigrationInfo) -> Iterator[None]:
    yield


def finish(connection: Connection) -> None:
    """Foreign keys are off while SQLite migrates: see that each still points to a row."""
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken:
        raise CommandError(
            f"Nothing was changed: a row of {broken[0]} would point to a row of {broken[2]} that"
            " is not there. Let the migration delete or correct such rows."
        )


def is_lock_conflict(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlite_errorname", "").startswith("SQLITE_BUSY")


def blockers(connection: Connection) -> list[str]:
    return []


def unfinished(connection: Connection) -> str | None:
    return None
