"""A project whose batch operations are tried in this process, and a file for each test."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from ...projects import Renderer
from .changes import Database


@pytest.fixture(scope="package")
def package(renderer: Renderer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    name = "sqlite_lab"
    project = renderer(tmp_path_factory.mktemp(name) / name, {"package_name": name})
    with pytest.MonkeyPatch.context() as patches:
        patches.syspath_prepend(project.path / "src")
        import_module(f"{name}.migrations.toolkit.apply.batch")
        yield name


@pytest.fixture
def database(package: str, tmp_path: Path) -> Database:
    return Database(tmp_path / "app.db", package)
