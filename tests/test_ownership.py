"""docs/ownership.md says who owns each rendered file, and anchors keep both sides apart."""

import re
import tomllib
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from .projects import Project

Render = Callable[..., Project]

ANCHORED = {
    ".env.example": 1,
    ".gitignore": 1,
    "pyproject.toml": 9,
    "src/my_service/config.py": 1,
}
ANCHOR = re.compile(r"^ *# This service's own\b.*:$", re.M)


@pytest.fixture
def owners(template: Path) -> dict[str, str]:
    """Each documented path and its class."""
    text = (template / "docs" / "ownership.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \| (template|seed-once|user-only) \|", text, re.M)
    assert len(rows) == len(dict(rows))
    return dict(rows)


@pytest.mark.parametrize("database", ["sqlite", "postgresql", "mysql"])
def test_every_file_has_one_owner(render: Render, owners: dict[str, str], database: str) -> None:
    for name in render(database=database, audit=True).files():
        found = [path for path in rendered(owners) if fnmatch(name, path)]
        assert len(found) == 1, f"{name}: {found}"


def test_every_documented_file_is_rendered(render: Render, owners: dict[str, str]) -> None:
    names = render(audit=True).files()
    for path in rendered(owners):
        assert any(fnmatch(name, path) for name in names), path


def test_seed_once_is_what_copier_leaves_alone(template: Path, owners: dict[str, str]) -> None:
    documented = [
        "/" + path.replace("<package>", "*")
        for path, owner in owners.items()
        if owner == "seed-once"
    ]
    configuration: dict[str, Any] = yaml.safe_load((template / "copier.yml").read_text())
    assert sorted(documented) == sorted(configuration["_skip_if_exists"])


def test_anchors_are_unique_and_where_they_are_documented(render: Render) -> None:
    project = render()
    found = {}
    for name in project.files():
        if anchors := ANCHOR.findall(project.read(name)):
            assert len(anchors) == len(set(map(str.strip, anchors))), name
            found[name] = len(anchors)
    assert found == ANCHORED


def test_anchors_are_last(render: Render) -> None:
    project = render()
    for name in (".env.example", ".gitignore"):
        assert ANCHOR.fullmatch(project.read(name).splitlines()[-1])
    for anchor in ANCHOR.finditer(project.read("pyproject.toml")):
        assert project.read("pyproject.toml")[anchor.end() :].startswith("\n]\n"), anchor[0]


def test_the_dependencies_are_not_sorted(render: Render) -> None:
    """Into a sorted list `uv add` inserts, instead of appending below the anchor."""
    dependencies = tomllib.loads(render().read("pyproject.toml"))["project"]["dependencies"]
    assert dependencies != sorted(dependencies)


def rendered(owners: dict[str, str]) -> list[str]:
    return [
        path.replace("<package>", "my_service")
        for path, owner in owners.items()
        if owner != "user-only"
    ]
