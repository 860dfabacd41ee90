"""A database that is there already: `upgrade` says so, and `db baseline` finds its migration."""

from dataclasses import replace
from urllib.parse import quote

import pytest
from sqlalchemy.engine import make_url

from ..team.branches import spoil
from ..team.test_squash import Repository
from .lab import ON_SERVERS, Lab, Target, restricted
from .test_deploy import failure

pytestmark = pytest.mark.slow

CREATE = 'op.create_table("users", sa.Column("id", sa.Integer, primary_key=True))'
ADD = 'op.add_column("users", sa.Column("name", sa.String(50)))'
MAY_MATCH = "If it was there before, `my-service db baseline` finds the migration that"
THEIRS = "CREATE TABLE theirs (id INTEGER PRIMARY KEY)"


def test_the_newest_migration_that_matches(lab: Lab) -> None:
    with lab.fresh() as target:
        target.execute(
            "CREATE TABLE users (id INTEGER NOT NULL, CONSTRAINT pk_users PRIMARY KEY (id))"
        )
        lab.write("r1", CREATE.replace("primary_key=True", "primary_key=True, autoincrement=False"))
        lab.write("r2", 'op.execute("DELETE FROM users")')
        lab.write("r3", ADD)
        ended = target.db("baseline")
        assert ended.code == 0, ended.output
        assert target.revision == "r2"
        assert "r1" in ended.output  # which has the same tables
        assert "db upgrade" in ended.output
        history = target.query("SELECT revision, direction FROM alembic_history ORDER BY id")
        assert history == [("r1", "stamp"), ("r2", "stamp")]
        target.upgrade()
        assert target.revision == "r3"


def test_tables_of_somebody_else(lab: Lab) -> None:
    with lab.fresh() as target:
        target.execute(THEIRS)
        ended = target.db("baseline")
        assert ended.code == 1
        assert ended.output == "FAILED: This release has no migrations: write one first.\n"
        lab.write("r1", 'op.execute("DROP TABLE nowhere")')
        ended = target.db("baseline")
        where = "throw-away database: r1.py, line 12: `DROP TABLE nowhere` failed: "
        assert where in ended.output
        assert where in target.db("check").output
        lab.write("r1", 'sa.Table("nowhere", sa.MetaData(), autoload_with=op.get_bind())')
        where = "throw-away database: r1.py, line 12: nowhere is not there"
        assert failure(target.db("check")).endswith(where)
        lab.write("r1", CREATE)
        for command in (target.alembic, target.db):
            ended = command("upgrade", "head")
            assert ended.code != 0
            assert "theirs" in ended.output
            assert "db baseline" in ended.output
            assert "Traceback" not in ended.output
            assert target.tables() == {"theirs"}
        ended = target.db("status")
        assert (ended.code, ended.output.split(":")[0]) == (1, "unmanaged")
        ended = target.db("baseline")
        assert ended.code == 1
        assert "table theirs should not be there" in ended.output
        assert "if the models are like the tables (`my-service db revision" in ended.output
        assert target.tables() == {"theirs"}
        ended = target.alembic("-x", "other-tables=ignore", "upgrade", "head")
        assert ended.code == 0, ended.output
        assert target.tables() >= {"theirs", "users"}
        assert target.db("status").output.startswith("current")


def test_ours_beside_tables_of_somebody_else(lab: Lab) -> None:
    with lab.fresh() as target:
        lab.write("r1", CREATE)
        lab.write("r2", "pass")
        # Both have no follower, and Alembic records the second only.
        spoil(lab, "r2", "down_revision = 'r1'", "down_revision = None\ndepends_on = 'r1'")
        target.upgrade("heads")
        for table in ("alembic_version", "alembic_history"):
            target.execute(f"DROP TABLE {table}")
        target.execute(THEIRS)
        ended = target.db("-x", "other-tables=ignore", "upgrade", "heads")
        assert MAY_MATCH in failure(ended)
        assert target.db("baseline").code == 1
        ended = target.db("-x", "other-tables=ignore", "baseline")
        assert ended.code == 0, ended.output
        assert "theirs" in ended.output
        assert "Next:" not in ended.output
        assert target.revision == "r2"


