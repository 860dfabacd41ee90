"""Projects whose migrations the tests write, also as a repository with branches."""

import pytest

from ..apply.conftest import lab, open_lab
from ..apply.lab import Lab
from .branches import Branches

__all__ = ["lab", "open_lab"]


@pytest.fixture
def branches(lab: Lab) -> Branches:
    return Branches(lab)
