"""`db check`: what it cannot compare it says, and what is not of the models it leaves alone."""

import pytest
from sqlalchemy.engine import make_url

from ..apply.lab import ON_SERVERS, Lab, Target, restricted
from .authoring import (
    Write,
    on_postgresql,
    on_sqlite,
    revision,
)
from .steps import columns

pytestmark = pytest.mark.slow


@on_sqlite
def test_models_that_are_not_right(lab: Lab, write: Write) -> None:
    with lab.fresh() as target:
        for kind, place in (
            ("sa.types.NullType", "(in table 'users', column 'mood')"),
            ("sa.Boolean(create_constraint=True)", "the type of users.mood brings along"),
            ("sa.ForeignKey('user.id')", "'users.mood' could not find table 'user'"),
        ):
            write(columns(mood=kind))
            for command in ["check"], ["revision", "--autogenerate", "-m", "add moods"]:
                ended = target.db(*command)
                assert ended.code == (2 if command == ["check"] else 1)
                assert place in ended.output
                assert ended.output.count("\n") == 1


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_a_sentence_of_the_server(lab: Lab, write: Write) -> None:
    """It may end with a full stop, or without."""
    table = 'op.execute("CREATE TABLE t (n INT CONSTRAINT positive CHECK (n > 0))")'
    lab.write("r0", f"{table}\nop.execute('INSERT INTO t VALUES (0)')")
    write({})
    with lab.fresh() as target:
        ended = target.db("check")
        assert ended.output.endswith("failed: Check constraint 'positive' is violated.\n")


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_what_the_server_has_named(lab: Lab, write: Write) -> None:
    """Foreign keys without a name are numbered, and have an index that is called as the column."""
    keys = [
        f"{column} INTEGER, {name} FOREIGN KEY ({column}) REFERENCES users (id)"
        for column, name in {"a": "", "b": "", "c": "", "d": "CONSTRAINT named"}.items()
    ]
    lab.write(
        "r0",
        f"op.execute('CREATE TABLE users (id INTEGER PRIMARY KEY AUTO_INCREMENT, {', '.join(keys)})')",
    )
    names = {"a": "'users_ibfk_2'", "b": "'users_ibfk_1'", "c": "None", "d": "'named'"}
    write(
        columns(**{key: f"sa.ForeignKey('users.id', name={name})" for key, name in names.items()})
    )
    with lab.fresh() as target:
        ended = target.db("check")
        assert ended.code == 0, ended.output
        write(columns(**dict.fromkeys("abcd", "sa.ForeignKey('users.id')")))
        models = lab.project.package / "shop" / "models.py"
        unnamed = "Base.metadata.naming_convention = sa.MetaData().naming_convention\n"
        models.write_text(models.read_text().replace("sa.Table", f"{unnamed}sa.Table", 1))
        ended = target.db("check")
        assert ended.code == 0, ended.output
        # The server refuses the other table, so that this is found by Alembic.
        write(columns(a="sa.String") | {"tags": "sa.Column('a', sa.Integer), sa.Index('ix_none')"})
        ended = target.db("check")
        assert ended.output.endswith(
            "VARCHAR requires a length on dialect mariadb. Correct the model.\n"
        )
        assert "Traceback" not in ended.output


@ON_SERVERS
def test_without_the_right_to_make_a_database(lab: Lab, write: Write) -> None:
    write({})
    with lab.fresh() as target, restricted(target) as user:
        ended = Target(lab, user).db("check")
        assert ended.code == 2
        assert "DATABASE_SCRATCH_URL" in ended.output
        assert "Traceback" not in ended.output
        ended = Target(lab, user).db("check", DATABASE_SCRATCH_URL=target.url)
        assert ended.code == 1
        assert "table users is missing" in ended.output
        nobody = make_url(target.url).set(username="nobody_at_all", password="wrong")
        nowhere = nobody.render_as_string(hide_password=False)
        ended = Target(lab, user).db("check", DATABASE_SCRATCH_URL=nowhere)
        assert ended.code == 2
        assert "Correct DATABASE_SCRATCH_URL, or create what is missing" in ended.output


@on_postgresql
def test_what_only_migrations_make(lab: Lab, write: Write) -> None:
    """An extension is there for the models, too; for a function Alembic alone compares."""
    function = "CREATE FUNCTION nobody() RETURNS text LANGUAGE sql AS $$ SELECT 'nobody' $$"
    lab.write("r0", f'op.execute("""CREATE EXTENSION citext; {function}""")')
    with lab.fresh() as target:
        if not target.query("SELECT 1 FROM pg_available_extensions WHERE name = 'citext'"):
            pytest.skip("this server has no citext")
        write(columns(name="sa.dialects.postgresql.CITEXT"))
        ended, _ = revision(target, "create users")
        assert "cannot be made" not in ended.output
        assert target.db("check").code == 0
        write(columns(name="sa.Text, server_default=sa.text('nobody()')"))
        ended, text = revision(target, "change the name")
        assert "failed: function nobody() does not exist" in ended.output
        assert "sa.text('nobody()')" in text.replace('"', "'")
        assert target.db("check").code == 0


@on_sqlite
def test_no_model_is_left(lab: Lab, write: Write) -> None:
    write(columns(age="sa.Integer"))
    with lab.fresh() as target:
        revision(target, "create users")
        lab.project.package.joinpath("shop", "models.py").write_text("")
        ended = target.db("check")
        assert ended.code == 1
        assert "They differ:\n  table users should not be there" in ended.output


@on_sqlite
def test_what_env_py_leaves_out(lab: Lab, write: Write) -> None:
    """By its `include_object`, as Alembic has it."""
    env = lab.project.package / "migrations" / "env.py"
    original = env.read_text()
    with lab.fresh() as target:
        write(columns(age="sa.Integer") | {"ck": "sa.CheckConstraint('age > 1', name='age')"})
        revision(target, "create users")
        write(columns(age="sa.Integer") | {"ck": "sa.CheckConstraint('age > 2', name='age')"})
        env.write_text(
            original.replace(
                "    target_metadata=load_models,\n",
                "    target_metadata=load_models,\n"
                "    include_object=lambda _, name, kind, *__: kind != 'check_constraint',\n",
            )
        )
        assert target.db("check").code == 0
        env.write_text(original)
        assert target.db("check").code == 1


@on_postgresql
def test_nothing_else_is_said_to_differ(lab: Lab, write: Write) -> None:
    """No column that env.py leaves out, and no index of a view."""
    env = lab.project.package / "migrations" / "env.py"
    original = env.read_text()
    view = "CREATE MATERIALIZED VIEW days AS SELECT now() AS day"
    lab.write("r0", f'op.execute("{view}")\nop.execute("CREATE INDEX ix ON days (day)")')
    with lab.fresh() as target:
        write(columns(age="sa.Integer", name="sa.Text"))
        revision(target, "create users")
        write(columns(age="sa.BigInteger"))
        env.write_text(
            original.replace(
                "    target_metadata=load_models,\n",
                "    target_metadata=load_models,\n"
                "    include_name=lambda name, *_: name != 'name',\n",
            )
        )
        ended = target.db("check")
        env.write_text(original)
        assert ended.code == 1
        [said] = ended.output.partition("They differ:\n")[2].splitlines()[:-1]
        assert said == "  column users.age is integer NULL, and should be bigint NULL"
