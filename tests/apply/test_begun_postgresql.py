"""What was begun outside a transaction on PostgreSQL comes first, whatever is asked for next."""

import subprocess
import sys

import pytest

from .chain import CONCURRENTLY, CONCURRENTLY_BACK, CREATE, written
from .lab import Lab

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("database", ["postgresql"], indirect=True),
]

# Another process does so, at the moment when this one is about to ask.
COMPLETE = """
import psycopg
from sqlalchemy import Engine, event
from {package}.cli import main
from {package}.config import load_settings

@event.listens_for(Engine, "before_cursor_execute")
def complete(connection, cursor, statement, *_):
    if "FROM alembic_unfinished" in statement:
        url = load_settings().database_url.set(drivername="postgresql")
        with psycopg.connect(url.render_as_string(hide_password=False)) as other:
            other.execute("DROP TABLE IF EXISTS alembic_unfinished")

main()
"""


@pytest.fixture
def chain(lab: Lab) -> Lab:
    return written(lab)


def test_what_was_begun_is_completed_first(chain: Lab) -> None:
    chain.write("r1", CREATE, 'op.drop_table("notes")')
    chain.write("r2", CONCURRENTLY + "op.execute('SELECT 1/0')")
    with chain.fresh() as target:
        target.upgrade("r1")
        assert target.alembic("upgrade", "head").code != 0
        said = (
            "The upgrade of r2 was interrupted: complete it first, with `my-service db upgrade r2`."
        )
        for environment in ("development", "production"):
            refused = target.alembic("downgrade", "base", ENVIRONMENT=environment)
            assert refused.code != 0
            assert said in refused.output
        assert target.alembic("stamp", "r2").code == 0
        assert "alembic_unfinished" not in target.tables()
        target.upgrade("r3")


def test_what_was_begun_is_completed_while_somebody_looks(chain: Lab) -> None:
    chain.write("r2", CONCURRENTLY + "op.execute('SELECT 1/0')")
    with chain.fresh() as target:
        target.upgrade("r1")
        assert target.alembic("upgrade", "head").code != 0
        look = target.job("db", "status")
        code = COMPLETE.format(package=look.package)
        done = subprocess.run(
            [sys.executable, "-c", code, *look.arguments],
            cwd=chain.project.path,
            env={"PYTHONPATH": str(chain.project.path / "src"), "RELEASE": "1", **look.variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.startswith("behind: "), done.stdout + done.stderr


def test_what_was_begun_follows_another_by_now(chain: Lab) -> None:
    """It cannot be completed first then."""
    chain.write("r2", CONCURRENTLY + "op.execute('SELECT 1/0')")
    with chain.fresh() as target:
        target.upgrade("r1")
        assert target.alembic("upgrade", "head").code != 0
        chain.write("r15", "pass")
        chain.write("r2", CONCURRENTLY)
        for revision in ("r2", "head"):
            refused = target.alembic("upgrade", revision)
            assert "The upgrade of r2 was interrupted, and r15 was put before it" in refused.output
            assert target.revision == "r1"
        (chain.project.package / "migrations" / "versions" / "r15.py").unlink()
        chain.write("r2", CONCURRENTLY)
        target.upgrade("head")


def test_what_was_begun_is_not_taken_for_nothing_to_do(chain: Lab) -> None:
    """A downgrade that was interrupted has not changed the version row."""
    chain.write("r2", CONCURRENTLY, CONCURRENTLY_BACK + "op.execute('SELECT 1/0')")
    with chain.fresh() as target:
        target.upgrade("r2")
        assert target.alembic("downgrade", "-1").code != 0
        refused = target.alembic("upgrade", "r2")
        assert refused.code != 0
        assert "migration r2 was begun and not completed" in refused.output
        assert "Traceback" not in refused.output
        chain.write("r2", CONCURRENTLY, CONCURRENTLY_BACK)
        assert target.alembic("downgrade", "-1").code == 0
        assert target.alembic("upgrade", "r1").code == 0


BEGINS = """
with op.get_context().autocommit_block():
    op.execute("CREATE TABLE IF NOT EXISTS first (id int)")
    op.execute("{}")
"""


def test_tables_of_a_first_migration_that_was_begun(lab: Lab) -> None:
    """They are nobody else's."""
    with lab.fresh() as target:
        lab.write("r1", BEGINS.format("SELECT 1 / 0"))
        assert "division by zero" in target.alembic("upgrade", "head").output
        lab.write("r1", BEGINS.format("SELECT pg_sleep(2)"))
        completing = target.begin("upgrade", "head")
        target.upgrade("head")
        assert completing.result().code == 0


def test_tables_of_a_first_migration_under_way(lab: Lab) -> None:
    lab.write("r1", BEGINS.format("SELECT pg_sleep(2)"))
    with lab.fresh() as target:
        migrating = target.begin("upgrade", "head")
        while "first" not in target.tables():
            assert not migrating.done(), migrating.result()
        target.upgrade("head")
        assert migrating.result().code == 0
