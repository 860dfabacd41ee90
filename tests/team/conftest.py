"""Projects whose migrations the tests write, also as a repository with branches."""

import shutil
from collections.abc import Iterator

import pytest

from ..apply.conftest import lab, open_lab
from ..apply.lab import Lab
from .branches import Branches

__all__ = ["lab", "open_lab"]


@pytest.fixture
def branches(lab: Lab) -> Iterator[Branches]:
    branches = Branches(lab)
    yield branches
    shutil.rmtree(lab.project.path / ".git")
