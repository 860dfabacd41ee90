"""Issue: nothing is half-applied. On SQLite, all migrations of a run are one transaction."""

import shutil
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from ..projects import Project
from .lab import Lab, Target

Render = Callable[..., Project]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("database", ["sqlite"], indirect=True),
]

CREATE = """
op.create_table(
    "parents",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(20, collation="NOCASE"), unique=True),
    sqlite_autoincrement=True,
)
op.create_table(
    "children",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("parent_id", sa.Integer, sa.ForeignKey("parents.id", ondelete="CASCADE")),
)
op.create_table("log", sa.Column("text", sa.Text))
op.execute(
    "CREATE TRIGGER new_parent AFTER INSERT ON parents"
    " BEGIN INSERT INTO log VALUES (new.name); END"
)
op.execute("INSERT INTO parents (name) VALUES ('Ada'), ('Bob'), ('Eve')")
op.execute("INSERT INTO children (parent_id) SELECT id FROM parents")
op.execute("DELETE FROM parents WHERE name = 'Eve'")
op.execute("DELETE FROM children WHERE parent_id = 3")
"""
CHANGE = """
with op.batch_alter_table("parents") as batch:
    batch.alter_column("name", type_=sa.String(40), nullable=False)
    batch.add_column(sa.Column("age", sa.Integer))
op.execute("UPDATE parents SET age = 40")
op.execute("INSERT INTO parents (name, age) VALUES ('Zoe', 20)")
"""
CHANGE_BACK = """
op.execute("DELETE FROM parents WHERE name = 'Zoe'")
with op.batch_alter_table("parents") as batch:
    batch.drop_column("age")
    batch.alter_column("name", type_=sa.String(20), nullable=True)
"""
INDEX = """
op.create_index("ix_children_parent_id", "children", ["parent_id"])
op.execute("UPDATE children SET parent_id = 1")
"""
INDEX_BACK = """
op.drop_index("ix_children_parent_id", "children")
"""


def _write_migrations(lab: Lab) -> None:
    lab.write("r1", CREATE, 'op.drop_table("log")')
    lab.write("r2", CHANGE, CHANGE_BACK)
    lab.write("r3", INDEX, INDEX_BACK)


def _dump(target: Target) -> list[str]:
    """Schema and rows, without the times of the history."""
    with closing(sqlite3.connect(_file(target))) as database:
        lines = [" ".join(line.split()) for line in database.iterdump()]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    return sorted(line for line in lines if "alembic_history" not in line)


def _file(target: Target) -> Path:
    return Path(str(make_url(target.url).database))


