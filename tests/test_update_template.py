"""`make update-template`: the update as its owner runs it, and what it does where it cannot go on."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from .databases import query
from .migrations import Revision
from .projects import Project
from .template import ROOT, SNAPSHOT, commit, git

Render = Callable[..., Project]

pytestmark = pytest.mark.slow

LATER = "v9999.1.0"
COPIER = f"{sys.executable} {ROOT / 'tests' / 'quick_copier.py'}"
NOTES = """\
from sqlalchemy.orm import Mapped, mapped_column

from ..database import Base


class Note(Base):
    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
"""
LEDGER = """\
\"\"\"Create the ledger

Revision ID: 7e0a1c55d4b2
Revises:
Create Date: 2099-01-01 00:00:00 UTC
\"\"\"

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "7e0a1c55d4b2"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "ledger",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("ledger")
"""
CHANGES = f"""\
## {LATER[1:]}

### Added

- A ledger.

"""
# Instead of uv: what it would install is there already, or is not needed.
UV = """#!/bin/sh
echo "uv $*"
[ "$1" = run ] && [ -d .venv ] || exit 0
shift; command=$1; shift; exec ".venv/bin/$command" "$@"
"""


@dataclass
class Owner:
    """Whose project follows the template, which has got a release since."""

    project: Project
    template: Path

    def update(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **variables)
        said = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, *said)

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        uv = self.project.path.parent / "uv"
        uv.write_text(UV)
        uv.chmod(0o755)
        return subprocess.Popen(
            [sys.executable, "scripts/update_template.py", *arguments],
            cwd=self.project.path,
            env={**os.environ, "UV": str(uv), "MAKE": "true", "COPIER": COPIER, **variables},
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def git(self, *arguments: str) -> str:
        return git(self.project.path, *arguments)

    def undo(self, said: str) -> None:
        command = said.rpartition("undo")[2].partition(": ")[2].partition("\n")[0]
        subprocess.run(command, shell=True, cwd=self.project.path, check=True)  # noqa: S602

    def release(self, tag: str = LATER) -> None:
        commit(self.template, "A later release")
        if tag:
            git(self.template, "tag", tag)


@pytest.fixture
def owner(render: Render, template: Path, tmp_path: Path) -> Owner:
    """With a table of their own, and edits in each kind of file."""
    repository = tmp_path / "template"
    git(template, "clone", "--quiet", str(template), str(repository))
    project = render()
    answers = project.path / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(str(template), str(repository)))
    add_feature(project.package / "notes", NOTES)
    users = Revision(newest(project))
    migration = LEDGER.replace("ledger", "notes").replace("7e0a1c55d4b2", "5c1d9a7b3e20")
    path = users.path.with_name("20261201_000000_add_notes.py")
    path.write_text(migration.replace("] | None = None", f'] | None = "{users.id}"', 1))
    head = project.package / "migrations" / "head.txt"
    head.write_text(head.read_text().replace(users.id, "5c1d9a7b3e20"))
    (project.path / "README.md").write_text("# Ours\n")
    (project.path / "project.mk").write_text("hello:\n\techo hello\n")
    append(project.path / ".env.example", "OURS=1\n")
    git(project.path, "init", "--quiet", "--initial-branch", "main")
    commit(project.path, "A year of work")
    return Owner(project, repository)


@pytest.fixture
def later(owner: Owner) -> Owner:
    """The template has a release that adds, changes and takes away, and brings a migration."""
    rendered = owner.template / "template"
    inbox = rendered / "src" / "{{ package_name }}" / "migrations" / "template"
    models = NOTES.replace("notes", "ledger").replace("Note", "Entry")
    add_feature(rendered / "src" / "{{ package_name }}" / "ledger", models)
    (inbox / "20990101_000000_create_ledger.py").write_text(LEDGER)
    prepend(rendered / ".env.example.jinja", "# A later line.\n")
    (rendered / "LICENSE.jinja").unlink()
    changelog = owner.template / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## ", f"{CHANGES}## ", 1))
    owner.release()
    return owner


def add_feature(folder: Path, models: str) -> None:
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "models.py").write_text(models)


def append(path: Path, line: str) -> None:
    path.write_text(path.read_text() + line)


def prepend(path: Path, line: str) -> None:
    path.write_text(line + path.read_text())


def test_an_update(later: Owner) -> None:
    project, before = later.project.install(), later.git("rev-parse", "HEAD")
    notes = Revision(newest(project))
    done = later.update()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The template no longer has:\nLICENSE\n" in done.stdout
    assert f"20990101_000000_create_ledger.py follows {notes.id}." in done.stdout
    shown = f"Updated from {SNAPSHOT} to {LATER}. What that changes:\n\n{CHANGES}"
    assert shown in done.stdout
    assert "## Unreleased" not in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Look at it with `git diff`, and commit it.")

    assert project.read("README.md") == "# Ours\n"
    assert project.read(".env.example").startswith("# A later line.\n")
    assert project.read(".env.example").endswith("OURS=1\n")
    assert project.run("alembic", "heads").stdout == "7e0a1c55d4b2 (head)\n"
    project.run("alembic", "upgrade", "head")
    url = f"sqlite:///{project.path}/app.db"
    tables = {name for (name,) in query(url, "select name from sqlite_master")}
    assert {"ledger", "notes", "users"} <= tables

    assert later.git("rev-parse", "HEAD") == before
    later.undo(done.stdout)
    assert later.git("status", "--porcelain") == ""
    assert not list((project.package / "migrations" / "template").glob("*.py"))


def test_again(later: Owner) -> None:
    assert later.update().returncode == 0
    commit(later.project.path, "Update from the template")
    done = later.update("--branch", "again")
    assert done.returncode == 0
    assert f"this project follows its newest version, {LATER}." in done.stdout
    first, *others = done.stdout.splitlines()
    assert first.startswith("To undo the update, should it be killed: ")
    assert "undo" not in "".join(others)
    assert later.git("branch", "--show-current") == "main"
    assert later.git("branch", "--list", "again") == ""


def test_on_a_branch(later: Owner) -> None:
    done = later.update("--branch", "our update")
    assert done.returncode == 1
    assert "not a valid branch name" in done.stderr
    done = later.update("--branch", "update")
    assert done.returncode == 0, done.stdout + done.stderr
    assert later.git("branch", "--show-current") == "update"
    later.undo(done.stdout)
    assert later.git("branch", "--show-current") == "main"
    assert later.git("branch", "--list", "update") == ""
    assert later.git("status", "--porcelain") == ""


def test_an_option_is_changed_on_the_way(later: Owner) -> None:
    assert later.update("-d", "license=MIT").returncode == 0
    assert "license: MIT" in later.project.read(".copier-answers.yml")


def test_both_have_changed_the_same_line(later: Owner) -> None:
    models = later.project.package / "notes" / "models.py"
    append(models, "# Ours.\n")
    prepend(later.project.path / ".env.example", "# Our line.\n")
    commit(later.project.path, "Edit")
    done = later.update()
    assert done.returncode == 1
    said = done.stderr.splitlines()
    assert ".env.example" in said
    assert "Traceback" not in done.stderr
    later.undo(done.stderr)
    assert later.git("status", "--porcelain") == ""
    assert later.project.read(".env.example").startswith("# Our line.\n")


def test_a_check_fails(later: Owner) -> None:
    done = later.update(MAKE="false")
    assert done.returncode == 1
    assert "`false check` has failed, see above." in done.stderr
    later.undo(done.stderr)
    assert later.git("status", "--porcelain") == ""


def test_without_tags(owner: Owner) -> None:
    """As Copier does: the newest commit."""
    for tag in git(owner.template, "tag").splitlines():
        git(owner.template, "tag", "--delete", tag)
    answers = owner.project.path / ".copier-answers.yml"
    old = git(owner.template, "rev-parse", "HEAD")
    answers.write_text(answers.read_text().replace(SNAPSHOT, old))
    commit(owner.project.path, "Follow the newest commit")
    prepend(owner.template / "template" / ".env.example.jinja", "# A later line.\n")
    owner.release(tag="")
    done = owner.update()
    assert done.returncode == 0, done.stdout + done.stderr
    assert owner.project.read(".env.example").startswith("# A later line.\n")


def test_what_could_not_be_undone(later: Owner) -> None:
    path = later.project.path
    (path / "untracked").touch()
    done = later.update()
    assert done.returncode == 1
    assert "an update starts from a clean tree:\n?? untracked" in done.stderr
    (path / "untracked").unlink()

    later.git("mv", "src/my_service", "src/renamed")
    commit(path, "Rename")
    done = later.update()
    assert done.returncode == 1
    assert "There is no src/my_service" in done.stderr
    later.git("reset", "--quiet", "--hard", "HEAD~1")

    shutil.rmtree(path / ".git")
    done = later.update()
    assert done.returncode == 1
    assert "not the top of a git repository" in done.stderr
    git(path.parent, "init", "--quiet")
    done = later.update()
    assert done.returncode == 1
    assert "not the top of a git repository" in done.stderr


def test_killed_at_several_points(later: Owner) -> None:
    path = later.project.path
    (path / ".env").write_text("OURS=1\n")
    wanted = contents(path)
    for seconds in (0.1, 0.5, 1.0, 1.4, 1.8, 2.5):
        process = later.start()
        assert process.stdout is not None
        said = process.stdout.readline()
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        (path / ".git" / "index.lock").unlink(missing_ok=True)
        later.undo(said)
        assert later.git("status", "--porcelain") == ""
        assert contents(path) == wanted


def contents(folder: Path) -> dict[str, bytes]:
    """All but what belongs to git."""
    files = (path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: path.read_bytes() for name, path in names.items() if name[:5] != ".git/"}


def newest(project: Project) -> Path:
    return max((project.package / "migrations" / "versions").glob("*.py"))


def test_git_does_not_tidy_up_meanwhile(owner: Owner, tmp_path: Path) -> None:
    """In the background, in the folders that Copier deletes."""
    tool = tmp_path / "copier"
    tool.write_text(
        '#!/bin/sh\ngit config maintenance.auto > "$0.seen"; git config user.name >> "$0.seen"\n'
    )
    tool.chmod(0o755)
    own = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "Ann"}
    done = owner.update(COPIER=str(tool), GIT_CONFIG_GLOBAL=os.devnull, **own)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copier.seen").read_text() == "false\nAnn\n"
