"""A copy of the SQLite file, made before migrations change it."""

import logging
import re
import shutil
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from filecmp import cmp
from pathlib import Path

from alembic.util import CommandError

logger = logging.getLogger(__name__)

TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
OTHERS = ("sqlite_", "alembic_")
UNFINISHED = ".unfinished"
#: With what SQLite keeps beside it while it writes.
LEFT = rf"\{UNFINISHED}(-\w+)?"


def back_up(database: Path, revisions: str, *, keep: int) -> None:
    """Copy what is committed; nothing where there are no tables."""
    database = database.resolve()
    with closing(sqlite3.connect(database)) as source:
        tables = [name for (name,) in source.execute(TABLES)]
        if all(name.startswith(OTHERS) for name in tables):
            return
        try:
            path = _free_path(database, revisions)
            # Of a process that was killed.
            _remove(_siblings(database, LEFT))
            _copy(source, database, path)
            others = [other for other in _siblings(database) if other != path]
            # Of an attempt that failed: else some more would push out what is worth something.
            if others and cmp(others[-1], path, shallow=False):
                others.pop().unlink()
            _remove(others[: max(0, len(others) - keep + 1)])
        except (sqlite3.Error, OSError) as error:
            raise CommandError(
                f"The backup of {database} failed, so nothing was changed: {error}. Make room beside"
                " it, let this user write there, or set MIGRATION_BACKUPS=0 to migrate without."
            ) from None
    logger.info("The database as it was is in %s.", path)


def _free_path(database: Path, revisions: str) -> Path:
    label = re.sub(r"[^\w-]", "_", revisions)[:100]
    while True:
        name = f"{database.name}.backup-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{label}"
        if not database.with_name(name).exists():
            return database.with_name(name)
        time.sleep(0.1)


def _copy(source: sqlite3.Connection, database: Path, path: Path) -> None:
    """Under another name until it is complete and sound."""
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        unfinished.touch(0o600)
        with closing(sqlite3.connect(unfinished)) as target:
            source.backup(target)
            # A single file, which can be copied back by itself.
            target.execute("PRAGMA journal_mode = DELETE")
            (answer,) = target.execute("PRAGMA quick_check(1)").fetchone()
        if answer != "ok":
            raise CommandError(
                f"{database} is damaged, so nothing was changed: {' '.join(answer.split())}. Put the"
                " newest backup that is sound in its place; `sqlite3 FILE .recover` saves what can be"
                " read."
            )
        shutil.copymode(database, unfinished)
        unfinished.rename(path)
    finally:
        _remove(_siblings(database, LEFT))


def _siblings(database: Path, ending: str = "") -> list[Path]:
    """Backups of this file, oldest first."""
    name = re.compile(rf"{re.escape(database.name)}\.backup-\d{{8}}T\d{{6}}Z-[\w-]+{ending}")
    return sorted(path for path in database.parent.iterdir() if name.fullmatch(path.name))


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink()
