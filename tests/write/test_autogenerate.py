"""Migrations that are written from a change of the models: complete, and nothing lost unsaid."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence

import pytest

from ..apply.lab import Lab, Target
from .authoring import (
    Made,
    Write,
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
    fills_in = lab.database in {"mysql", "mariadb"}
    # Elsewhere it is the text of a CHECK, or a type by itself.
    moods = ["'sad', 'glad'", "'glad', 'mad'"] if fills_in else ["'sad'"] * 2
    before, after = (f"sa.Enum({values}, name='mood')" for values in moods)
    with lab.fresh() as target:
        write(
            columns(
                nick="sa.String(20)",
                code="sa.String(20)",
                note="sa.Text",
                day="sa.Date, nullable=False",
                mood=before,
            )
        )
        revision(target, "create users")
        write(
            columns(
                nick="sa.String(20), nullable=False",
                code="sa.Integer",
                age="sa.Integer, nullable=False",
                born="sa.Integer, nullable=False, server_default='0'",
                mood=after,
            )
        )
        ended, text = revision(target, "change everything")
        assert ended.code == 0, ended.output
        for what, how in {
            "users.nick": "NOT NULL from now on",
            "users.code": "From VARCHAR(20) to INTEGER",
            "users.age": "NOT NULL without a default",
            "users.note": "Dropped with its values",
            **({"users.mood": "From ENUM to the enum mood"} if fills_in else {}),
        }.items():
            assert f"WARNING: {what}: {how}" in ended.output
            assert re.search(rf'# {re.escape(how)}[^"]*"{what}": "",', text), text
        rows = "gives rows that are there ''" if fills_in else "fails where there are rows"
        assert f"users.age: NOT NULL without a default {rows}" in ended.output
        assert f"adds it as NOT NULL without a default, which {rows}" in ended.output
        assert "users.born" not in text
        assert "the database refuses" not in ended.output
        assert target.db("check").code == 0
        files = versions(lab)
        ended = target.alembic("revision", "--autogenerate", "-m", "change nothing else")
        assert "Nothing to do, and no file written" in ended.output
        assert (ended.code, versions(lab)) == (0, files)
    for command in (["check"], ["format", "--check"]):
        words = [sys.executable, "-m", "ruff", *command, str(lab.project.package / "migrations")]
        subprocess.run(words, cwd=lab.project.path, check=True)


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


@on_sqlite
def test_drops_are_in_one_order(lab: Lab, write: Write) -> None:
    """What refers to another goes first, and comes back after it."""
    key = "sa.Column('id', sa.Integer, primary_key=True)"
    made = [f"op.create_table('users', {key}, *(sa.Column(x, sa.Integer) for x in 'vwxyz'))"]
    for table, other in (("a", "users"), ("b", "a"), ("c", "b")):
        refers = f"sa.Column('x', sa.Integer, sa.ForeignKey('{other}.id'))"
        made.append(f"op.create_table('{table}', {key}, {refers})")
    lab.write("r0", "\n".join(made))
    with lab.fresh() as target:
        write({})
        ended, text = revision(target, "drop all but the users")
        assert ended.code == 0, ended.output
        upgrade, downgrade = text.split("def downgrade()")
        assert re.findall(r'drop_(?:table|column)\("(\w)"', upgrade) == [*"vwxyz", *"cba"]
        assert re.findall(r'create_table\(\s*"(\w)"', downgrade) == [*"abc"]
