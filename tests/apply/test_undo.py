"""Undo: outside development, a downgrade must name what will be lost."""

from textwrap import dedent

import pytest

from .lab import ON_SERVERS, Lab, Target
from .test_deploy import failure

pytestmark = pytest.mark.slow

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
ON_MYSQL = pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)

PEOPLE = """
op.create_table(
    "people",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(50), nullable=False),
)
op.execute("INSERT INTO people VALUES (1, 'Ada'), (2, 'Bob')")
"""
NO_PEOPLE = 'op.drop_table("people")'
PHONE = """
op.add_column("people", sa.Column("phone", sa.String(20)))
op.execute("UPDATE people SET phone = '555' WHERE id = 1")
op.create_index("ix_people_phone", "people", ["phone"])
"""
NO_PHONE = """
op.drop_index("ix_people_phone", "people")
op.drop_column("people", "phone")
"""
PRODUCTION = {"ENVIRONMENT": "production"}


def _phones(lab: Lab, target: Target) -> None:
    lab.write("r1", PEOPLE, NO_PEOPLE)
    lab.write("r2", PHONE, NO_PHONE)
    target.upgrade()


def test_what_is_lost_must_be_named(lab: Lab) -> None:
    with lab.fresh() as target:
        _phones(lab, target)
        everything = "the column people.phone (1 value), the table people (2 rows)"
        said = failure(target.db("downgrade", "base", **PRODUCTION))
        assert said == (
            f"This downgrade would lose {everything}. Nothing was done. If that is meant, run"
            " `my-service db downgrade base --lose people.phone --lose people`."
        )
        said = failure(target.alembic("downgrade", "base", **PRODUCTION))
        assert said.endswith("`alembic -x lose=people.phone -x lose=people downgrade base`.")
        said = failure(target.db("downgrade", "base", "--lose", "people.phone", **PRODUCTION))
        assert "would lose" in said
        assert target.revision == "r2"
        ended = target.alembic("-x", "lose=people.phone", "downgrade", "-1", **PRODUCTION)
        assert ended.code == 0, ended.output
        assert "This downgrade loses the column people.phone (1 value)." in ended.output
        ended = target.db("downgrade", "base", "--lose", "people", **PRODUCTION)
        assert ended.code == 0, ended.output
        assert "people" not in target.tables()


def test_what_is_not_lost_must_not_be_named(lab: Lab) -> None:
    with lab.fresh() as target:
        _phones(lab, target)
        names = ("--lose", "people.phone", "--lose", "people.fone")
        said = failure(target.db("downgrade", "-1", *names, **PRODUCTION))
        assert said.startswith(
            "people.fone is not lost by this downgrade: it loses the column people.phone (1 value)."
        )
        assert target.revision == "r2"


def test_development_asks_for_nothing(lab: Lab) -> None:
    with lab.fresh() as target:
        _phones(lab, target)
        ended = target.db("downgrade", "base")
        assert ended.code == 0, ended.output
        assert "the table people (2 rows)" in ended.output


@ON_SQLITE
def test_nothing_is_lost(lab: Lab) -> None:
    lab.write("r1", PEOPLE, "pass")
    lab.write(
        "r2",
        'op.create_index("ix", "people", ["name"])',
        """
        op.drop_index("ix", "people")
        with op.batch_alter_table("people") as batch:
            batch.alter_column("name", type_=sa.String(60))
            batch.create_check_constraint("ck", "id > 0")
        op.add_column("people", sa.Column("age", sa.Integer))
        op.create_table("notes", sa.Column("text", sa.String(10)))
        op.rename_table("notes", "remarks")
        op.drop_table("remarks")
        op.execute("CREATE INDEX ix_name ON people (name)")
        op.execute("DROP INDEX ix_name;")
        """,
    )
    with lab.fresh() as target:
        target.upgrade()
        ended = target.db("downgrade", "-1", **PRODUCTION)
        assert ended.code == 0, ended.output
        assert "lose" not in ended.output


@ON_SERVERS
def test_an_index_with_another_name_is_not_lost(lab: Lab) -> None:
    is_own = lab.database == "postgresql"
    rename = "INDEX ix RENAME" if is_own else "TABLE people RENAME INDEX ix"
    lab.write("r1", PEOPLE, "pass")
    lab.write(
        "r2",
        'op.create_index("ix", "people", ["name"])',
        f'op.execute("ALTER {rename} TO ix_name")',
    )
    with lab.fresh() as target:
        target.upgrade()
        ended = target.db("downgrade", "-1", **PRODUCTION)
        assert ended.code == 0, ended.output


