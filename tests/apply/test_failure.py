"""A migration fails: what is said of it, and of the database, and what comes next."""

import re
from textwrap import indent

import pytest

from .lab import Lab
from .test_deploy import CREATE, ON_POSTGRESQL, ON_SQLITE, failure

pytestmark = pytest.mark.slow


FILL = """
op.bulk_insert(
    sa.table("people", sa.column("id"), sa.column("name")),
    [{"id": 1, "name": "Rumpelstiltskin"}],
)
"""
FAIL = """
op.add_column("people", sa.Column("age", sa.Integer))
op.execute("UPDATE people SET age = 40")
name = "Rapunzel"
op.get_bind().execute(sa.text("INSERT INTO people (id, name) VALUES (1,\\n :name)"), {"name": name})
"""
MEND = FAIL.partition("name = ")[0]


def test_a_failed_upgrade(lab: Lab) -> None:
    lab.write("r1", CREATE)
    lab.write("r2", FILL)
    lab.write("r3", FAIL)
    with lab.fresh() as target:
        ended = target.alembic("upgrade", "head")
        said = failure(ended)
        assert said.startswith(
            "The upgrade of r3 (src/my_service/migrations/versions/r3.py) failed at"
            " `INSERT INTO people (id, name) VALUES (1, "
        )
        assert re.search(r"unique|duplicate", said, re.IGNORECASE)
        assert "Rapunzel" not in ended.output
        assert said.endswith("Correct the cause, then run `alembic upgrade head` again.")
        if lab.database in {"mariadb", "mysql"}:
            assert "up to and with `ALTER TABLE people ADD COLUMN age INTEGER` stays" in said
            assert "The database is at r2." in said
        elif lab.database == "postgresql":
            assert "Nothing of it stays. The database is at r2." in said
        else:
            assert "Nothing stays of what this command did. The database is at base." in said
        said = said.replace("`alembic", "`my-service db")
        assert failure(target.db("upgrade")) == said
        everything = target.db("--raiseerr", "upgrade")
        assert "Traceback" in everything.output
        assert "[SQL: INSERT INTO people" in everything.output
        assert "Rapunzel" not in everything.output
        lab.write("r3", MEND)
        target.upgrade()
        assert target.query("SELECT age FROM people") == [(40,)]


@pytest.mark.parametrize(
    ("upgrade", "why"),
    [
        ('op.alter_column("people", "name", nullable=False)', "require the existing type"),
        (
            'from alembic.util import CommandError\nraise CommandError("Count the people first")',
            "Count the people first",
        ),
    ],
)
def test_what_alembic_or_the_migration_refuses(lab: Lab, upgrade: str, why: str) -> None:
    if "existing" in why and lab.database not in {"mariadb", "mysql"}:
        pytest.skip("only MySQL and MariaDB define the whole column anew")
    lab.write("r1", CREATE)
    lab.write("r2", upgrade)
    with lab.fresh() as target:
        said = failure(target.alembic("upgrade", "head"))
        assert said.startswith(
            "The upgrade of r2 (src/my_service/migrations/versions/r2.py) failed in line "
        )
        assert f"{why}. Nothing " in said
        assert said.endswith("Correct the cause, then run `alembic upgrade head` again.")


def test_the_next_command_says_all_that_was_said(lab: Lab) -> None:
    lab.write("r1", FAIL)
    with lab.fresh() as target:
        wait = ["--wait", "5", "--lock-wait", "2.5"]
        # Where it is said makes no difference to `db`.
        given = ["-x", "other-tables=ignore", "upgrade", "r1", *wait, "-x", "tenant=a"]
        said = failure(target.db(*given))
        given = ["-x", "other-tables=ignore", "-x", "tenant=a", "upgrade", "r1", *wait]
        assert said.endswith(f"then run `my-service db {' '.join(given)}` again.")
        given = ["-x", "other-tables=ignore", "-x", "lock-wait=2.5", "upgrade", "r1"]
        said = failure(target.alembic(*given))
        assert said.endswith(f"then run `alembic {' '.join(given)}` again.")


