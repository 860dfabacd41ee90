"""pytest plugin: two projects to compare, one of them with Alembic's own env.py."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.apply.lab import use_plain_alembic, write_migration
from tests.databases import throwaway_database
from tests.projects import Project

from .race import Race

OURS, PLAIN = "this template", "plain Alembic"


@dataclass(frozen=True)
class Rivals:
    ours: Project
    plain: Project
    database: str
    folder: Path

    def write(self, revision: str, upgrade: str, downgrade: str = "pass") -> None:
        for project in (self.ours, self.plain):
            write_migration(project, revision, upgrade, downgrade)

    @contextmanager
    def fresh(self) -> Iterator[str]:
        with throwaway_database(self.database, self.folder) as url:
            yield url

    def commands(self) -> dict[str, tuple[Project, list[str]]]:
        return {
            OURS: (self.ours, [self.ours.console_script, "db", "upgrade"]),
            PLAIN: (self.plain, ["alembic", "upgrade", "head"]),
        }


@pytest.fixture
def rivals(render: Callable[..., Project], database: str, tmp_path: Path) -> Rivals:
    ours, plain = (render(database=database, example=False).install() for _ in range(2))
    use_plain_alembic(plain)
    for project in (ours, plain):
        shutil.rmtree(project.package / "migrations" / "versions", ignore_errors=True)
    return Rivals(ours, plain, database, tmp_path)


@pytest.fixture
def against() -> str:
    return PLAIN


@pytest.fixture
def race(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], against: str
) -> Iterator[Race]:
    race = Race(against)
    yield race
    with capsys.disabled():
        print(f"\n{request.node.name}\n{race}")