def test_names_are_those_that_are_in_the_database(lab: Lab) -> None:
    """What is renamed before it is dropped, and what is dropped in a batch."""
    lab.write("r1", PEOPLE, NO_PEOPLE)
    lab.write(
        "r2",
        "pass",
        """
        with op.batch_alter_table("people") as batch:
            batch.alter_column(
                "name", new_column_name="label", existing_type=sa.String(50), existing_nullable=False
            )
        op.rename_table("people", "persons")
        with op.batch_alter_table("persons") as batch:
            batch.drop_column("label")
        op.rename_table("persons", "people")
        """,
    )
    with lab.fresh() as target:
        target.upgrade()
        said = failure(target.db("downgrade", "base", **PRODUCTION))
        assert "lose the column people.name (2 values), the table people (2 rows)." in said
        names = ("--lose", "people.name", "--lose", "people")
        ended = target.db("downgrade", "base", *names, **PRODUCTION)
        assert ended.code == 0, ended.output


CANNOT_BE_TOLD = {
    "op.execute(\"DELETE FROM people WHERE name = 'Ada'\")": "`DELETE FROM people WHERE",
    'op.get_bind().execute(sa.text("DELETE FROM people"))': "`DELETE FROM people`",
    'op.get_context().execute("DELETE FROM people")': "`DELETE FROM people`",
    """
for row in op.get_bind().execute(sa.text("SELECT id FROM people")).all():
    op.execute(f"DELETE FROM people WHERE id = {row.id}")
""": "`SELECT id FROM people`",
    """
if sa.inspect(op.get_bind()).has_table("people"):
    op.execute("DELETE FROM people")
""": "`DELETE FROM people`",
    """
op.create_table("pets", sa.Column("id", sa.Integer))
if sa.inspect(op.get_bind()).has_table("pets"):
    op.execute("DELETE FROM people")
""": "what r2 makes of what it reads",
    """
if op.get_bind().scalar(sa.text("SELECT count(*) FROM people")):
    op.execute("DELETE FROM people")
""": "what r2 makes of what it reads",
}


@pytest.mark.parametrize("downgrade", CANNOT_BE_TOLD)
@ON_SQLITE
def test_what_cannot_be_told(lab: Lab, downgrade: str) -> None:
    lab.write("r1", PEOPLE, NO_PEOPLE)
    lab.write("r2", "pass", downgrade)
    with lab.fresh() as target:
        target.upgrade()
        said = failure(target.db("downgrade", "-1", **PRODUCTION))
        assert f"lose what cannot be told beforehand: {CANNOT_BE_TOLD[downgrade]}" in said
        assert said.endswith("`my-service db downgrade -1 --lose sql`.")
        assert target.query("SELECT count(*) FROM people") == [(2,)]
        ended = target.db("downgrade", "-1", "--lose", "sql", **PRODUCTION)
        assert ended.code == 0, ended.output
        assert target.query("SELECT count(*) FROM people") != [(2,)]


@ON_SQLITE
def test_how_it_is_named_is_in_the_help(lab: Lab) -> None:
    with lab.fresh() as target:
        for command in ("downgrade", "rebase"):
            said = " ".join(target.db(command, "--help").output.split())
            assert "or sql, which is what cannot be told beforehand" in said


def test_a_downgrade_that_looks_first(lab: Lab) -> None:
    lab.write("r1", PEOPLE, NO_PEOPLE)
    lab.write(
        "r2",
        PHONE,
        """
        there = sa.inspect(op.get_bind())
        if there.has_table("people"):
            [phone] = [each for each in there.get_columns("people") if each["name"] == "phone"]
            op.drop_index("ix_people_phone", "people")
            op.drop_column("people", phone["name"])
        """,
    )
    with lab.fresh() as target:
        target.upgrade()
        said = failure(target.db("downgrade", "-1", **PRODUCTION))
        assert said.startswith("This downgrade would lose the column people.phone (1 value). ")
        ended = target.db("downgrade", "-1", "--lose", "people.phone", **PRODUCTION)
        assert ended.code == 0, ended.output


@ON_SQLITE
def test_what_may_be_lost_by_what_cannot_be_told_may_be_named(lab: Lab) -> None:
    lab.write("r1", PEOPLE, NO_PEOPLE)
    delete = 'for i in range(6):\n    op.execute(f"DELETE FROM people WHERE id = {i}")\n'
    lab.write("r2", "pass", f'{delete}op.execute("DROP TABLE people")')
    with lab.fresh() as target:
        target.upgrade()
        said = failure(target.db("downgrade", "-1", "--lose", "people", **PRODUCTION))
        first = ", ".join(f"`DELETE FROM people WHERE id = {i}`" for i in range(5))
        assert f"would lose what cannot be told beforehand: {first} and 2 more." in said
        assert said.endswith("`my-service db downgrade -1 --lose sql`.")
        names = ("--lose", "people", "--lose", "sql")
        ended = target.db("downgrade", "-1", *names, **PRODUCTION)
        assert ended.code == 0, ended.output


