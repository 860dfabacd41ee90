"""`db lint` as it is called, in a repository of git."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ..apply.lab import PATIENCE, Launcher
from ..apply.launcher import Job
from ..projects import Project
from .histories import migration

pytestmark = pytest.mark.slow

IN_SRC = "import os; os.chdir('src'); from my_service.cli import main; main()"
COMMIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "a")


@pytest.fixture
def launched(render: Callable[..., Project]) -> Iterator[tuple[Project, Launcher]]:
    project = render(database="sqlite")
    with closing(Launcher(project)) as launcher:
        yield project, launcher


def test_command(launched: tuple[Project, Launcher], tmp_path: Path) -> None:
    project, launcher = launched
    url = f"sqlite:///{tmp_path / 'app.db'}"

    def lint(*arguments: str, code: int = 0, actions: str = "", url: str = url) -> str:
        variables = {"DATABASE_URL": url, "GITHUB_ACTIONS": actions}
        words = ["db", "lint", *arguments]
        job = Job(project.package.name, words, variables, ours=True, apart=True)
        [ended] = launcher.start(job).result(PATIENCE)
        assert (ended.code, "Traceback" in ended.errors) == (code, False), ended.errors
        return ended.output + ended.errors

    outside = lint("--since", "main", code=2)
    assert "`git init`" in outside
    assert "not a git repository" in outside
    project.run("git", "init", "--initial-branch", "main")
    # When there was no service yet.
    project.run(*COMMIT, "--allow-empty")
    project.run("git", "tag", "before")
    project.run("git", "add", ".")
    project.run(*COMMIT)
    assert "DATABASE_URL" in lint(url="nonsense", code=2)
    assert "git knows no nowhere" in lint("--since", "nowhere", code=2)
    assert "0 migrations since main" in lint("--since", "main")
    assert json.loads(lint("--json")) == []
    assert "Nothing found in 1 migration since before" in lint("--since", "before")
    [old] = (project.package / "migrations" / "versions").glob("*.py")
    old.rename(old.with_name("renamed.py"))
    assert "0 migrations since main" in lint("--since", "main")
    renamed = old.with_name("renamed.py")
    renamed.rename(old)
    before = old.read_text()
    old.write_text(
        before.replace("def upgrade() -> None:\n", "def upgrade() -> None:\n    # Users.\n")
    )
    assert "Nothing found in 0 migrations since main." in lint("--since", "main")
    old.write_text(before.replace("length=200", "length=100"))
    [edited] = json.loads(lint("--since", "main", "--json", code=1))
    assert (edited["code"], edited["line"]) == ("edits-migration", 1)
    assert "Does something else than in main." in edited["message"]
    old.write_text(f"# safe: edits-migration nobody has run it\n{old.read_text()}")
    lint("--since", "main")
    old.write_text(f"<<<<<<< HEAD\n{before}")
    project.run(*COMMIT, "--all")
    assert "FAILED: A migration cannot be read: " in lint("--since", "main", "--json", code=2)
    old.write_text(before)
    lint("--since", "main")
    project.run(*COMMIT, "--all")
    file = "src/my_service/migrations/versions/new.py"
    text = migration('op.drop_column("users", "name")').lstrip()
    (project.path / file).write_text(
        f'import sqlalchemy as sa\nfrom alembic import op\n\nrevision = "new"\n'
        f'down_revision = "8c1d5e0f42ab"\n\n\n{text}'
    )
    [finding, broken] = json.loads(lint("--since", "main", "--json", code=1))
    place = {"revision": "new", "file": file, "line": 9}
    assert finding.items() >= {"code": "drop-column", **place}.items()
    assert finding.keys() == {"code", "revision", "file", "line", "message", "safe_way"}
    assert broken.items() >= {"code": "breaks-previous-release", **place}.items()
    annotation = f"::warning file={file},line=9,title=drop-column::Drops the column users.name."
    assert annotation in lint(code=1, actions="true")
    git = project.path / ".git"
    in_folder_above = git.rename(project.path.parent / ".git")
    assert f"::warning file={project.path.name}/{file},line=9," in lint("--github", code=1)
    in_folder_above.rename(git)
    assert "The models of main would not work" in lint("--since", "main", code=1)
    # The release before no longer names the column: there is nothing to break.
    models = project.package / "users" / "models.py"
    models.write_text(re.sub(r"\n    name: .*", "", models.read_text()))
    words = (sys.executable, "-c", IN_SRC, "db", "lint", "--since", "main")
    in_src = project.run(*words, url=url, check=False, RELEASE="1")
    assert "The models of main would not work" in in_src.stdout, in_src.stderr
    project.run(*COMMIT, str(models))
    assert "The models of main would work" in lint("--since", "main", code=1)
    new = project.path / file
    new.write_text(new.read_text().replace('"name")', '"name")  # safe: drop-column unused'))
    assert "Nothing found in 1 migration since main." in lint("--since", "main")
