"""What `--sql` writes somebody else runs, with a client of their own."""

import sqlite3
import subprocess
import sys
from dataclasses import replace
from typing import Any

import psycopg
import pymysql
import pytest
from pymysql.constants import CLIENT
from sqlalchemy.engine import make_url

from ..write.authoring import TESTS, run_python
from .lab import Lab, Target
from .launcher import Ended

pytestmark = pytest.mark.slow

TEXT = "Grüße, 🚀"
CREATE = """
op.create_table("parents", sa.Column("id", sa.Integer, primary_key=True))
op.create_table(
    "children",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("parent", sa.Integer, sa.ForeignKey("parents.id", ondelete="CASCADE")),
)
op.execute("INSERT INTO parents VALUES (1)")
op.execute("INSERT INTO children VALUES (1, 1)")
"""
CHANGE = f"""
table = sa.Table("parents", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))
column = sa.Column("name", sa.String(20), nullable=False, server_default={TEXT!r})
with op.batch_alter_table("parents", copy_from=table) as batch:
    batch.add_column(column)
    batch.create_check_constraint("named", "name <> ''")
"""
READ = """
op.add_column("parents", sa.Column("size", sa.Integer))
for row in op.get_bind().execute(sa.text("SELECT id FROM parents")):
    op.execute(f"UPDATE parents SET size = {row.id}")
"""


def test_a_script_is_right_with_any_client(lab: Lab) -> None:
    lab.write("r0", "pass")
    lab.write("r1", CREATE)
    lab.write("r2", CHANGE)
    with lab.fresh() as target:
        target.upgrade("r1")
        target.execute("DROP TABLE alembic_history")  # As if plain Alembic had applied it.
        script = write_script(target, "upgrade", "r1:r2")
        assert script.code == 0, script.errors
        run_script(target, script.output)
        assert target.query("SELECT name FROM parents") == [(TEXT,)]
        assert target.query("SELECT id FROM children") == [(1,)]
        said = target.db("status").output
        assert said.startswith("current")
        assert "Skipped" not in said
        run_script(target, write_script(target, "downgrade", "r2:r1").output)
        done = target.query("SELECT revision, direction FROM alembic_history ORDER BY id")
        assert done[:2] == [("r0", "stamp"), ("r1", "stamp")]
        assert done[2:] == [("r2", "upgrade"), ("r2", "downgrade")]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_script_is_utf_8_whatever_the_terminal_has(lab: Lab) -> None:
    lab.write("r1", f"op.execute(\"SELECT '{TEXT}'\")")
    with lab.fresh() as target:
        source = {"PYTHONPATH": str(lab.project.path / "src"), "PYTHONIOENCODING": "latin-1"}
        done = subprocess.run(
            [sys.executable, "-m", "alembic", "upgrade", "head", "--sql"],
            cwd=lab.project.path,
            env={"RELEASE": "1", **target.job().variables, **source},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert TEXT in done.stdout.decode()


def test_no_script_ends_in_the_midst_of_a_migration(lab: Lab) -> None:
    lab.write("r1", CREATE)
    lab.write("r2", READ, "op.get_bind().scalar(sa.text('SELECT 1'))")
    with lab.fresh() as target:
        for command, steps in {"upgrade": "r1:r2", "downgrade": "r2:r1"}.items():
            script = write_script(target, command, steps)
            assert script.code != 0
            assert script.output == ""
            assert "r2.py, line" in script.errors
            assert "cannot be written as SQL" in script.errors
            assert "Traceback" not in script.errors


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_migration_may_be_none_for_a_script(lab: Lab) -> None:
    """That it reads rows is no fault: the project's own test says that there is no script."""
    lab.write("r1", CREATE)
    lab.write("r2", READ)
    with lab.fresh() as target:
        ended = run_python(target, *TESTS, "-rs", "-k", "as_sql")
        assert ended.returncode == 0, ended.stdout
        assert "cannot be written as SQL" in ended.stdout


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_script_goes_where_env_py_says(lab: Lab) -> None:
    lab.write("r1", CREATE)
    lab.write("r2", CHANGE)
    env, script = lab.project.package / "migrations" / "env.py", lab.project.path / "script.sql"
    text = env.read_text()
    options = f"output_buffer=open({str(script)!r}, 'wb'), output_encoding='utf-16',"
    try:
        env.write_text(text.replace("load_models,\n", f"load_models,\n    {options}\n"))
        with lab.fresh() as target:
            assert write_script(target, "upgrade").output == ""
    finally:
        env.write_text(text)
    assert TEXT in script.read_text("utf-16")


def write_script(target: Target, *arguments: str) -> Ended:
    job = replace(target.job("db", *arguments, "--sql"), ours=True, apart=True)
    [[ended]] = target.lab.launch([job])
    return ended


def run_script(target: Target, script: str) -> None:
    """As it is, by a client that is set to another encoding, or keeps foreign keys."""
    url = make_url(target.url)
    server: dict[str, Any] = {
        "host": url.host,
        "user": url.username,
        "password": url.password or "",
    }
    if target.lab.database == "sqlite":
        with sqlite3.connect(str(url.database)) as file:
            file.execute("PRAGMA foreign_keys = ON")
            file.executescript(script)
        file.close()
    elif target.lab.database == "postgresql":
        options = server | {"port": url.port or 5432, "dbname": url.database}
        with psycopg.connect(client_encoding="latin1", autocommit=True, **options) as client:
            for statement in script.split(";\n"):
                client.pgconn.exec_(statement.encode())
    else:
        options = server | {"port": url.port or 3306, "database": url.database, "charset": "latin1"}
        options |= {"client_flag": CLIENT.MULTI_STATEMENTS, "autocommit": True}
        with pymysql.connect(**options) as client, client.cursor() as cursor:
            cursor.execute(script.encode())
            while cursor.nextset():
                pass