COPY = """
op.rename_table("people", "persons")
table = sa.Table("persons", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))
with op.batch_alter_table("persons", {how}):
    pass
op.rename_table("persons", "people")
"""


@pytest.mark.parametrize("how", ["copy_from=table", 'reflect_kwargs={"include_columns": ["id"]}'])
@ON_SQLITE
def test_a_copy_has_fewer_columns(lab: Lab, how: str) -> None:
    lab.write("r1", PEOPLE)
    lab.write("r2", "pass", COPY.format(how=f'{how}, recreate="always"'))
    with lab.fresh() as target:
        target.upgrade()
        said = failure(target.db("downgrade", "-1", **PRODUCTION))
        assert "would lose the column people.name (2 values). Nothing was done." in said
        ended = target.db("downgrade", "-1", "--lose", "people.name", **PRODUCTION)
        assert ended.code == 0, ended.output
        assert target.query("SELECT * FROM people") == [(1,), (2,)]
        lab.write("r2", "pass", COPY.format(how='copy_from=table, recreate="never"'))
        target.upgrade()
        assert target.db("downgrade", "-1", **PRODUCTION).code == 0


@ON_SQLITE
def test_what_is_not_counted(lab: Lab) -> None:
    """More than anybody would count, and values that cannot be read."""
    many = """
        op.execute(
            "WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i <= 1000000)"
            " INSERT INTO people SELECT i, '' FROM n"
        )
        op.execute("ALTER TABLE people ADD age AS (json_extract(name, '$'))")
        """
    lab.write("r1", PEOPLE + dedent(many), f'op.drop_column("people", "age")\n{NO_PEOPLE}')
    with lab.fresh() as target:
        target.upgrade()
        said = failure(target.db("downgrade", "base", **PRODUCTION))
        assert said.startswith(
            "This downgrade would lose the column people.age (values not counted), the table people"
            " (more than 1000000 rows). Nothing was done. "
        )
        ended = target.db(
            "downgrade", "base", "--lose", "people.age", "--lose", "people", **PRODUCTION
        )
        assert ended.code == 0, ended.output


@ON_SQLITE
def test_there_is_no_way_back(lab: Lab) -> None:
    lab.write("r1", PEOPLE, "raise NotImplementedError('There is no way back.')")
    with lab.fresh() as target:
        target.upgrade()
        ended = target.db("downgrade", "-1", **PRODUCTION)
        assert failure(ended).startswith("The downgrade of r1 (src/")
        assert "failed in line 21: There is no way back. Nothing stays of" in failure(ended)
        assert failure(ended).endswith("By this error the file says that there is no way.")
        assert target.revision == "r1"


@ON_POSTGRESQL
def test_a_type_is_dropped_with_its_column(lab: Lab) -> None:
    lab.write("r1", PEOPLE, NO_PEOPLE)
    lab.write(
        "r2",
        """
        mood = sa.Enum("good", "bad", name="mood")
        mood.create(op.get_bind())
        op.add_column("people", sa.Column("mood", mood))
        """,
        """
        op.drop_column("people", "mood")
        sa.Enum(name="mood").drop(op.get_bind())
        op.execute("DROP TYPE IF EXISTS mood CASCADE")
        """,
    )
    with lab.fresh() as target:
        target.upgrade()
        said = failure(target.db("downgrade", "-1", **PRODUCTION))
        assert said.startswith(
            "This downgrade would lose the column people.mood (0 values), what cannot be told"
            " beforehand: `DROP TYPE IF EXISTS mood CASCADE`. Nothing was done."
        )


@ON_POSTGRESQL
def test_a_table_of_another_schema(lab: Lab) -> None:
    lab.write(
        "r1",
        """
        op.execute("CREATE SCHEMA audit")
        op.create_table("log", sa.Column("text", sa.Text), schema="audit")
        """,
        'op.drop_table("log", schema="audit")',
    )
    with lab.fresh() as target:
        target.upgrade()
        said = failure(target.db("downgrade", "-1", **PRODUCTION))
        assert "lose the table audit.log (0 rows)." in said
        assert target.db("downgrade", "-1", "--lose", "audit.log", **PRODUCTION).code == 0


@ON_MYSQL
def test_an_interrupted_downgrade_is_completed_by_the_same_command(lab: Lab) -> None:
    lab.write("r1", PEOPLE)
    lab.write("r2", PHONE, f'{NO_PHONE}\nop.drop_index("nowhere", "people")')
    with lab.fresh() as target:
        target.upgrade()
        names = ("--lose", "people.phone")
        said = failure(target.db("downgrade", "-1", *names, **PRODUCTION))
        assert "run `my-service db downgrade -1 --lose people.phone` again." in said
        lab.write("r2", PHONE, NO_PHONE)
        ended = target.db("downgrade", "-1", *names, **PRODUCTION)
        assert ended.code == 0, ended.output
        assert target.revision == "r1"
