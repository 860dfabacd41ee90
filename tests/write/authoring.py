"""What somebody does who writes migrations for a project: change its models, and ask for a file."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ..apply.lab import Lab, Target
from ..apply.launcher import Ended
from ..projects import WITHOUT_CERTIFICATES

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)

Write = Callable[[Mapping[str, str]], None]

HEADER = "import sqlalchemy as sa\nimport sqlalchemy.dialects.postgresql\n\nfrom ..database import Base\n"
HISTORY = Path(__file__).with_name("history.py")
TESTS = ["-m", "pytest", "-p", "no:cacheprovider", "tests/test_migrations.py"]


def versions(lab: Lab) -> set[Path]:
    return set((lab.project.package / "migrations" / "versions").glob("*.py"))


def revision(target: Target, message: str, *x: str) -> tuple[Ended, str]:
    """What was said, and the file; its reasons are filled in, so that it may be used."""
    before = versions(target.lab)
    arguments = [word for each in x for word in ("-x", each)]
    ended = target.alembic(*arguments, "revision", "--autogenerate", "-m", message)
    new = versions(target.lab) - before
    assert len(new) == (ended.code == 0), ended.output
    text = "".join(path.read_text() for path in new)
    for path in new:
        path.write_text(text.replace('": ""', '": "meant"'))
    return ended, text


def run_python(target: Target, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    project = target.lab.project
    variables = {**os.environ, **WITHOUT_CERTIFICATES, "DATABASE_URL": target.url, "RELEASE": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=project.path,
        env={**variables, "PYTHONPATH": str(project.path / "src")},
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def run_tests_of_migrations(lab: Lab, url: str) -> None:
    """The project's own tests of its migrations."""
    names = "rows_survive or models_equal or head or says or does"
    ended = run_python(Target(lab, url), *TESTS, "-k", names)
    assert ended.returncode == 0, ended.stdout


@dataclass(frozen=True)
class Made:
    """What `history.py` says of each step, and of the ways back."""

    answers: list[dict[str, str]]
    ways_back: list[str]
    losses: list[str]


def run_history(target: Target, orders: list[dict[str, Any]], *options: str) -> Made:
    package = str(target.lab.project.answers["package_name"])
    ended = run_python(target, str(HISTORY), package, *options, input=json.dumps(orders))
    assert ended.returncode == 0, ended.stderr
    return Made(**json.loads(ended.stdout.splitlines()[-1]))
