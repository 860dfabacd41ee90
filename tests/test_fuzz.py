"""The API fuzzed by its own document: every check, and links from one request to the next."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .projects import Project
from .serving import start

Render = Callable[..., Project]

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

# The same cases on every run. Change it to look elsewhere.
SEED = 1
CASES = 2000
# The most for one operation in one phase; some have fewer different ones.
CASES_PER_OPERATION = 480


# How the document leads from one request to the next.
LINKS = (
    "POST /users -> [201] get_user -> GET /users/{user_id}",
    "POST /users -> [201] update_user -> PATCH /users/{user_id}",
    "POST /users -> [201] delete_user -> DELETE /users/{user_id}",
    "GET /users -> [200] next -> GET /users",
)


async def test_fuzz(render: Render, database: str, database_url: str, tmp_path: Path) -> None:
    project = render(database=database).install()
    project.run("alembic", "upgrade", "head", url=database_url)
    command = [project.console_script, "serve"]
    development = {"ENVIRONMENT": "development"}  # for the document
    async with start(project, *command, url=database_url, variables=development) as server:
        document = f"{server.client.base_url}/openapi.json"
        code, output = await asyncio.to_thread(fuzz, document, tmp_path)
        assert await server.stop() == 0
    assert code == 0, output
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["complete"]
    assert report["failures"] == report["errors"] == []
    assert not any(report["warnings"].values()), report["warnings"]
    assert {phase["status"] for phase in report["phases"].values()} == {"success"}
    assert report["test_cases"]["without_checks"] == 0
    assert CASES <= report["test_cases"]["generated"] <= len(server.requests)

    events = (tmp_path / "events.ndjson").read_text()
    assert [link for link in LINKS if json.dumps(link) not in events] == []

    # The fuzzer asks first what the server makes of a NUL in a header.
    assert {line["level"] for line in server.lines} <= {"info", "warning"}
    warnings = {line["message"] for line in server.lines if line["level"] == "warning"}
    assert warnings <= {"Invalid HTTP request received."}


def fuzz(document: str, folder: Path) -> tuple[int, str]:
    options = [f"--seed={SEED}", f"--max-examples={CASES_PER_OPERATION}", "--checks=all"]
    options += ["--continue-on-failure", "--no-color", "--generation-database=none"]
    options += ["--report=json,ndjson"]
    options += ["--report-json-path=report.json", "--report-ndjson-path=events.ndjson"]
    command = [sys.executable, "-m", "schemathesis.cli", "run", document, *options]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=900, check=False
    )
    return done.returncode, done.stdout + done.stderr
