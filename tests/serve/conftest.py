"""Projects that are installed, each with a database of its own."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from shutil import copyfile

import pytest

from ..projects import Project, Renderer
from .service import Service


@pytest.fixture(scope="session")
def installed(
    renderer: Renderer, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Project]:
    """A project for each database; what these tests change is in the databases only."""
    folder = tmp_path_factory.mktemp("serve")
    return cache(lambda name: renderer(folder / name, {"database": name}).install())


@pytest.fixture
def service(installed: Callable[[str], Project], database: str, database_url: str) -> Service:
    """On an empty table of users."""
    service = Service(installed(database), database_url)
    service.migrate(database_url)
    return service


@pytest.fixture(scope="session")
def file(installed: Callable[[str], Project], tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("file") / "app.db"
    installed("sqlite").run("alembic", "upgrade", "head", url=f"sqlite:///{file}")
    return file


@pytest.fixture
def simple(installed: Callable[[str], Project], file: Path, tmp_path: Path) -> Service:
    """For what has nothing to do with the database."""
    return Service(installed("sqlite"), f"sqlite:///{copyfile(file, tmp_path / 'app.db')}")