@pytest.mark.parametrize("by", ["DELETE FROM alembic_version", "stamp base"])
def test_the_version_table_was_emptied(lab: Lab, by: str) -> None:
    lab.write("r1", CREATE, 'op.drop_table("users")')
    with lab.fresh() as target:
        target.upgrade()
        if by == "stamp base":
            assert target.db("stamp", "base").code == 0
        else:
            target.execute(by)
        for command in (target.alembic, target.db):
            ended = command("upgrade", "head")
            assert ended.code != 0
            assert "has tables already: users" in ended.output
            assert "db baseline" in ended.output
        ended = target.db("status")
        assert (ended.code, ended.output.split(":")[0]) == (1, "unmanaged")
        assert target.db("baseline").code == 0
        assert target.revision == "r1"
        # Where all was undone, a table that is there is nobody's fault.
        assert target.alembic("downgrade", "base").code == 0
        target.execute(THEIRS)
        target.upgrade()


def test_what_a_later_migration_makes_is_not_ignored(lab: Lab) -> None:
    with lab.fresh() as target:
        lab.write("r1", CREATE)
        target.upgrade()
        for table in ("alembic_version", "alembic_history"):
            target.execute(f"DROP TABLE {table}")
        target.execute(THEIRS)
        lab.write(
            "r2", 'op.create_table("theirs", sa.Column("name", sa.String(9), primary_key=True))'
        )
        ended = target.db("-x", "other-tables=ignore", "baseline")
        assert ended.code == 1
        assert "theirs" in ended.output
        assert "alembic_version" not in target.tables()


def test_what_needs_no_baseline(lab: Lab) -> None:
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        ended = target.db("baseline")
        assert ended.code == 1
        assert "has no tables" in ended.output
        target.upgrade()
        ended = target.db("baseline")
        assert ended.code == 1
        assert "migrated already" in ended.output
        assert target.query("SELECT direction FROM alembic_history") == [("upgrade",)]


@pytest.mark.parametrize("database", ["mysql", "mariadb"], indirect=True)
def test_what_is_being_migrated(lab: Lab) -> None:
    """Its tables may be those of a migration that is not recorded yet, or has to be completed."""
    lab.write("r1", f"{CREATE}\ntime.sleep(3)")
    lab.write("r2", ADD)
    with lab.fresh() as target:
        running = target.begin("upgrade", "head")
        while "users" not in target.tables():
            assert not running.done(), running.result().output
        assert "migrated already, or just now" in failure(target.db("baseline"))
        assert running.result().code == 0, running.result().output
        assert target.revision == "r2"


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_tables_of_an_extension(lab: Lab) -> None:
    """As PostGIS has one."""
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        target.execute(THEIRS)
        target.execute("ALTER EXTENSION plpgsql ADD TABLE theirs")
        target.upgrade()
        assert target.db("status").code == 0


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("schema", ["app", '"The App"'])
def test_in_another_schema(lab: Lab, schema: str) -> None:
    lab.write("r1", f"{CREATE}\nop.create_index('ix', 'users', ['id'])")
    with lab.fresh() as target:
        for statement in (
            f"CREATE SCHEMA {schema}",
            f"ALTER DATABASE {target.name} SET search_path = {schema}",
            "CREATE TABLE public.theirs (id integer)",
        ):
            target.execute(statement)
        target.execute("CREATE TABLE users (id serial, CONSTRAINT pk_users PRIMARY KEY (id))")
        target.execute("CREATE INDEX ix ON users (id)")
        ended = target.db("baseline")
        assert ended.code == 0, ended.output
        assert target.query(f"SELECT version_num FROM {schema}.alembic_version") == [("r1",)]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_in_a_schema_that_the_url_names(lab: Lab) -> None:
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        target.execute('CREATE SCHEMA "The App"')
        path = quote('-c search_path="$user","The\\ App"')
        there = replace(target, url=f"{target.url}?options={path}")
        there.upgrade()
        assert target.query('SELECT version_num FROM "The App".alembic_version') == [("r1",)]
        assert "table users should not be there" in there.db("check").output


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_with_no_table_in_the_default_schema(lab: Lab) -> None:
    made = ("CREATE SCHEMA billing", "CREATE TABLE billing.bills (id integer)")
    lab.write("r1", "\n".join(f"op.execute({statement!r})" for statement in made))
    with lab.fresh() as target:
        for statement in made:
            target.execute(statement)
        assert MAY_MATCH in failure(target.db("upgrade"))
        ended = target.db("baseline")
        assert ended.code == 0, ended.output


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_tables_of_models_in_another_schema(lab: Lab) -> None:
    lab.write("r1", 'op.create_table("bills", sa.Column("id", sa.Integer), schema="billing")')
    env = lab.project.package / "migrations" / "env.py"
    text = env.read_text()
    bills = (
        'sa.Table("bills", sa.MetaData(), sa.Column("id", sa.Integer), schema="billing").metadata'
    )
    try:
        env.write_text(f"import sqlalchemy as sa\n{text.replace('=load_models', f'={bills}')}")
        with lab.fresh() as target:
            target.execute("CREATE SCHEMA billing")
            target.execute("CREATE TABLE billing.theirs (id integer)")
            target.execute("CREATE TABLE billing.bills (id integer)")
            said = failure(target.db("upgrade"))
            assert "at no migration, and has tables already: billing.bills. Nothing" in said
            target.execute("DROP TABLE billing.bills")
            target.upgrade()
    finally:
        env.write_text(text)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_an_extension_that_the_migrations_need(lab: Lab) -> None:
    """And that an administrator has made."""
    lab.write("r1", f"{CREATE}\nop.execute('ALTER TABLE users ADD name citext')")
    with lab.fresh() as target:
        if not target.query("SELECT 1 FROM pg_available_extensions WHERE name = 'citext'"):
            pytest.skip("this server has no citext")
        target.execute("CREATE EXTENSION citext")
        target.execute("CREATE TABLE users (id serial, CONSTRAINT pk_users PRIMARY KEY (id))")
        target.execute("ALTER TABLE users ADD name citext")
        ended = target.db("baseline")
        assert ended.code == 0, ended.output
        # What a migration makes is not there before it.
        lab.write("r2", "op.execute('CREATE EXTENSION \"uuid-ossp\"')")
        assert target.db("upgrade").code == 0
        ended = target.db("status", "--drift")
        assert ended.code == 0, ended.output
        assert "already exists" not in target.db("lint").output
        # One migration in the place of both makes it as well.
        check = """op.create_check_constraint("named", "users", "name <> ''", postgresql_not_valid=True)"""
        lab.write("r3", check)
        Repository(lab.project.path)
        ended = target.db("squash", "--without", "r1")
        assert ended.code == 1
        assert " NOT VALID\n" in ended.output
        assert "Warning" not in ended.output
        ended = target.db("squash", "r2", "--without", "r1")
        assert ended.code == 0, ended.output
        squashed = lab.project.package / "migrations" / "versions" / "r2.py"
        assert 'CREATE EXTENSION IF NOT EXISTS "uuid-ossp"' in squashed.read_text()


