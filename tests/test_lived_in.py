"""A project of a year's edits takes an update in: what conflicts is known, and nothing is lost."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import copier
import pytest

from .lived_in import CHANGES, CONFLICTS, EDITS, NOT_DELIVERED, Step, pairs
from .projects import Project
from .template import commit, git

Render = Callable[..., Project]

pytestmark = pytest.mark.slow

LATER = "v9999.1.0"
PACKAGE = "my_service"
HUNK = re.compile(r"^<<<<<<< before updating$", re.MULTILINE)


@dataclass
class Update:
    """Of a project, by a template that has changed."""

    project: Project
    template: Path

    def edit(self, edits: Iterable[Step]) -> None:
        for edit in edits:
            edit.do(edit.path(self.project.path, PACKAGE))
            assert edit.is_in(self.project.path, PACKAGE), edit.name
        git(self.project.path, "init", "--quiet")
        commit(self.project.path, "A year of work")

    def change(self, changes: Iterable[Step]) -> None:
        rendered = self.template / "template"
        for change in changes:
            path = change.path(rendered, "{{ package_name }}")
            template = path.with_name(f"{path.name}.jinja")
            change.do(template if template.exists() else path)
        commit(self.template, "A year of work on the template")
        git(self.template, "tag", LATER)

    def run(self) -> None:
        copier.run_update(self.project.path, defaults=True, overwrite=True, quiet=True)

    def conflicts(self) -> dict[str, int]:
        """How many in each file."""
        names = git(self.project.path, "diff", "--name-only", "--diff-filter=U").splitlines()
        return {name: len(HUNK.findall(self.project.read(name))) for name in names}

    def missing(self, steps: Iterable[Step]) -> set[str]:
        return {step.name for step in steps if not step.is_in(self.project.path, PACKAGE)}


@pytest.fixture
def update(render: Render, template: Path, tmp_path: Path) -> Update:
    repository = tmp_path / "template"
    git(template, "clone", "--quiet", str(template), str(repository))
    project = render()
    answers = project.path / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(str(template), str(repository)))
    return Update(project, repository)


def test_all_at_once(update: Update) -> None:
    update.edit(EDITS)
    update.change(CHANGES)
    update.run()
    assert update.conflicts() == {
        "Dockerfile": 1,
        "pyproject.toml": 1,
        "tests/test_migrations.py": 1,
    }
    # Where both sides have a word, both words are there to choose from.
    assert update.missing(EDITS) == set()
    assert update.missing(CHANGES) == NOT_DELIVERED
    assert_parses(update)


def test_without_the_example(update: Update) -> None:
    """It was deleted, and does not come back, not even in part."""
    edits = [edit for edit in EDITS if "/users/" not in edit.file]
    shutil.rmtree(update.project.package / "users")
    shutil.rmtree(update.project.path / "tests" / "users")
    update.edit(edits)
    added = update.template / "template" / "src" / "{{ package_name }}" / "users" / "events.py"
    added.write_text("LATER = True\n")
    update.change(CHANGES)
    update.run()
    assert sorted(update.conflicts()) == [
        "Dockerfile",
        "pyproject.toml",
        "tests/test_migrations.py",
    ]
    assert update.missing(edits) == set()
    assert not (update.project.package / "users").exists()
    assert not (update.project.path / "tests" / "users").exists()


def test_after_a_formatter(update: Update) -> None:
    update.edit([])
    wider = ["format", "--quiet", "--line-length", "120", "."]
    subprocess.run([sys.executable, "-m", "ruff", *wider], cwd=update.project.path, check=True)
    update.edit(EDITS)
    update.change(CHANGES)
    update.run()
    assert sorted(update.conflicts()) == [
        "Dockerfile",
        "pyproject.toml",
        "tests/test_migrations.py",
    ]
    assert update.missing(EDITS) == set()
    assert update.missing(CHANGES) == NOT_DELIVERED


def test_each_pair(update: Update, rounds: int, tmp_path: Path) -> None:
    """With many rounds all of them, else some: an edit and a change of the same file alone."""
    found = set()
    chosen = list(pairs())[:: max(1, 40 // rounds)]
    for number, (edit, change) in enumerate(chosen):
        one = copy(update, tmp_path / str(number))
        one.edit([edit])
        one.change([change])
        one.run()
        if one.conflicts():
            found.add((edit.name, change.name))
        assert not one.missing([edit]), (edit.name, change.name)
        assert one.missing([change]) <= NOT_DELIVERED, (edit.name, change.name)
    assert found == CONFLICTS & {(edit.name, change.name) for edit, change in chosen}


def copy(update: Update, folder: Path) -> Update:
    project, template = folder / "project", folder / "template"
    shutil.copytree(update.project.path, project)
    shutil.copytree(update.template, template)
    answers = project / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(str(update.template), str(template)))
    return Update(Project(project, update.project.answers, update.project.environments), template)


def assert_parses(update: Update) -> None:
    """What has merged, and is no conflict."""
    conflicts = update.conflicts()
    for name in update.project.files():
        if name.endswith(".py") and name not in conflicts:
            compile(update.project.read(name), name, "exec")
    text = update.project.read("pyproject.toml")
    ours = re.sub(r"<<<<<<< .*?\n(.*?)=======.*?>>>>>>> .*?\n", r"\1", text, flags=re.DOTALL)
    project = tomllib.loads(ours)
    assert "stripe>=9" in project["project"]["dependencies"]
    assert "ipython>=9" in project["dependency-groups"]["dev"]
    assert {"PD", "YTT"} <= {*project["tool"]["ruff"]["lint"]["select"]}
    assert {"--maxfail=9", "--strict-data"} <= {*project["tool"]["pytest"]["addopts"]}
