"""Histories that are reviewed in a process of a project, and what is found in them."""

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

from ..projects import WITHOUT_CERTIFICATES, Project

SCRIPT = Path(__file__).with_name("reviewing.py")


def migration(upgrade: str, downgrade: str = "raise NotImplementedError") -> str:
    return "\n".join(
        f"\ndef {name}():\n{indent(dedent(body).strip(), '    ')}\n"
        for name, body in (("upgrade", upgrade), ("downgrade", downgrade))
    )


@dataclass
class History:
    files: dict[str, str]
    new: list[str] | None = None
    models: dict[str, list[str]] = field(default_factory=dict)


def review(project: Project, url: str, histories: dict[str, History]) -> dict[str, Any]:
    """Revisions are named by what they do."""
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), str(project.answers["package_name"])],
        input=json.dumps({name: asdict(each) for name, each in histories.items()}),
        env={
            **WITHOUT_CERTIFICATES,
            "PYTHONPATH": str(project.path / "src"),
            "DATABASE_URL": url,
            "RELEASE": "1",
            "PATH": os.environ["PATH"],
        },
        cwd=project.path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def expected_in(text: str) -> list[tuple[int, str]]:
    """Line and code; the files begin with what `reviewing.py` writes."""
    lines = enumerate(text.split("\n"), start=7)
    found = ((line, re.search(r"# -> (.*)", each)) for line, each in lines)
    return sorted((line, code) for line, each in found if each for code in each[1].split())


def seen_of(findings: list[dict[str, Any]], revision: str) -> list[tuple[int, str]]:
    mine = (each for each in findings if each["revision"] == revision)
    return sorted((each["line"], each["code"]) for each in mine)
