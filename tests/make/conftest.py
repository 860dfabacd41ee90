"""A machine that has little installed, and what `make` is called in on it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ..projects import Project
from ..template import git
from .machines import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine")


@pytest.fixture
def project(render: Callable[..., Project]) -> Path:
    return render().path


@pytest.fixture
def checkout(template: Path, tmp_path: Path) -> Path:
    """This repository, as a newcomer has cloned it."""
    git(tmp_path, "clone", "--quiet", "--shared", str(template), "checkout")
    return tmp_path / "checkout"
