"""Projects on every Python that they say they run on, as far as it is on this machine."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .projects import Project

Render = Callable[..., Project]

pytestmark = pytest.mark.slow

VERSIONS = ("3.11", "3.12", "3.13", "3.14")


@pytest.mark.parametrize("version", VERSIONS)
def test_own_suite_on_each_python(render: Render, version: str) -> None:
    project = render().install(python=interpreter(version))
    assert project.run("python", "--version").stdout.startswith(f"Python {version}.")
    project.run("python", "-m", "pytest")


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_lint_and_format_where_a_newer_python_is_demanded(render: Render, version: str) -> None:
    project = render(audit=True)
    settings = project.path / "pyproject.toml"
    settings.write_text(settings.read_text().replace('">=3.11"', f'">={version}"'))
    for command in (["check"], ["format", "--check"]):
        project.run(sys.executable, "-m", "ruff", *command, "--no-cache")


def test_these_are_the_versions_that_projects_declare(render: Render) -> None:
    assert f'requires-python = ">={VERSIONS[0]}"' in render().read("pyproject.toml")


def interpreter(version: str) -> str:
    """One that is on this machine; none is downloaded."""
    for found in candidates(version):
        if works(found, version):
            return str(found)
    pytest.skip(f"Python {version} is unproved: it is not on this machine")


def candidates(version: str) -> Iterator[Path]:
    yield Path(sys.executable)  # For which other tests make the same environment.
    folders = [*os.environ["PATH"].split(os.pathsep), "/usr/bin", "/usr/local/bin"]
    yield from (Path(folder) / f"python{version}" for folder in folders)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from pyenv.glob(f"versions/{version}.*/bin/python{version}")
    find = [sys.executable, "-m", "uv", "python", "find", "--no-python-downloads", version]
    known = subprocess.run(find, capture_output=True, text=True, check=False)
    yield from (Path(line) for line in known.stdout.splitlines())


def works(found: Path, version: str) -> bool:
    """Names are there of versions that pyenv has not activated, and of ones without venv."""
    ask = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    if not found.is_file():
        return False
    done = subprocess.run([str(found), "-c", ask], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == version