def test_a_failed_downgrade(lab: Lab) -> None:
    lab.write("r1", CREATE, 'op.drop_table("people")\nop.drop_table("nowhere")')
    with lab.fresh() as target:
        target.upgrade()
        said = failure(target.alembic("downgrade", "base"))
        assert said.startswith("The downgrade of r1 (src/")
        assert "failed at `DROP TABLE nowhere`: " in said
        assert "The database is at r1." in said
        assert said.endswith("run `alembic downgrade base` again.")


@ON_SQLITE
def test_a_failed_stamp(lab: Lab) -> None:
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        target.upgrade()
        target.execute(
            "CREATE TRIGGER stop BEFORE DELETE ON alembic_version BEGIN SELECT raise(ABORT, 'no'); END"
        )
        for command, what in {
            "stamp base": "The stamp failed at `DELETE FROM alembic_version WHERE",
            "stamp --purge head": "The stamp failed at `DELETE FROM alembic_version`: no.",
            # Which has no step.
            "stamp --purge base": "The command failed at `DELETE FROM alembic_version`: no.",
        }.items():
            said = failure(target.db(*command.split()))
            assert said.startswith(what)
            assert "Nothing stays of what this command did. The database is at r1." in said
            assert said.endswith(f"run `my-service db {command}` again.")


SESSION = f"""
{FILL}
from contextlib import suppress
from sqlalchemy.orm import Session, declarative_base

class Person(declarative_base()):
    __tablename__ = "people"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String(50))

session = Session(op.get_bind())
"""
FLUSH = "session.add(Person(id=1, name='Rapunzel'))\nsession.flush()\n"


@pytest.mark.parametrize("rest", ["", 'op.execute("UPDATE people SET id = 7")'])
@pytest.mark.parametrize("is_caught", [False, True])
def test_an_error_makes_a_session_roll_back(lab: Lab, rest: str, *, is_caught: bool) -> None:
    """The error is what is said, not that the migration says rollback(), which it does not."""
    flush = f"with suppress(Exception):\n{indent(FLUSH, '    ')}" if is_caught else FLUSH
    lab.write("r1", CREATE)
    lab.write("r2", f"{SESSION}{flush}{rest}")
    with lab.fresh() as target:
        target.upgrade("r1")
        said = failure(target.alembic("upgrade", "head"))
        assert said.startswith(
            "The upgrade of r2 (src/my_service/migrations/versions/r2.py) failed"
        )
        assert " at `INSERT INTO people" in said
        assert re.search(r"unique|duplicate", said, re.IGNORECASE)
        assert "What may fail goes into `with op.get_bind().begin_nested():`" in said
        assert re.search(r"Nothing (of it stays|stays of what this command did)\.", said)
        assert "The database is at r1." in said
        assert target.query("SELECT count(*) FROM people") == [(0,)]
        lab.write("r2", FILL)
        target.upgrade()


def test_an_error_of_python_makes_a_session_roll_back(lab: Lab) -> None:
    lab.write(
        "r1", f"{CREATE}{SESSION}\nwith session.begin():\n    session.connection()\n    {{}}['Ada']"
    )
    with lab.fresh() as target:
        ended = target.alembic("upgrade", "head")
        assert "    {}['Ada']" in ended.output
        assert "KeyError: 'Ada'\n" in ended.output


def test_an_error_of_python_keeps_its_traceback(lab: Lab) -> None:
    lab.write("r1", f"{CREATE}\nnames = {{}}\nnames['Ada']")
    with lab.fresh() as target:
        for ended in (target.alembic("upgrade", "head"), target.db("upgrade")):
            assert ended.code != 0
            assert "in upgrade\n    names['Ada']" in ended.output
            lines = ended.output.rstrip().splitlines()
            assert lines[-2] == "KeyError: 'Ada'"
            assert lines[-1].startswith("The upgrade of r1 (src/")
            assert "The database is at base." in lines[-1]


