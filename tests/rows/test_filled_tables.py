"""Every migration meets rows: what fails on them is found, and so is what loses them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..projects import WITHOUT_CERTIFICATES, Project
from .histories import (
    FOUND,
    FOUND_IN_SCHEMA,
    FOUND_IN_VIEWS,
    HISTORIES,
    IN_SCHEMA,
    IN_VIEWS,
)
from .tables import migration, of_others

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("walks.py")


def test_what_is_found(render: Callable[..., Project], database: str, database_url: str) -> None:
    histories, expected = HISTORIES, FOUND
    if database != "sqlite":
        histories = histories | {"types of one database": [of_others(database), migration("pass")]}
    if database == "postgresql":
        histories, expected = histories | IN_SCHEMA, FOUND | FOUND_IN_SCHEMA
    if database in {"mariadb", "mysql"}:
        histories, expected = histories | IN_VIEWS, FOUND | FOUND_IN_VIEWS
    found = _walk(render(database=database, example=False), database_url, histories)
    assert found.keys() == histories.keys()
    wrong = {
        name: sentences
        for name, sentences in found.items()
        if len(sentences) != len(expected.get(name, []))
        or not all(
            part in each and "\n" not in each
            for part, each in zip(expected.get(name, []), sentences, strict=True)
        )
    }
    assert not wrong
    failed = [each for sentences in found.values() for each in sentences if " fails on " in each]
    assert all("`given_values`" in each for each in failed)


def _walk(project: Project, url: str, histories: dict[str, list[str]]) -> dict[str, list[str]]:
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), str(project.answers["package_name"])],
        input=json.dumps(histories),
        env={
            **WITHOUT_CERTIFICATES,
            "PYTHONPATH": str(project.path / "src"),
            "DATABASE_URL": url,
            "RELEASE": "1",
        },
        cwd=project.path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, list[str]] = json.loads(ended.stdout)
    return found
