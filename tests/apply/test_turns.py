"""Replicas that start together take turns: the database is migrated once, and nobody fails."""

import re
import time
from pathlib import Path

import pytest

from .lab import Lab, Target
from .launcher import Ended

pytestmark = pytest.mark.slow

REPLICAS = 16
ON_POSTGRESQL = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
STARTS = pytest.mark.parametrize("start", ["fresh", "filled", "middle"])

CREATE = """
op.create_table(
    "accounts",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("amount", sa.BigInteger, nullable=False),
)
op.create_table("notes", sa.Column("text", sa.String(50), nullable=False))
op.execute("INSERT INTO accounts VALUES (1, 5)")
"""
MULTIPLY = """
op.execute("UPDATE accounts SET amount = amount * 100")
op.execute("INSERT INTO notes VALUES ('multiplied')")
op.add_column("accounts", sa.Column("currency", sa.String(3)))
"""
INDEX = """
op.create_index("ix_accounts_amount", "accounts", ["amount"])
op.execute("INSERT INTO notes VALUES ('indexed')")
"""
INDEX_CONCURRENTLY = """
with op.get_context().autocommit_block():
    op.create_index(
        "ix_accounts_amount", "accounts", ["amount"], postgresql_concurrently=True
    )
op.execute("INSERT INTO notes VALUES ('indexed')")
"""
DIVIDE = """
op.execute("UPDATE accounts SET amount = amount / 10")
op.execute("INSERT INTO notes VALUES ('divided')")
"""
ROWS = 2000


@STARTS
def test_sixteen_at_once(lab: Lab, start: str, rounds: int) -> None:
    _write_migrations(lab)
    for _ in range(rounds):
        _migrate_at_once(lab, start)


@ON_POSTGRESQL
@STARTS
def test_sixteen_at_once_through_a_pooler(pooled: Lab, start: str, rounds: int) -> None:
    _write_migrations(pooled)
    for _ in range(rounds):
        _migrate_at_once(pooled, start)


@ON_POSTGRESQL
@pytest.mark.parametrize("pooled", ["default_pool_size = 1\nquery_wait_timeout = 2"], indirect=True)
def test_a_pooler_with_one_connection(pooled: Lab) -> None:
    """One holds the turn, and another one migrates."""
    pooled.write("r1", CREATE)
    with pooled.fresh() as target:
        ended = target.alembic("upgrade", "head")
        assert "Traceback" not in ended.output
        assert "FAILED: Migrations need two connections to the server at once" in ended.output
        assert ended.code == 255, ended.output
        assert target.tables() == set()
        assert target.db("status").output.startswith("behind: ")


def _write_migrations(lab: Lab) -> None:
    lab.write("r1", CREATE)
    lab.write("r2", MULTIPLY)
    lab.write("r3", INDEX_CONCURRENTLY if lab.database == "postgresql" else INDEX)
    lab.write("r4", DIVIDE)


def _migrate_at_once(lab: Lab, start: str) -> None:
    with lab.fresh() as target:
        if start != "fresh":
            target.upgrade("r1")
            values = ", ".join(f"({number}, 5)" for number in range(2, ROWS + 1))
            target.execute(f"INSERT INTO accounts VALUES {values}")
        if start == "middle":
            target.upgrade("r2")
        for ended in target.at_once(REPLICAS, "upgrade", "head"):
            assert ended.code == 0, ended.output
        _see_that_each_was_applied_once(target, 1 if start == "fresh" else ROWS)


def _see_that_each_was_applied_once(target: Target, rows: int) -> None:
    assert target.revision == "r4"
    assert target.query("SELECT amount, count(*) FROM accounts GROUP BY amount") == [(50, rows)]
    assert target.query("SELECT text FROM notes ORDER BY text") == [
        ("divided",),
        ("indexed",),
        ("multiplied",),
    ]
    history = target.query("SELECT revision, direction FROM alembic_history ORDER BY id")
    assert history == [(f"r{number}", "upgrade") for number in range(1, 5)]


SLOW = """
op.execute("INSERT INTO notes VALUES ('slow')")
begun = time.monotonic()
try:
    while time.monotonic() < begun + float(Path("slow").read_text()):
        Path("begun").touch()
        time.sleep(0.02)
except FileNotFoundError:
    pass
"""


@pytest.fixture
def slow(lab: Lab) -> Lab:
    """Migrations that take so many seconds, as long as the file `slow` says so."""
    lab.write("r1", CREATE)
    lab.write("r2", SLOW, SLOW)
    lab.write("r3", SLOW, SLOW)
    return lab


def _slow_down(lab: Lab, seconds: float = 2.5) -> Path:
    """By default for as long as the second of two that are started together needs to wait."""
    slow = lab.project.path / "slow"
    slow.write_text(str(seconds))
    return slow


def test_who_waits_says_so(slow: Lab) -> None:
    with slow.fresh() as target:
        target.upgrade("r1")
        _slow_down(slow)
        first, second = _first_and_second(target.at_once(2, "upgrade", "r2"))
        assert first.code == second.code == 0
        assert "Waiting until" in second.output
        assert "Nothing is left to do" in second.output
        assert "Waiting" not in first.output
        if slow.database == "postgresql":
            assert re.search(
                r"database: session \d+ \(my-service db at .+, since .+\)", second.output
            )
        assert target.query("SELECT text FROM notes") == [("slow",)]


