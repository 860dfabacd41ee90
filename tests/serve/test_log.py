"""What the server writes, and what an answer does not tell."""

import json
import signal
from pathlib import Path

import pytest

from ..serving import problem, start
from .service import ADA, Service

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


async def test_each_request_has_an_id_and_a_line(simple: Service) -> None:
    async with simple.serve() as server:
        sent = {"given-1": "given-1", "a b": None, "x" * 129: None}
        for given, expected in sent.items():
            response = await server.client.get("/users", headers={"X-Request-ID": given})
            answered = response.headers["x-request-id"]
            assert answered == expected or (expected is None and len(answered) == 32)
            line = await server.line(response)
            assert (line["method"], line["path"], line["status"]) == ("GET", "/users", 200)
            assert line["milliseconds"] > 0


@pytest.mark.parametrize(
    "command",
    [
        ["{slug}", "serve"],
        ["{slug}", "serve", "--workers", "2"],
        ["uvicorn", "{package}.asgi:app"],
    ],
    ids=" ".join,
)
async def test_every_line_is_json(simple: Service, command: list[str]) -> None:
    async with start(simple.project, *simple.command(*command), url=simple.url) as server:
        await server.line(await server.client.get("/nowhere"))
        await server.stop()
    assert {"access", "uvicorn.error"} <= {line["logger"] for line in server.lines}
    assert server.requests[-1]["status"] == 404
    assert "\\u001b" not in server.output
    assert not [line for line in server.lines if "HTTP/1.1" in line["message"]]


@pytest.mark.parametrize("mode", ["run", "dev"])
async def test_the_lines_of_fastapi_are_json_from_the_start_of_the_application(
    simple: Service, mode: str
) -> None:
    async with start(simple.project, "fastapi", mode, url=simple.url) as server:
        await server.client.get("/nowhere")
        await server.wait_for('"/nowhere"')
        await server.stop(signal.SIGINT)
    # What its command prints itself is for people.
    lines = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
    assert lines[0]["message"].startswith("Started server process")
    assert [line["status"] for line in lines if line.get("path") == "/nowhere"] == [404]
    assert "GET /nowhere" not in server.output


async def test_who_debugs_sees_the_service_only(simple: Service) -> None:
    async with simple.serve(LOG_LEVEL="DEBUG") as server:
        await server.line(await server.client.post("/users", json=ADA))
        await server.stop()
    assert {line["logger"] for line in server.lines} <= {"access", "uvicorn.error"}
    assert ADA["email"] not in server.output


async def test_lines_on_a_terminal_are_readable(simple: Service) -> None:
    command = simple.command("{slug}", "serve")
    async with start(simple.project, *command, url=simple.url, terminal=True) as server:
        await server.client.get("/%1B%5B31m%07")
        await server.wait_for("404")
        assert await server.stop() == 0
    assert "{" not in server.output
    assert "Application startup complete." in server.output
    assert "/%1B%5B31m%07" in server.output
    assert "\x07" not in server.output


async def test_an_unexpected_error_is_told_to_the_log_only(simple: Service, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/empty.db"
    async with simple.serve(url=url) as server:
        response = await server.client.get("/users")  # whose table is missing
        assert "detail" not in problem(response, 500)
        [line] = [line for line in server.lines if line["level"] == "error"]
        assert "no such table: users" in line["exception"]
        assert line["request_id"] == response.headers["x-request-id"]
    async with simple.serve(url=url, ENVIRONMENT="development") as server:
        response = await server.client.get("/users")
        assert "no such table: users" in problem(response, 500)["detail"]


async def test_production_is_closed(simple: Service) -> None:
    page = {"origin": "http://localhost:3000"}
    async with simple.serve() as server:
        for path in ("/docs", "/redoc", "/openapi.json"):
            problem(await server.client.get(path), 404)
        response = await server.client.get("/users", headers=page)
        assert "access-control-allow-origin" not in response.headers
    async with simple.serve(ENVIRONMENT="development") as server:
        for path in ("/docs", "/redoc", "/openapi.json"):
            (await server.client.get(path)).raise_for_status()
        response = await server.client.get("/nowhere", headers=page)
        assert response.headers["access-control-allow-origin"] == page["origin"]
