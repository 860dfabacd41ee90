"""The rendered code is as clean as `make check` of the project wants it, whatever was answered."""

import sys
import tomllib
from collections.abc import Callable

import pytest

from .profiles import PROFILES, Answers
from .projects import Project, Renderer
from .template import ROOT

Render = Callable[..., Project]


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param(answers, id=name, marks=[] if name == "default" else pytest.mark.slow)
        for name, answers in PROFILES.items()
    ],
)
def test_lint_and_format(renderer: Renderer, answers: Answers) -> None:
    project = renderer.look(answers)
    for command in (["check"], ["format", "--check"]):
        project.run(sys.executable, "-m", "ruff", *command, "--no-cache")


@pytest.mark.slow
@pytest.mark.parametrize("answers", list(PROFILES.values()), ids=list(PROFILES))
def test_types(render: Render, answers: Answers) -> None:
    project = render(**answers).install()
    project.run("mypy")


def test_lint_finds_what_is_wrong(render: Render) -> None:
    """The tests above would see nothing if the configuration were not read."""
    project = render()
    (project.package / "wrong.py").write_text("import os\nx = 'a'\n")
    assert "F401" in project.run(sys.executable, "-m", "ruff", "check", check=False).stdout
    assert project.run(sys.executable, "-m", "ruff", "format", "--check", check=False).returncode


def test_the_template_is_linted_by_the_rules_of_its_projects(renderer: Renderer) -> None:
    """So that its plain files are clean where they lie when they are clean in a project."""
    own, projects = (
        tomllib.loads(text)["tool"]["ruff"]["lint"]
        for text in (
            (ROOT / "pyproject.toml").read_text(),
            renderer.look({}).read("pyproject.toml"),
        )
    )
    assert (own["select"], own["ignore"]) == (projects["select"], projects["ignore"])