def _first_and_second(ended: list[Ended]) -> list[Ended]:
    return sorted(ended, key=lambda each: "Running" not in each.output)


def test_waiting_is_bounded(slow: Lab) -> None:
    with slow.fresh() as target:
        target.upgrade("r1")
        _slow_down(slow)
        ended = target.at_once(2, "-x", "lock-wait=0.5", "upgrade", "r2")
        first, second = _first_and_second(ended)
        assert first.code == 0, first.output
        assert second.code != 0
        assert "Nothing was" in second.output
        assert "Traceback" not in second.output
        assert target.revision == "r2"


HALF = f"""
{INDEX}
if not Path("slow").exists():
    raise RuntimeError
"""
# Between the question what was begun and the one whether somebody is at it.
MEANWHILE = """
import os, subprocess, sys
from sqlalchemy import Engine, event

@event.listens_for(Engine, "before_cursor_execute")
def complete_it_meanwhile(conn, cursor, statement, *_):
    if "IS_USED_LOCK" in statement and "MEANWHILE" not in os.environ:
        os.environ["MEANWHILE"] = "1"
        subprocess.run([sys.executable, "-m", "alembic", "upgrade", "head"], check=True)

"""


@pytest.mark.parametrize("database", ["mysql", "mariadb"], indirect=True)
def test_another_completes_it_while_this_looks(lab: Lab) -> None:
    """On PostgreSQL it waits until this has looked."""
    lab.write("r1", CREATE)
    lab.write("r2", HALF)
    env = lab.project.package / "migrations" / "env.py"
    text = env.read_text()
    with lab.fresh() as target:
        assert target.alembic("upgrade", "head").code != 0
        said = target.alembic("upgrade", "r1").output
        assert "migration r2 was begun and not completed" in said
        _slow_down(lab)
        env.write_text(MEANWHILE + text)
        try:
            ended = target.alembic("upgrade", "r1")
        finally:
            env.write_text(text)
        assert ended.code == 0, ended.output
        assert target.revision == "r2"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_other_ways_to_bound_the_waiting(slow: Lab) -> None:
    with slow.fresh() as target:
        target.upgrade("r1")
        stopped = _slow_down(slow, 60)
        first = target.begin("upgrade", "r2")
        _wait_until_begun(slow)
        by_option = target.db("upgrade", "--lock-wait", "0.5")
        by_setting = target.alembic("upgrade", "head", MIGRATION_LOCK_WAIT="0.5")
        stopped.unlink()
        assert first.result().code == 0
        assert by_option.code == 1
        assert by_setting.code != 0
        for second in (by_option, by_setting):
            assert "Nothing was" in second.output


@pytest.mark.parametrize("given", ["soon", "-1", "nan", ""])
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_wait_that_is_none_is_refused(slow: Lab, given: str) -> None:
    with slow.fresh() as target:
        plain = target.alembic("-x", f"lock-wait={given}", "upgrade", "head")
        assert plain.code != 0
        assert "lock-wait" in plain.output
        assert "Traceback" not in plain.output
        assert target.db("upgrade", f"--lock-wait={given}").code != 0
        assert not target.tables()


def test_nothing_to_do_takes_no_lock(slow: Lab) -> None:
    with slow.fresh() as target:
        target.upgrade("r1")
        stopped = _slow_down(slow, 60)
        working = target.begin("upgrade", "r2")
        _wait_until_begun(slow)
        idle = target.alembic("-x", "lock-wait=0", "upgrade", "r1")
        stopped.unlink()
        assert idle.code == 0, idle.output
        assert "Nothing to do: the database is at r1." in idle.output
        assert working.result().code == 0


def _wait_until_begun(lab: Lab) -> None:
    begun = lab.project.path / "begun"
    deadline = time.monotonic() + 30
    while not begun.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_nothing_to_do_makes_no_table(lab: Lab) -> None:
    with lab.fresh() as target:
        assert target.alembic("upgrade", "head").code == 0
        assert target.alembic("downgrade", "base").code == 0
        assert not target.tables()


@pytest.mark.parametrize(
    ("start", "command", "target_revision", "end"),
    [("r3", "downgrade", "-1", "r2"), ("r1", "upgrade", "+1", "r2")],
)
def test_a_relative_target_is_meant_from_where_the_database_is(
    slow: Lab, start: str, command: str, target_revision: str, end: str
) -> None:
    """Two jobs that roll back one revision each, at once, do not roll back two."""
    with slow.fresh() as target:
        target.upgrade(start)
        _slow_down(slow)
        first, second = _first_and_second(target.at_once(2, command, target_revision))
        assert first.code == 0, first.output
        assert second.code != 0
        assert f"{target_revision} was meant from {start}" in second.output
        assert f"to {end} meanwhile" in second.output or f"to {end}." in second.output
        assert "Traceback" not in second.output
        assert target.revision == end


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_relative_targets_one_after_the_other(slow: Lab) -> None:
    with slow.fresh() as target:
        for _ in range(2):
            target.upgrade("+1")
        assert target.revision == "r2"
        assert target.alembic("downgrade", "-1").code == 0
        assert target.revision == "r1"
        assert target.alembic("upgrade", "r1+1").code == 0
        assert target.revision == "r2"
