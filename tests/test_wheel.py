"""Installed from a wheel, in a folder with nothing in it."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from .migrations import Migrations
from .projects import Project, run_uv

Render = Callable[..., Project]

pytestmark = pytest.mark.slow


def test_without_the_project(
    render: Render, database: str, database_url: str, tmp_path: Path
) -> None:
    m = Migrations(installed(render(database=database), tmp_path / "empty"), database_url)
    m.db("upgrade")
    assert m.db("current").endswith(" (head)\n")
    assert "No new upgrade operations detected." in m.db("check")
    with m.project.serve(m.url) as client:
        assert client.get("/readyz").json() == {"status": "ready"}
        assert client.get("/users").json() == {"items": [], "next": None}


def test_files_of_the_project_are_not_written(render: Render, tmp_path: Path) -> None:
    project = installed(render(), tmp_path / "empty")
    before = set(tmp_path.rglob("*.py")), list((tmp_path / "empty").iterdir())
    for arguments in (["init", "alembic"], ["revision", "-m", "x"], ["merge"], ["squash"]):
        done = project.run(project.console_script, "db", *arguments, check=False)
        assert done.returncode == (2 if arguments[0] in {"merge", "squash"} else 1)
        assert done.stderr.startswith(f"FAILED: `{arguments[0]}` writes files of the project")
        assert done.stderr.count("\n") == 1
    assert (set(tmp_path.rglob("*.py")), list((tmp_path / "empty").iterdir())) == before


def test_sqlite_needs_no_setting(render: Render, tmp_path: Path) -> None:
    project = installed(render(), tmp_path / "empty")
    project.run(project.console_script, "db", "upgrade")
    assert [path.suffix for path in project.path.glob("*.db")] == [".db"]


def installed(project: Project, folder: Path) -> Project:
    """The project as its users have it: its wheel, and no source."""
    build = ["build", "--wheel", "--no-build-isolation", "--python", sys.executable]
    run_uv(*build, "--out-dir", str(folder.parent / "wheels"), folder=project.path)
    (wheel,) = (folder.parent / "wheels").glob("*.whl")
    project.install()
    folder.mkdir()
    (project.path / ".venv").rename(folder / ".venv")
    shutil.rmtree(project.path)
    target = ["--python", str(folder / ".venv")]
    run_uv("pip", "install", *target, "--no-deps", "--reinstall", str(wheel))
    return replace(project, path=folder)