@pytest.mark.parametrize(
    ("start", "command"),
    [("base", ["upgrade", "head"]), ("r1", ["upgrade", "head"]), ("r3", ["downgrade", "r1"])],
    ids=["fresh", "filled", "downgrade"],
)
def test_killed_at_each_point(
    lab: Lab, start: str, command: list[str], tmp_path: Path, rounds: int
) -> None:
    """Before and after statements and commits: the next run completes what is missing.

    At every point with twenty rounds, at every tenth with two.
    """
    _write_migrations(lab)
    with lab.fresh() as target:
        target.upgrade(start)
        before = _dump(target)
        shutil.copy(_file(target), tmp_path / "start")
        ended = target.alembic(*command)
        assert ended.code == 0, ended.output
        after = _dump(target)
        points = range(1, ended.points + 1, max(1, 20 // rounds))
        copies = [_copy(target, tmp_path / "start", tmp_path / f"{point}.db") for point in points]
    assert before != after
    assert ended.points > 50
    jobs = zip(copies, points, strict=True)
    killed = lab.launch([copy.job(*command, kill_at=point) for copy, point in jobs])
    assert {ended.code for [ended] in killed} == {-9}
    found = [_dump(copy) for copy in copies]
    assert [lines for lines in found if lines not in (before, after)] == []
    assert before in found
    again = lab.launch([copy.job(*command) for copy in copies])
    assert [ended.output for [ended] in again if ended.code] == []
    assert [lines for lines in map(_dump, copies) if lines != after] == []
    assert list(tmp_path.glob("*.unfinished*")) == []


def _copy(target: Target, start: Path, file: Path) -> Target:
    shutil.copy(start, file)
    return replace(target, url=f"sqlite:///{file}")


def test_an_error_in_the_last_migration_undoes_all(lab: Lab) -> None:
    _write_migrations(lab)
    lab.write(
        "r4", 'op.execute("INSERT INTO log VALUES (1)")\nop.execute("UPDATE nowhere SET x = 1")'
    )
    with lab.fresh() as target:
        target.upgrade("r1")
        before = _dump(target)
        assert target.alembic("upgrade", "head").code != 0
        assert _dump(target) == before
        lab.write("r4", 'op.execute("INSERT INTO log VALUES (1)")')
        target.upgrade()
        assert target.query("SELECT count(*) FROM log") == [(5,)]


ENDS_TRANSACTION = [
    'op.execute("/* now */ COMMIT")',
    'op.execute("ROLLBACK")',
    "op.get_bind().commit()",
    "with op.get_context().autocommit_block(): pass",
    "op.get_bind().connection.executescript('DELETE FROM log')",
    'try: op.execute("COMMIT")\nexcept sa.exc.DBAPIError: pass',
    'op.execute("PRAGMA foreign_keys = ON")',
    'op.execute("PRAGMA journal_mode(delete)")',
]


def test_a_migration_does_not_end_the_transaction(lab: Lab, tmp_path: Path) -> None:
    lab.write("r1", CREATE)
    lab.write("r2", 'op.execute("DELETE FROM log")\nimport os\nexec(os.environ["STATEMENT"])')
    with lab.fresh() as target:
        target.upgrade("r1")
        before = _dump(target)
        shutil.copy(_file(target), tmp_path / "start")
        copies = [
            _copy(target, tmp_path / "start", tmp_path / f"{number}.db")
            for number in range(len(ENDS_TRANSACTION))
        ]
    statements = zip(copies, ENDS_TRANSACTION, strict=True)
    jobs = [copy.job("upgrade", "head", variables={"STATEMENT": text}) for copy, text in statements]
    for statement, copy, [ended] in zip(ENDS_TRANSACTION, copies, lab.launch(jobs), strict=True):
        assert ended.code != 0, statement
        assert _dump(copy) == before, statement
        assert "FAILED: Migration r2 says" in ended.output
        assert "one transaction" in ended.output
        assert "Traceback" not in ended.output


def test_what_a_migration_may_say(lab: Lab) -> None:
    lab.write("r1", "sa.inspect(op.get_bind().engine).get_table_names()")
    with lab.fresh() as target:
        ended = target.alembic("upgrade", "head")
        assert "FAILED: Migration r1 opens another connection" in ended.output
    lab.write(
        "r1",
        """
        sa.inspect(op.get_bind())
        op.execute("PRAGMA user_version = 7")
        op.execute("PRAGMA foreign_keys")
        op.execute("SAVEPOINT here")
        op.execute("ROLLBACK TO here")
        with op.get_bind().begin_nested():
            op.create_table("notes", sa.Column("text", sa.Text))
        """,
    )
    with lab.fresh() as target:
        target.upgrade()
        assert target.query("PRAGMA user_version") == [(7,)]


ORPHAN = 'op.execute("INSERT INTO children (parent_id) VALUES (99)")'


def test_no_row_may_lose_the_one_it_refers_to(lab: Lab) -> None:
    lab.write("r1", CREATE)
    lab.write("r2", 'op.execute("DELETE FROM parents")')
    with lab.fresh() as target:
        target.upgrade("r1")
        before = _dump(target)
        ended = target.alembic("upgrade", "head")
        assert ended.code != 0
        assert "children has rows that lack the one in parents (2 times)" in ended.output
        assert "Traceback" not in ended.output
        lab.write("r2", 'op.execute("CREATE TABLE t (x REFERENCES log (text))")')
        ended = target.alembic("upgrade", "head")
        assert ended.code != 0
        assert 'foreign key mismatch - "t" referencing "log"' in ended.output
        assert "Traceback" not in ended.output
        assert _dump(target) == before


def test_rows_that_had_lost_it_before(lab: Lab) -> None:
    """They are no reason to refuse every later migration, but hide no new ones."""
    lab.write("r1", CREATE)
    lab.write("r2", INDEX.replace("UPDATE children", "UPDATE log SET text = 1 --"))
    lab.write("r3", ORPHAN)
    with lab.fresh() as target:
        target.upgrade("r1")
        target.execute("INSERT INTO children (parent_id) VALUES (98)")
        target.upgrade("r2")
        ended = target.alembic("upgrade", "r3")
        assert ended.code != 0
        assert "in parents (1 times)" in ended.output


def test_another_process_writes(lab: Lab) -> None:
    """SQLite waits without a word; a migration says so, and does not wait for ever."""
    lab.write("r1", CREATE)
    with lab.fresh() as target, closing(sqlite3.connect(_file(target))) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        ended = target.alembic("-x", "lock-wait=1.5", "upgrade", "head")
        assert ended.code != 0
        assert 1.5 < time.monotonic() - began < 30
        assert "Another process is writing" in ended.output
        assert "for 1.5 s. Nothing was done" in ended.output
        assert "Traceback" not in ended.output
        waiting = target.begin("upgrade", "head")
        time.sleep(3)
        assert not waiting.done()
        other.execute("ROLLBACK")
        ended = waiting.result()
        assert ended.code == 0, ended.output
        assert ended.output.count("Another process is writing") == 1
    with lab.fresh() as target:
        assert "Another process" not in target.alembic("upgrade", "head").output


def test_the_application_meanwhile(render: Render, database: str, tmp_path: Path) -> None:
    """Who reads goes on; who writes waits for five seconds, and is told to come again."""
    project = render(database=database).install()
    url = f"sqlite:///{tmp_path}/app.db"
    project.run("alembic", "upgrade", "head", url=url)
    versions = project.package / "migrations" / "versions"
    (versions / "slow.py").write_text(SLOW)
    started = tmp_path / "started"
    person = {"name": "Ada", "email": "ada@example.com"}
    with project.serve(url) as client, ThreadPoolExecutor() as pool:
        upgrade = pool.submit(
            project.run, "alembic", "upgrade", "slow", url=url, STARTED=str(started)
        )
        while not started.exists():
            time.sleep(0.05)
        began = time.monotonic()
        assert client.get("/users").status_code == 200
        assert time.monotonic() - began < 2
        assert client.post("/users", json=person).status_code == 503
        assert 4 < time.monotonic() - began < 8
        upgrade.result()
        assert client.post("/users", json=person).status_code == 201


SLOW = """
import os
import time
from pathlib import Path

from alembic import op

revision = "slow"
down_revision = "8c1d5e0f42ab"


def upgrade():
    op.execute("CREATE INDEX ix_users_name ON users (name)")
    Path(os.environ["STARTED"]).touch()
    time.sleep(9)
"""
