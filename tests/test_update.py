"""`copier update` of a project that nobody has touched gives what a fresh copy would."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import copier
import pytest
import yaml
from pathspec import GitIgnoreSpec

from .profiles import HARDEST, MINIMAL, SERVER, Answers
from .projects import Project
from .template import SNAPSHOT, commit, git

Render = Callable[..., Project]
LATER = "v9999.1.0"

PROFILES = {"default": {}, "minimal": MINIMAL, "server": SERVER, "hardest": HARDEST}


@pytest.fixture(
    params=[
        pytest.param(answers, id=name, marks=[] if name == "default" else pytest.mark.slow)
        for name, answers in PROFILES.items()
    ]
)
def project(request: pytest.FixtureRequest, render: Render) -> Project:
    """A project in git, as its user has it after the first commit."""
    answers: Answers = request.param
    made = render(**answers)
    git(made.path, "init", "--quiet")
    commit(made.path, "Begin")
    return made


@pytest.fixture
def later(template: Path, tmp_path: Path) -> Path:
    """The template, one release later: files of each kind have changed, come and gone."""
    repository = tmp_path / "template"
    git(template, "clone", "--quiet", str(template), str(repository))
    rendered = repository / "template"
    package = rendered / "src" / "{{ package_name }}"
    _append(rendered / "Makefile.jinja", "# A later line for {{ project_slug }}.\n")
    _append(package / "errors.py", "# A later line.\n")
    _append(rendered / ".gitignore", "later/\n")
    _append(package / "users" / "service.py", "# A later line in a file of the user's.\n")
    (package / "later.py.jinja").write_text("NAME = '{{ project_slug }}'\n")
    (package / "pagination.py").unlink()
    commit(repository, "A later release")
    git(repository, "tag", LATER)
    return repository


def test_update_equals_fresh_copy(project: Project, later: Path, tmp_path: Path) -> None:
    old = _texts(project)
    _move_template(project, later)
    copier.run_update(project.path, defaults=True, overwrite=True, quiet=True)
    assert git(project.path, "diff", "--name-only", "--diff-filter=U") == ""

    fresh = tmp_path / "fresh"
    copier.run_copy(
        str(later), fresh, data=project.answers, defaults=True, quiet=True, vcs_ref=LATER
    )
    updated, wanted = _texts(project), _texts(replace(project, path=fresh))
    users = GitIgnoreSpec.from_lines(_seed_once(later))
    assert updated.keys() == wanted.keys()
    for name, content in updated.items():
        assert content == (old if users.match_file(name) else wanted)[name], name
    assert {name for name in updated if updated[name] != old.get(name)} == {
        ".copier-answers.yml",
        ".gitignore",
        "Makefile",
        f"src/{project.answers['package_name']}/errors.py",
        f"src/{project.answers['package_name']}/later.py",
    }


@pytest.mark.slow
def test_update_to_the_same_version_changes_nothing(project: Project) -> None:
    copier.run_update(project.path, defaults=True, overwrite=True, quiet=True)
    assert git(project.path, "status", "--porcelain") == ""


@pytest.mark.slow
def test_an_option_can_be_changed(render: Render, tmp_path: Path) -> None:
    """Same version, other answer: what belongs to the user stays as it is."""
    project = render(license="MIT")
    git(project.path, "init", "--quiet")
    commit(project.path, "Begin")
    copier.run_update(
        project.path,
        data={"license": "Apache-2.0"},
        defaults=True,
        overwrite=True,
        quiet=True,
    )
    fresh = render(license="Apache-2.0")
    for name in ("LICENSE", "pyproject.toml", ".copier-answers.yml"):
        assert project.read(name) == fresh.read(name), name


def test_releases_can_be_read_from_history(template: Path) -> None:
    """Copier compares versions, so every tag is one, and the snapshot is the newest."""
    tags = git(template, "tag", "--list", "v*", "--sort=version:refname").splitlines()
    assert tags[-1] == SNAPSHOT


def _move_template(project: Project, repository: Path) -> None:
    """As if the repository that the project was copied from had got a release."""
    origin = Path(yaml.safe_load(project.read(".copier-answers.yml"))["_src_path"])
    answers = project.path / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace(str(origin), str(repository)))
    commit(project.path, "Follow the template")


def _seed_once(template: Path) -> list[str]:
    patterns: list[str] = yaml.safe_load((template / "copier.yml").read_text())["_skip_if_exists"]
    return patterns


def _texts(project: Project) -> dict[str, str]:
    return {name: project.read(name) for name in project.files()}


def _append(path: Path, line: str) -> None:
    path.write_text(path.read_text() + line)
