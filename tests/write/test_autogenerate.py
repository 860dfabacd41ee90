"""Migrations that are written from a change of the models: complete, and nothing lost unsaid."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence

import pytest
from sqlalchemy.engine import make_url

from ..apply import models
from ..apply.lab import ON_SERVERS, Lab, Target, restricted
from .authoring import (
    Made,
    Write,
    on_postgresql,
    on_sqlite,
    revision,
    run_history,
    run_tests_of_migrations,
    versions,
)
from .steps import COLLATIONS, STEPS, Step, columns, tables

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("unformatted")
def test_a_long_history(lab: Lab, write: Write) -> None:
    """After each step there is no difference: neither by the next command, nor in the tests."""
    view = "op.execute('CREATE VIEW theirs AS SELECT 1 AS one')"
    lab.write("r0", view, "op.execute('DROP VIEW theirs')")
    first = lab.project.package / "migrations" / "versions" / "r0.py"
    first.write_text(f'"""Show something of theirs"""\n{first.read_text()}')
    steps = [step for step in STEPS if lab.database in step.databases]
    with lab.fresh() as target:
        target.execute("CREATE TABLE leftover (id INTEGER)")
        made = _make(target, steps)
        texts = {path.stem.partition("_")[2].partition("_")[2]: path for path in versions(lab)}
        for step, answer in zip(steps, made.answers, strict=True):
            assert answer["error"] == "", step
            assert answer["check"] == "", step
            assert step.said in answer["said"], step
            for incomplete in ("the database refuses", "write this yourself", "Warning"):
                assert incomplete not in answer["said"], step
            path = texts[step.message.replace(" ", "_")]
            text = path.read_text()
            written = step.written.replace("BINARY", COLLATIONS[lab.database])
            assert written.replace('"', "'") in text.replace('"', "'"), text
            assert ("loses = {" in text) is bool(step.said), text
            path.write_text(text.replace('": ""', '": "meant"'))
        # Values that a type has got stay in it.
        assert [line for line in made.ways_back if " type mood " not in line] == []
        assert target.tables() == {"leftover"}
        write(_parts(lab, steps))
        run_tests_of_migrations(lab, target.url)


def _make(target: Target, steps: list[Step]) -> Made:
    orders = [
        {
            "models": tables(_parts(target.lab, steps[: number + 1])),
            "message": step.message,
            "x": [f"rename={step.rename}"] if step.rename else [],
        }
        for number, step in enumerate(steps)
    ]
    return run_history(target, orders)


def test_what_alembic_misses(lab: Lab, write: Write) -> None:
    """All at once: the changes of the history that `check` must see, and Alembic does not."""
    steps = [step for step in STEPS if lab.database in step.databases and step.new]
    missed = [step for step in steps if step.missed]
    with lab.fresh() as target:
        write(_parts(lab, [step for step in steps if not step.missed]))
        revision(target, "create everything")
        write(_parts(lab, steps))
        ended = target.db("check")
        assert ended.code == 1
        for step in missed:
            assert step.missed in ended.output
        assert len(ended.output.splitlines()) == len(missed) + 2


def _parts(lab: Lab, steps: Sequence[Step]) -> dict[str, str]:
    """What the steps lead to."""
    parts: dict[str, str] = {}
    for step in steps:
        if step.rename and "." not in step.rename:
            old, _, new = step.rename.partition(":")
            parts[new] = parts.pop(old)
        elif step.new is None:
            del parts[step.part]
        else:
            parts[step.part] = step.new.replace("BINARY", COLLATIONS[lab.database])
    return parts


def test_what_is_dangerous(lab: Lab, write: Write) -> None:
    """It is said, and the file asks for a reason."""
    with lab.fresh() as target:
        write(columns(nick="sa.String(20)", code="sa.String(20)", note="sa.Text"))
        revision(target, "create users")
        write(
            columns(
                nick="sa.String(20), nullable=False",
                code="sa.Integer",
                age="sa.Integer, nullable=False",
                born="sa.Integer, nullable=False, server_default='0'",
            )
        )
        ended, text = revision(target, "change everything")
        assert ended.code == 0, ended.output
        for what, how in {
            "users.nick": "NOT NULL from now on",
            "users.code": "From VARCHAR(20) to INTEGER",
            "users.age": "NOT NULL without a default",
            "users.note": "Dropped with its values",
        }.items():
            assert f"WARNING: {what}: {how}" in ended.output
            assert re.search(rf'# {re.escape(how)}[^"]*"{what}": "",', text), text
        assert "users.born" not in text
        assert "the database refuses" not in ended.output
        assert target.db("check").code == 0
        before = versions(lab)
        ended = target.alembic("revision", "--autogenerate", "-m", "change nothing else")
        assert "Nothing to do, and no file written" in ended.output
        assert (ended.code, versions(lab)) == (0, before)
    for command in (["check"], ["format", "--check"]):
        words = [sys.executable, "-m", "ruff", *command, str(lab.project.package / "migrations")]
        subprocess.run(words, cwd=lab.project.path, check=True)


def test_types_and_defaults_of_all_kinds(lab: Lab, write: Write) -> None:
    """There is no difference after one migration for all of them."""
    write({})
    (lab.project.package / "shop" / "models.py").write_text(models.on(lab.database))
    with lab.fresh() as target:
        ended, _ = revision(target, "create everything")
        assert "WARNING" not in ended.output
        ended = target.db("check")
        assert ended.code == 0, ended.output


@on_postgresql
def test_a_text_becomes_an_enum_and_back(lab: Lab, write: Write) -> None:
    with lab.fresh() as target:
        write(columns(mood="sa.String(20)"))
        revision(target, "create users")
        write(columns(mood="sa.Enum('sad', 'glad', name='mood')"))
        ended, text = revision(target, "allow two moods")
        assert "WARNING: users.mood: From VARCHAR(20) to the enum mood, which fails" in ended.output
        assert 'postgresql_using="mood::mood"' in text
        assert target.db("check").code == 0
        write(columns(mood="sa.String(20)"))
        ended, text = revision(target, "allow any mood")
        assert "the database refuses" not in ended.output
        assert text.index("type_=sa.String") < text.index('op.execute("DROP TYPE mood")')
        assert target.db("upgrade").code == target.db("downgrade", "-2").code == 0


@on_postgresql
def test_types_that_sqlalchemy_does_not_reflect(lab: Lab, write: Write) -> None:
    """Such as those of extensions: renamed and changed by what the models call them."""
    kind = "sa.dialects.postgresql.JSONPATH"
    steps = [
        columns(old=kind, path=f"{kind}, nullable=False", gone="sa.Integer"),
        columns(new=kind, path=f"{kind}, comment='of a tree'"),
    ]
    orders = [
        {"models": tables(parts), "message": message, "x": [x]}
        for parts, message, x in zip(
            steps,
            ("create users", "change users"),
            ("no-rename", "rename=users.old:new"),
            strict=True,
        )
    ]
    with lab.fresh() as target:
        write({})
        made = run_history(target, orders, "rows")
    for answer in made.answers:
        assert (answer["error"], answer["check"]) == ("", "")
        assert "write this yourself" not in answer["said"]
    assert made.ways_back == made.losses == []


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


@on_sqlite
def test_what_is_left_to_the_author(lab: Lab, write: Write) -> None:
    """What it says to write makes the tables alike."""
    lab.write("r0", "op.create_table('users', sa.Column('id', sa.Integer, primary_key=True))")
    with lab.fresh() as target:
        write({})
        before = versions(lab)
        ended, text = revision(target, "give no key twice")
        assert "table users is without options, and should be AUTOINCREMENT" in text
        [advice] = re.findall(r"`(with op\.batch_alter_table.*): pass`", ended.output)
        [path] = versions(lab) - before
        path.write_text(text.replace("    pass", f"    {advice}:\n        pass", 1))
        ended = target.db("check")
        assert ended.code == 0, ended.output
        write({"ix": "sa.Index('ix_none')"})
        ended, _ = revision(target, "find by nothing")
        assert "refuses a part of it: `CREATE INDEX ix_none ON users ()` failed: " in ended.output


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_a_key_for_what_has_none(lab: Lab, write: Write) -> None:
    """What it says to write numbers the rows that are there."""
    make, where, users = "pass", {}, "users"
    if lab.database == "postgresql":
        make, where, users = (
            "op.execute('CREATE SCHEMA billing')",
            {"schema": "schema='billing'"},
            "billing.users",
        )
    table = ", ".join(("'users', sa.Column('name', sa.String(50))", *where.values()))
    lab.write("r0", f"{make}\nop.create_table({table})")
    with lab.fresh() as target:
        target.db("upgrade")
        target.execute(f"INSERT INTO {users} (name) VALUES ('Ada'), ('Grace')")
        write(columns(name="sa.String(50)") | where)
        before = versions(lab)
        ended, text = revision(target, "number the users")
        [advice] = re.findall(r"made as the key: `(op\.add_column[^`]*)`", ended.output)
        [path] = versions(lab) - before
        added = re.compile(r"op\.add_column\(.*\)\n +op\.create_primary_key\(.*\)\n")
        dropped = re.compile(r"op\.drop_constraint\(.*\)\n +(?=op\.drop_column)")
        path.write_text(dropped.sub("", added.sub(f"{advice}\n", text, count=1)))
        assert target.db("upgrade").code == 0
        assert target.query(f"SELECT id FROM {users} ORDER BY id") == [(1,), (2,)]
        ended = target.db("check")
        assert ended.code == 0, ended.output
        assert target.db("downgrade", "-1").code == 0
        assert target.db("upgrade").code == 0


@on_sqlite
@pytest.mark.parametrize(("no_color", "red"), [("", True), ("1", False)])
def test_a_loss_is_red_on_a_terminal(lab: Lab, write: Write, no_color: str, *, red: bool) -> None:
    with lab.fresh() as target:
        write(columns(name="sa.String(50)", nick="sa.String(50)"))
        revision(target, "create users")
        write(columns(name="sa.String(50)"))
        ended, _ = revision(target, "drop the nick")
        assert "\nWARNING: users.nick: Dropped with its values.\n" in f"\n{ended.output}"
        write({})
        package = lab.project.answers["package_name"]
        code = f"from {package}.cli import main; main()"
        ours, theirs = pty.openpty()
        subprocess.run(
            [sys.executable, "-c", code, "db", "revision", "--autogenerate", "-m", "drop the name"],
            cwd=lab.project.path,
            env={
                **os.environ,
                "DATABASE_URL": target.url,
                "PYTHONPATH": "src",
                "RELEASE": "1",
                "TERM": "xterm",
                "NO_COLOR": no_color,
            },
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            check=True,
        )
        os.close(theirs)
        said = os.read(ours, 10_000).decode()
        os.close(ours)
        assert ("\x1b[31mWARNING: " in said) is red, said
        assert "WARNING: users.name: Dropped with its values." in said


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


@on_sqlite
def test_production_imports_none_of_it(lab: Lab) -> None:
    lab.write("r1", "op.execute('SELECT 1')")
    package = lab.project.answers["package_name"]
    code = (
        f"import sys; from {package}.cli import main; main(['db', 'upgrade'])\n"
        "rooms = {'review', 'rows', 'team', 'write'}\n"
        "loaded = [name for name in sys.modules if '.toolkit.' in name]\n"
        "assert loaded\n"
        "assert not [name for name in loaded if rooms & {*name.split('.')}]"
    )
    with lab.fresh() as target:
        variables = {"DATABASE_URL": target.url, "PYTHONPATH": "src", "RELEASE": "1"}
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=lab.project.path,
            env={**os.environ, **variables},
            check=True,
        )
