"""`db reset`: everything in a development database goes, and it is made anew."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from textwrap import dedent

import pytest

from ..apply.lab import Lab, restricted
from .endings import refuses, succeed

pytestmark = pytest.mark.slow

CREATE = 'op.create_table("users", sa.Column("id", sa.Integer, primary_key=True))'
OTHERS = {
    "sqlite": ["CREATE TRIGGER t AFTER INSERT ON users BEGIN DELETE FROM orders; END"],
    "postgresql": [
        "CREATE TYPE mood AS ENUM ('happy')",
        "CREATE TYPE span AS RANGE (subtype = float8)",
        "CREATE TYPE pair AS (a integer, b integer)",
        "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE MATERIALIZED VIEW m AS SELECT 1 AS n",
        "CREATE SEQUENCE numbers",
        'CREATE SCHEMA "Billing%"',
        'CREATE TABLE "Billing%".invoices (id integer REFERENCES users)',
    ],
    "mysql": ["CREATE PROCEDURE p() SELECT 1"],
    "mariadb": ["CREATE PROCEDURE p() SELECT 1", "CREATE SEQUENCE numbers"],
}

# A column that no migration has made.
AHEAD = {
    "__init__": "",
    "models": """
        import sqlalchemy as sa

        from ..database import Base

        users = sa.Table(
            "users",
            Base.metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("age", sa.Integer),
        )
        """,
    "examples": """
        from .models import users

        async def add_examples(session):
            await session.execute(users.insert().values(id=1, age=36))
        """,
}


@pytest.fixture
def ahead(lab: Lab) -> Iterator[None]:
    folder = lab.project.package / "ahead"
    folder.mkdir()
    for name, text in AHEAD.items():
        (folder / f"{name}.py").write_text(dedent(text))
    yield
    shutil.rmtree(folder)


@pytest.mark.usefixtures("ahead")
@pytest.mark.parametrize("database", ["sqlite", "mariadb"], indirect=True)
def test_models_that_are_ahead(lab: Lab, database: str) -> None:
    """It is found before anything is deleted, where a throw-away database can be made."""
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        target.upgrade()
        target.execute("INSERT INTO users VALUES (7)")
        refuses(target.db("seed"), "age", "`make migration m=")
        refuses(target.db("reset", "--yes"), "age", "`make migration m=", "deleted")
        examples = lab.project.package / "ahead" / "examples.py"
        given = examples.read_text()
        examples.write_text("async def add_examples(session):\n    session.nothing()\n")
        refuses(target.db("reset", "--yes"), f"{examples}, line 2: AttributeError: ")
        examples.write_text(given)
        assert target.query("SELECT id FROM users") == [(7,)]
        if database != "sqlite":
            with restricted(target) as url:
                ended = replace(target, url=url).db("reset", "--yes")
            assert ended.code == 2
            assert "The example rows cannot be added, and none was: " in ended.output
            assert "Traceback" not in ended.output


def test_reset(lab: Lab, database: str) -> None:
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        target.upgrade()
        for statement in (
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, other INTEGER REFERENCES orders (id))",
            "CREATE TABLE `50%` (id INTEGER)"
            if database != "postgresql"
            else 'CREATE TABLE "%" ()',
            "CREATE VIEW v AS SELECT * FROM users",
            *OTHERS[database],
            "INSERT INTO orders VALUES (1, 1)",
            "UPDATE alembic_version SET version_num = 'unknown'",
        ):
            target.execute(statement)
        before = target.tables()
        schemas = ", and the schemas Billing%" if database == "postgresql" else ""
        deletes = f"This deletes 3 tables in {target.name}{schemas}, with all rows. Nothing"
        if database == "sqlite":
            deletes = "This deletes 3 tables in "
        refuses(target.db("reset"), deletes, "my-service db reset --yes")
        refuses(target.db("reset", "--yes", ENVIRONMENT="production"), "is for development")
        refuses(target.db("reset", DATABASE_URL="nonsense"), "DATABASE_URL", code=2)
        refuses(target.db("merge", "r1", "nowhere"), "'nowhere'", code=2)
        assert target.tables() == before
        for _ in range(2):
            succeed(target.db("reset", "--yes"))
            assert target.tables() - {"alembic_journal"} == {
                "users",
                "alembic_version",
                "alembic_history",
            }
            assert '"state": "current"' in succeed(target.db("status", "--json"))
        refuses(target.db("reset"), "This deletes 1 table in ")
        for statement in ("CREATE VIEW v AS SELECT * FROM users", *OTHERS[database]):
            target.execute(statement)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_reset_of_two_schemas(lab: Lab) -> None:
    """What an administrator has made stays."""
    lab.write(
        "r1",
        """
        op.execute("CREATE SCHEMA billing")
        op.create_table("invoices", sa.Column("id", sa.Integer), schema="billing")
        """,
    )
    with lab.fresh() as target:
        target.execute("CREATE SCHEMA extensions")
        target.execute("CREATE EXTENSION citext SCHEMA extensions")
        target.upgrade()
        target.execute("INSERT INTO billing.invoices VALUES (1)")
        succeed(target.db("reset", "--yes"))
        assert target.query("SELECT id FROM billing.invoices") == []
        assert target.query("SELECT 'a'::extensions.citext::text") == [("a",)]