SENTENCES = {
    """
with op.batch_alter_table("people") as batch:
    batch.drop_column("nope")
""": " failed in line 12: 'nope' is not there. ",
    """
with op.batch_alter_table("nope", recreate="always") as batch:
    batch.drop_column("name")
""": " failed in line 12: nope is not there. ",
    """
with op.batch_alter_table("people", recreate="always") as batch:
    batch.drop_constraint("nope")
""": " failed in line 12: No such constraint: 'nope'. ",
    """
from sqlalchemy.dialects.postgresql import INET
with op.batch_alter_table("people", recreate="always") as batch:
    batch.add_column(sa.Column("address", INET()))
""": " failed in line 13: (in table 'people', column 'address'): Compiler ",
    """
op.execute("CREATE TABLE cars (id INTEGER, plate VARCHAR(9) UNIQUE)")
with op.batch_alter_table("cars") as batch:
    batch.alter_column("id", nullable=False)
""": ' failed in line 13: op.batch_alter_table("cars") would lose UNIQUE (plate COLLATE BINARY). ',
    'op.create_unique_constraint("uq_name", "people", ["name"])': (
        " failed in line 12: No support for ALTER of constraints in SQLite dialect. "
    ),
    'op.execute(sa.text("UPDATE people SET name = :n"))': (
        " failed at `UPDATE people SET name = ?`: A value is required for bind parameter 'n'"
    ),
}


@pytest.mark.parametrize("upgrade", SENTENCES)
@ON_SQLITE
def test_what_is_found_before_the_database_is_asked(lab: Lab, upgrade: str) -> None:
    lab.write("r1", CREATE)
    lab.write("r2", upgrade)
    with lab.fresh() as target:
        said = failure(target.alembic("upgrade", "head"))
        assert said.startswith(
            f"The upgrade of r2 (src/my_service/migrations/versions/r2.py){SENTENCES[upgrade]}"
        )
        assert "The database is at base." in said


@ON_POSTGRESQL
def test_a_commit_that_fails(lab: Lab) -> None:
    """The revision is named whose commit it is, and not the one after."""
    lab.write(
        "r1",
        f"""{CREATE}
op.execute("CREATE TABLE pets (owner INT REFERENCES people DEFERRABLE INITIALLY DEFERRED)")
""",
    )
    lab.write("r2", 'op.execute("INSERT INTO pets VALUES (7)")')
    lab.write("r3", "pass")
    with lab.fresh() as target:
        said = failure(target.alembic("upgrade", "head"))
        assert said.startswith("The upgrade of r2 (src/")
        assert "pets_owner_fkey" in said
        assert "Nothing of it stays. The database is at r1." in said


@ON_POSTGRESQL
def test_what_is_outside_a_transaction_stays(lab: Lab) -> None:
    lab.write("r1", CREATE)
    lab.write(
        "r2",
        """
        with op.get_context().autocommit_block():
            op.create_index("ix", "people", ["name"], postgresql_concurrently=True)
        op.execute("UPDATE nowhere SET x = 1")
        """,
    )
    with lab.fresh() as target:
        said = failure(target.alembic("upgrade", "head"))
        assert "What it did outside a transaction stays" in said
        assert "The database is at r1." in said


@ON_POSTGRESQL
@pytest.mark.parametrize(
    ("change", "why"),
    {
        'alter_column("people", "name", type_=sa.Text)': (
            "cannot alter type of a column used by a view or rule"
            ' (rule _RETURN on view names depends on column "name"). Nothing of it stays.'
        ),
        'drop_column("people", "name")': (
            "cannot drop column name of table people because other objects depend on it"
            " (view names depends on column name of table people, view more depends on view names)."
        ),
    }.items(),
)
def test_what_depends_on_it_is_named(lab: Lab, change: str, why: str) -> None:
    lab.write(
        "r1",
        f"""{CREATE}
op.execute("CREATE VIEW names AS SELECT name FROM people")
op.execute("CREATE VIEW more AS SELECT name FROM names")
""",
    )
    lab.write("r2", f"op.{change}")
    with lab.fresh() as target:
        assert why in failure(target.alembic("upgrade", "head"))