@ON_SERVERS
def test_without_the_right_to_make_a_database(lab: Lab) -> None:
    lab.write("r1", CREATE)
    with lab.fresh() as target, restricted(target) as user:
        target.execute(THEIRS)
        ended = Target(lab, user).db("baseline")
        assert ended.code == 1
        assert ("CREATEDB" if lab.database == "postgresql" else "GRANT ALL ON") in ended.output
        assert "Traceback" not in ended.output
        assert target.tables() == {"theirs"}


@ON_SERVERS
def test_a_database_of_any_name(lab: Lab) -> None:
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        name = f"""It's "{target.name[-12:]}`:x"""
        mark = '"' if lab.database == "postgresql" else "`"
        quoted = f"{mark}{name.replace(mark, mark * 2)}{mark}".replace(":", r"\:")
        latin = "" if lab.database == "postgresql" else "CHARACTER SET latin1"
        target.execute(f"CREATE DATABASE {quoted} {latin}")
        try:
            named = make_url(target.url).set(database=name)
            unusual = Target(lab, named.render_as_string(hide_password=False))
            if latin:
                advice = failure(unusual.db("upgrade")).partition(" Run: ")[2]
                target.execute(advice.replace(":", r"\:"))
            unusual.upgrade()
            ended = unusual.db("status", "--drift")
            assert ended.code == 0, ended.output
        finally:
            target.execute(f"DROP DATABASE {quoted}")


def test_no_throw_away_database_is_left(lab: Lab) -> None:
    listing = {
        "postgresql": "SELECT datname FROM pg_database",
        "sqlite": "SELECT file FROM pragma_database_list",
    }.get(lab.database, "SHOW DATABASES")
    with lab.fresh() as target:
        target.execute(THEIRS)
        for migration in (CREATE, f'{CREATE}\nraise RuntimeError("no")'):
            lab.write("r1", migration)
            assert target.db("baseline").code == 1
        names = [str(row[0]) for row in target.query(listing)]
        assert [name for name in names if f"{target.name}_test_" in name] == []
