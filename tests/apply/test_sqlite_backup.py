"""Issue: on SQLite, migrations make an online backup before they change anything."""

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from .lab import Lab, Target
from .test_deploy import failure

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("database", ["sqlite"], indirect=True),
]

CREATE = """
op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text))
"""
CLEAR = 'op.execute("DELETE FROM notes")'
ADD = 'op.execute("INSERT INTO notes (text) VALUES (1)")'


@pytest.fixture
def target(lab: Lab) -> Iterator[Target]:
    """At the first of three migrations, with rows."""
    lab.write("r1", CREATE, 'op.drop_table("notes")')
    lab.write("r2", CLEAR, ADD)
    lab.write("r3", ADD, CLEAR)
    with lab.fresh() as target:
        target.upgrade("r1")
        target.execute("INSERT INTO notes (text) VALUES ('one'), ('two')")
        yield target


def _backups(target: Target) -> list[Path]:
    file = Path(target.name)
    return sorted(path for path in file.parent.glob(f"{file.name}.backup-*"))


def _rows(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as database:
        return [text for (text,) in database.execute("SELECT text FROM notes ORDER BY id")]


def test_before_an_upgrade_and_a_downgrade(target: Target) -> None:
    # In the write-ahead log only, as long as this connection is open.
    with closing(sqlite3.connect(target.name)) as application:
        application.execute("INSERT INTO notes (text) VALUES ('three')")
        application.commit()
        ended = target.alembic("upgrade", "r2")
        assert ended.code == 0, ended.output
    [backup] = _backups(target)
    assert re.fullmatch(r".+\.db\.backup-\d{8}T\d{6}Z-r1", backup.name)
    assert f"The database as it was is in {backup}." in ended.output
    assert _rows(backup) == ["one", "two", "three"]
    with closing(sqlite3.connect(backup)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert copy.execute("SELECT * FROM alembic_version").fetchall() == [("r1",)]
    assert backup.stat().st_mode == Path(target.name).stat().st_mode
    assert _rows(Path(target.name)) == []

    target.alembic("downgrade", "r1")
    [_, backup] = _backups(target)
    assert backup.name.endswith("-r2")
    assert _rows(backup) == []


def test_it_is_restored_as_the_readme_says(target: Target) -> None:
    target.upgrade("r2")
    file = Path(target.name)
    [backup] = _backups(target)
    for ending in ("-wal", "-shm"):
        file.with_name(file.name + ending).unlink(missing_ok=True)
    backup.rename(file)
    assert target.revision == "r1"
    assert _rows(file) == ["one", "two"]
    target.upgrade("r3")


def test_none_where_nothing_is_lost(lab: Lab) -> None:
    """Not of an empty database, nor when nothing is pending, nor to look."""
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        target.upgrade("base")
        target.upgrade("head")
        target.upgrade("head")
        target.alembic("current")
        target.alembic("check")
        assert _backups(target) == []


def test_the_last_ones_are_kept(target: Target) -> None:
    file = Path(target.name)
    others = [
        file.with_name(name)
        for name in (
            f"{file.name}.backup-mine",
            f"{file.name}.backup-20200101T000000Z-r1.gz",
            f"other.{file.name}.backup-20200101T000000Z-r1",
            f"{file.name}.backup-20200101T000000Z-r1-wal.txt",
        )
    ]
    old = [file.with_name(f"{file.name}.backup-2020010{day}T000000Z-r1") for day in range(1, 6)]
    name = f"{file.name}.backup-20200101T000000Z-r0.unfinished"
    unfinished = [file.with_name(name + end) for end in ("", "-journal", "-wal", "-shm")]
    for path in [*others, *old, *unfinished]:
        path.touch()
    target.upgrade("r2")
    assert [path for path in old if path.exists()] == old[-2:]
    assert not any(path.exists() for path in unfinished)
    target.upgrade("r3", MIGRATION_BACKUPS="1")
    kept = [path for path in _backups(target) if path not in others]
    assert [path.name[-3:] for path in kept] == ["-r2"]
    assert all(path.exists() for path in others)
    target.alembic("downgrade", "r2", MIGRATION_BACKUPS="0")
    assert [path for path in _backups(target) if path not in others] == kept


def test_attempts_that_fail_push_out_none(target: Target) -> None:
    """The newest takes the place of the one before, which is the same."""
    target.upgrade("r2")
    target.lab.write("r3", f'{ADD}\nop.execute("no SQL")')
    assert target.alembic("upgrade", "r3").code != 0
    [first, second] = _backups(target)
    for _ in range(3):
        ended = target.alembic("upgrade", "r3")
        [kept, newest] = _backups(target)
        assert kept == first
        assert f"The database as it was is in {newest}." in ended.output
    assert newest > second
    assert _rows(newest) == []
    target.execute("INSERT INTO notes (text) VALUES ('three')")
    assert target.alembic("upgrade", "r3").code != 0
    assert _backups(target)[:2] == [first, newest]


def test_in_the_same_second(target: Target) -> None:
    """One does not take the place of the other."""
    up, down = target.job("upgrade", "r2"), target.job("downgrade", "r1")
    target.lab.launch([up, down, up, down, up])
    assert len(_backups(target)) == 3


def test_no_room(target: Target) -> None:
    """Files may grow to half the size of the database."""
    target.execute(
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
        " INSERT INTO notes (text) SELECT printf('%1000d', i) FROM n"
    )
    blocks = Path(target.name).stat().st_size // 2 // 512
    limited = ["sh", "-c", 'ulimit -f "$0" && exec "$@"', str(blocks)]
    job = target.job()
    done = subprocess.run(
        [*limited, sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=target.lab.project.path,
        env={"PYTHONPATH": str(target.lab.project.path / "src"), "RELEASE": "1", **job.variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    _see_that_nothing_was_changed(target, done.stdout + done.stderr)
    target.upgrade("head")


def test_a_folder_that_takes_no_backup(target: Target) -> None:
    """Here because the name gets too long; an account that may write anywhere can run this."""
    file = Path(target.name)
    long = file.with_name(f"{'x' * 230}.db")
    shutil.copy(file, long)
    ended = target.alembic("upgrade", "head", DATABASE_URL=f"sqlite:///{long}")
    assert ended.code != 0
    assert _rows(long) == ["one", "two"]
    _see_that_nothing_was_changed(target, ended.output)


def test_a_database_that_is_damaged(target: Target) -> None:
    """A copy of it would be worth nothing."""
    target.execute(
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
        " INSERT INTO notes (text) SELECT printf('%1000d', i) FROM n"
    )
    with Path(target.name).open("r+b") as file:
        file.seek(-100 * 4096, 2)
        file.write(b"\0" * 4096)
    said = failure(target.alembic("upgrade", "head"))
    assert said.startswith(f"{target.name} is damaged, so nothing was changed: *** in database")
    assert said.endswith("`sqlite3 FILE .recover` saves what can be read.")
    assert target.revision == "r1"
    assert _backups(target) == []


def _see_that_nothing_was_changed(target: Target, output: str) -> None:
    assert re.search(r"FAILED: The backup of \S+ failed, so nothing was changed: ", output), output
    assert "MIGRATION_BACKUPS=0" in output
    assert "Traceback" not in output
    assert target.revision == "r1"
    assert _backups(target) == []
