"""Projects whose migrations the tests write."""

import re
import shutil
from collections.abc import Iterator, Mapping

import pytest

from ..apply.conftest import lab, open_lab
from ..apply.lab import Lab
from .authoring import HEADER, Write
from .steps import tables

__all__ = ["lab", "open_lab"]


@pytest.fixture
def write(lab: Lab) -> Iterator[Write]:
    """Writes the tables of a feature."""
    folder = lab.project.package / "shop"
    folder.mkdir()

    def write(parts: Mapping[str, str]) -> None:
        (folder / "models.py").write_text(HEADER + tables(parts))

    yield write
    shutil.rmtree(folder)


@pytest.fixture
def unformatted(lab: Lab) -> Iterator[None]:
    """Two processes less for each file."""
    path = lab.project.path / "pyproject.toml"
    text = path.read_text()
    path.write_text(re.sub(r"\[\[tool\.alembic\.post_write_hooks]]\n(?:.+\n)+", "", text))
    yield
    path.write_text(text)
