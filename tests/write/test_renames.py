"""What goes and what comes may be one thing with a new name: that is asked, and nothing is lost."""

import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from ..apply.lab import Lab, Target
from .authoring import Write, on_sqlite, revision, run_tests_of_migrations, versions
from .steps import KEY, columns

pytestmark = pytest.mark.slow


@on_sqlite
def test_renamed_or_not(lab: Lab, write: Write) -> None:
    with lab.fresh() as target:
        write(columns(name="sa.String(50)", age="sa.Integer"))
        revision(target, "create users")
        write(columns(fullname="sa.String(50)", title="sa.String(50)"))
        ended, _ = revision(target, "call it fullname")
        assert ended.code != 0
        assert "-x rename=users.name:fullname revision" in ended.output
        assert "-x rename=users.name:title revision" in ended.output
        assert "-x no-rename revision" in ended.output
        for wrong in ("users.nome:fullname", "users.name:ful", "users.name", "users:people"):
            ended, _ = revision(target, "call it fullname", f"rename={wrong}")
            assert ended.code != 0
            assert f"-x rename={wrong}" in ended.output
            assert "Traceback" not in ended.output
        # Of another type it is not asked about, but may be said.
        ended, text = revision(
            target, "call both", "rename=users.name:title", "rename=users.age:fullname"
        )
        assert ended.code == 0, ended.output
        assert text.count("new_column_name") == 4
        assert "type_=sa.String" in text
        write(columns(other="sa.String(50)", title="sa.String(50)"))
        _, text = revision(target, "begin with another", "no-rename")
        assert '"users.fullname": ""' in text
        assert target.db("check").code == 0


@on_sqlite
@pytest.mark.parametrize("answer", ["y", "n", "ja\ny", "Ctrl-C"])
def test_a_terminal_is_asked(lab: Lab, write: Write, answer: str) -> None:
    with lab.fresh() as target:
        write({"people": "sa.Column('name', sa.String(50), primary_key=True)"})
        revision(target, "create people")
        before = versions(lab)
        write({"persons": "sa.Column('name', sa.String(50), primary_key=True)"})
        arguments = ["revision", "--autogenerate", "-m", "call them persons"]
        question = "Was people renamed to persons? [y/N] "
        code, errors = _on_a_terminal(target, arguments, question, answer)
        new = versions(lab) - before
        if answer == "Ctrl-C":
            assert (code, errors, new) == (130, "INTERRUPTED: nothing was written.\n", set())
        else:
            assert code == 0, errors
            [path] = new
            assert ("rename_table" in path.read_text()) is answer.endswith("y")


def _on_a_terminal(
    target: Target, arguments: list[str], question: str, answer: str
) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    project = target.lab.project
    code = f"from {project.answers['package_name']}.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "db", *arguments],
        cwd=project.path,
        env={**os.environ, "DATABASE_URL": target.url, "PYTHONPATH": "src", "RELEASE": "1"},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(len(question)) == question
        if answer == "Ctrl-C":
            time.sleep(0.5)  # What comes between the question and the reading is not seen.
            process.send_signal(signal.SIGINT)
        else:
            os.write(ours, f"{answer}\n".encode())
        errors = process.communicate()[1]
    os.close(ours)
    os.close(theirs)
    return process.returncode, errors


@on_sqlite
def test_a_table_that_has_changed_besides(lab: Lab, write: Write) -> None:
    name = "sa.Column('name', sa.String(50))"
    with lab.fresh() as target:
        write({"tags": f"{KEY}, {name}"})
        revision(target, "create tags")
        write({"labels": f"{KEY}, {name}, sa.Column('color', sa.String(9))"})
        ended, _ = revision(target, "call them labels")
        assert "-x rename=tags:labels revision" in ended.output
        _, text = revision(target, "call them labels", "rename=tags:labels")
        assert "rename_table" in text
        assert "add_column" in text
        assert "drop" not in text.partition("def downgrade")[0]
        # What has little in common with a table that goes is another one.
        write({"people": f"{KEY}, sa.Column('code', sa.String(9))"})
        _, text = revision(target, "paint instead")
        assert "create_table" in text


def test_a_table_with_a_foreign_key(lab: Lab, write: Write) -> None:
    """It keeps its one: none is added that differs from it in nothing but the name."""
    columns_of_both = f"{KEY}, sa.Column('user_id', sa.ForeignKey('users.id'), index=True)"
    with lab.fresh() as target:
        write({"tags": columns_of_both})
        revision(target, "create tags")
        write({"labels": columns_of_both})
        ended, text = revision(target, "call them labels", "rename=tags:labels")
        assert "WARNING" not in ended.output
        assert "foreign_key" not in text
        assert target.db("check").code == 0
        # Another one in its place does not need the names that it was made with.
        write({"labels": columns_of_both, "tags": columns_of_both})
        ended, _ = revision(target, "have tags again")
        assert "WARNING" not in ended.output
        cascade = columns_of_both.replace("')", "', ondelete='CASCADE')", 1)
        write({"labels": cascade, "tags": columns_of_both})
        ended, text = revision(target, "delete labels with their user")
        assert "WARNING" not in ended.output
        assert "foreign_key" in text
        assert target.db("check").code == 0
        run_tests_of_migrations(lab, target.url)


@on_sqlite
def test_the_name_is_taken(lab: Lab, write: Write) -> None:
    """By what is in no model."""
    with lab.fresh() as target:
        lab.write("r1", 'op.execute("CREATE VIEW labels AS SELECT 1 AS one")')
        write({"tags": KEY})
        revision(target, "create tags")
        write({"labels": KEY})
        ended, _ = revision(target, "call them labels", "rename=tags:labels")
        assert ended.code != 0
        assert ended.output == (
            "FAILED: The rename cannot be done: `ALTER TABLE tags RENAME TO labels` failed: there is"
            " already another table or index with this name: labels. Nothing was written: write a"
            " migration first that takes away what is in its way.\n"
        )
