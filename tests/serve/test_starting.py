"""How the server is started, and what it says where it cannot be."""

import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from ..projects import Project
from ..serving import start
from .service import Service

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


async def test_it_starts_again_when_a_file_changes(
    render: Callable[..., Project], file: Path
) -> None:
    project = render().install()
    command = ("my-service", "serve", "--reload")
    async with start(project, *command, url=f"sqlite:///{file}") as server:
        (project.package / "more.py").touch()
        await server.wait_for("Reloading")
        await server.stop(signal.SIGINT)
    assert {line["logger"] for line in server.lines} <= {"access", "uvicorn.error"}


async def test_the_port_may_come_from_the_environment(simple: Service) -> None:
    async with simple.serve(PORT="") as server:
        assert f"http://127.0.0.1:{server.port}" in server.output


async def test_a_port_in_use_is_no_traceback(simple: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        for workers in ("1", "2"):
            command = simple.command("{slug}", "serve", "--port", port, "--workers", workers)
            done = simple.project.run(*command, url=simple.url, check=False)
            assert done.returncode != 0
            lines = [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]
            assert "in use" in lines[-1]["message"] or "in use" in str(lines)
            assert not [line for line in lines if "exception" in line]


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_what_cannot_start_is_a_failure(
    render: Callable[..., Project], file: Path, workers: str
) -> None:
    project = render().install()
    main = project.package / "main.py"
    opens = "async with web.open_resources(settings) as state:"
    main.write_text(main.read_text().replace(opens, f"1 / 0\n        {opens}"))
    command = ["my-service", "serve", "--port", "0", "--workers", workers]
    # Sooner than a worker that lives, and does not answer, is given up.
    done = project.run(*command, url=f"sqlite:///{file}", check=False, timeout=45)
    assert done.returncode == 3
    said = [json.loads(line)["message"] for line in done.stderr.splitlines()]
    assert "Application startup failed. Exiting." in said
    assert "ZeroDivisionError" in str(said)


WRONG = "DATABASE_URL is not an SQLite URL; it looks like sqlite:///app.db."


@pytest.mark.parametrize(
    "command",
    [
        ["{slug}", "serve"],
        ["{slug}", "serve", "--workers", "2"],
        ["{slug}", "serve", "--reload"],
        ["{slug}", "db", "current"],
        ["uvicorn", "{package}.asgi:app"],
        ["fastapi", "run"],
    ],
    ids=" ".join,
)
async def test_a_wrong_setting_is_a_sentence(simple: Service, command: list[str]) -> None:
    url = "mysql://me:s3cret@localhost/a"
    done = simple.project.run(*simple.command(*command), url=url, check=False)
    assert done.returncode != 0
    said = (done.stdout + done.stderr).splitlines()
    assert said[-1] == f"{WRONG} Set it in the environment or in .env."
    assert len(said) == 1 or command[0] == "fastapi"  # which introduces itself
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stdout + done.stderr


async def test_a_wrong_setting_stops_workers_that_something_else_starts(simple: Service) -> None:
    """Both say it once."""
    command = simple.command("uvicorn", "{package}.asgi:app", "--workers", "2", "--port", "0")
    done = simple.project.run(
        *command, url="mysql://me:s3cret@localhost/a", check=False, timeout=60
    )
    assert done.stderr.count(WRONG) == 2
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stdout + done.stderr


async def test_a_wrong_setting_is_a_sentence_while_developing(simple: Service) -> None:
    """`fastapi dev` waits for a change, as it does with every mistake."""
    url = "mysql://me:s3cret@localhost/a"
    async with start(simple.project, "fastapi", "dev", url=url, ready=False) as server:
        await server.wait_for(WRONG)
        await server.stop(signal.SIGINT)
    assert "Traceback" not in server.output
    assert "s3cret" not in server.output
