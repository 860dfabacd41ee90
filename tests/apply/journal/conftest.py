"""One workshop for each database and process: each test writes its own migrations in it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial

import pytest

from ...databases import throwaway_database
from ...projects import Renderer
from .workshop import Workshop


@pytest.fixture(scope="session")
def workshops(
    renderer: Renderer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Workshop]]:
    made: dict[str, Workshop] = {}
    with ExitStack() as stack:

        def workshop(database: str) -> Workshop:
            if database not in made:
                folder = tmp_path_factory.mktemp(database)
                project = renderer(folder / "project", {"database": database, "example": False})
                opened = Workshop(project, partial(throwaway_database, database, folder))
                made[database] = stack.enter_context(closing(opened))
            return made[database]

        yield workshop


@pytest.fixture
def workshop(database: str, workshops: Callable[[str], Workshop]) -> Workshop:
    return workshops(database)
