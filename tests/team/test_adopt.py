"""Migrations that an update of the template brings: they are taken over once, behind the project's."""

import json
from pathlib import Path

import pytest

from ..apply.lab import Lab

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("database", ["sqlite"], indirect=True),
]

CREATE = 'op.create_table({!r}, sa.Column("id", sa.Integer, primary_key=True))'
ARRIVED = '''\
"""Create {name}

Revision ID: {name}
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision: str = "{name}"
down_revision: str | None = None


def upgrade() -> None:
    {create}


def downgrade() -> None:
    op.drop_table("{name}")
'''


@pytest.fixture
def own(lab: Lab) -> Lab:
    """A project with a migration of its own."""
    lab.write("r1", CREATE.format("users"), 'op.drop_table("users")')
    return lab


def migrations(lab: Lab) -> Path:
    return lab.project.package / "migrations"


def arrive(lab: Lab, *names: str) -> None:
    inbox = migrations(lab) / "template"
    inbox.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        text = ARRIVED.format(name=name, create=CREATE.format(name))
        (inbox / f"2027010{number}_000000_create_{name}.py").write_text(text)


def test_they_follow_in_order(own: Lab) -> None:
    arrive(own, "teams", "audit")
    with own.fresh() as target:
        target.upgrade()
        found = json.loads(target.db("status", "--json").output)
        names = ["20270100_000000_create_teams.py", "20270101_000000_create_audit.py"]
        assert (found["state"], found["to_adopt"]) == ("current", names)
        said = target.db("status").output
        assert f"To adopt:   {names[0]}\n" in said
        assert "my-service db adopt" in said

        lines = target.db("adopt").output.splitlines()
        assert lines == [
            f"{names[0]} follows r1.",
            f"{names[1]} follows teams.",
            "Next: my-service db upgrade",
        ]
        assert target.alembic("heads").output == "audit (head)\n"
        copied = (migrations(own) / "versions" / names[0]).read_text()
        assert 'down_revision: str | None = "r1"\n' in copied
        assert "Revises: r1\n" in copied
        assert (migrations(own) / "head.txt").read_text().endswith("\naudit\n")
        target.upgrade()
        assert {"users", "teams", "audit"} <= target.tables()
        assert target.db("adopt").output == "The template has brought no migration.\n"
        assert json.loads(target.db("status", "--json").output)["to_adopt"] == []


def test_what_is_the_projects_own_does_not_come_back(own: Lab) -> None:
    """It may be edited, or squashed into another."""
    arrive(own, "teams")
    with own.fresh() as target:
        target.db("adopt")
        [copied] = (migrations(own) / "versions").glob("*teams.py")
        copied.unlink()
        assert "no migration" in target.db("adopt").output
        assert not copied.exists()


def test_two_branches_have_adopted_the_same(own: Lab) -> None:
    """The files are alike then, and the lock may be in conflict."""
    arrive(own, "teams", "audit")
    with own.fresh() as target:
        target.db("adopt")
        lock = migrations(own) / "template.lock"
        lock.write_text("<<<<<<< ours\nteams\n=======\naudit\n>>>>>>> theirs\n")
        assert "no migration" in target.db("adopt").output
        lock.unlink()  # What is in versions/ need not be copied again.
        assert target.db("adopt").output == "Next: my-service db upgrade\n"
        assert lock.read_text().splitlines()[1:] == ["teams", "audit"]


def test_into_a_project_without_migrations(lab: Lab) -> None:
    arrive(lab, "teams")
    with lab.fresh() as target:
        assert "follows no other." in target.db("adopt").output
        target.upgrade()
        assert "teams" in target.tables()


def test_a_file_that_is_none(own: Lab) -> None:
    arrive(own, "teams", "audit")
    [path] = (migrations(own) / "template").glob("*audit.py")
    path.write_text("# <<<<<<< before updating\n")
    with own.fresh() as target:
        sentence = f"FAILED: {path} says no `revision`: bring it back as the template has it.\n"
        assert target.db("adopt").output == sentence
        assert target.db("status").output == sentence
    assert not list((migrations(own) / "versions").glob("*teams*"))


def test_behind_which_of_two(own: Lab) -> None:
    own.write("r2", "pass")
    own.write("r3", "pass")
    third = migrations(own) / "versions" / "r3.py"
    third.write_text(third.read_text().replace("'r2'", "'r1'"))
    arrive(own, "teams")
    with own.fresh() as target:
        ended = target.db("adopt")
        assert ended.code == 1
        assert ended.output.startswith("FAILED: 2 migrations are the last, ")
        assert not list((migrations(own) / "versions").glob("*teams*"))


def test_the_projects_test_says_what_to_run(own: Lab) -> None:
    arrive(own, "teams")
    command = ["python", "-m", "pytest", "tests/test_migrations.py", "-k", "of_the_template"]
    done = own.project.install().run(*command, check=False)
    assert done.returncode == 1
    assert "create_teams.py']: my-service db adopt" in done.stdout
