"""The server as it is run: by its documented command, called over HTTP, ended by a signal."""

import asyncio
import json
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import copyfile

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from .databases import execute, query
from .projects import Project, Renderer
from .proxy import open_proxy
from .services import SERVERS
from .serving import Server, problem, read_response, start

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


ADA = {"name": "Ada", "email": "ada@example.com"}
JSON = b"Content-Type: application/json"
# What a call may take while the database is away.
PATIENCE = 10.0
SECRET = "s3cr/t p@ss#1"
VERBOSE = {"LOG_LEVEL": "DEBUG", "ENVIRONMENT": "development"}


def on(*databases: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("database", databases, indirect=True)


@dataclass(frozen=True)
class Service:
    project: Project
    url: str

    def command(self, *parts: str) -> list[str]:
        """With the project's own names."""
        names = {"slug": self.project.console_script, "package": self.project.package.name}
        return [part.format(**names) for part in parts]

    def serve(
        self, *options: str, url: str = "", **variables: str
    ) -> AbstractAsyncContextManager[Server]:
        command = self.command("{slug}", "serve", *options)
        return start(self.project, *command, url=url or self.url, variables=variables)

    def migrate(self, url: str) -> None:
        self.project.run("alembic", "upgrade", "head", url=url)


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def file(installed: Callable[[str], Project], tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("file") / "app.db"
    installed("sqlite").run("alembic", "upgrade", "head", url=f"sqlite:///{file}")
    return file


@pytest.fixture
def simple(installed: Callable[[str], Project], file: Path, tmp_path: Path) -> Service:
    """For what has nothing to do with the database."""
    return Service(installed("sqlite"), f"sqlite:///{copyfile(file, tmp_path / 'app.db')}")


# Without the database


@pytest.fixture
def login(database: str, database_url: str) -> Iterator[str]:
    """The URL with a name and a password of its own."""
    url = make_url(database_url)
    user = f"u_{url.database}"[:32]
    if database == "postgresql":
        execute(database_url, f"CREATE ROLE {user} SUPERUSER LOGIN PASSWORD '{SECRET}'")
        drop = f"DROP ROLE {user}"
    else:
        # MariaDB has an account for anybody from localhost, which goes before "%".
        accounts = [f"{user}@'{host}'" for host in ("%", "localhost")]
        for account in accounts:
            execute(database_url, f"CREATE USER {account} IDENTIFIED BY '{SECRET}'")
            execute(database_url, f"GRANT ALL ON {url.database}.* TO {account}")
        drop = f"DROP USER {', '.join(accounts)}"
    yield url.set(username=user, password=SECRET).render_as_string(hide_password=False)
    execute(database_url, drop)


@on(*SERVERS)
@pytest.mark.parametrize("silent", [False, True], ids=["refusing", "silent"])
async def test_it_starts_without_its_server_and_recovers(
    service: Service, login: str, silent: bool
) -> None:
    url = make_url(login)
    async with open_proxy(url.port or 0) as proxy:
        through = url.set(port=proxy.port).render_as_string(hide_password=False)
        if silent:
            proxy.freeze()
        else:
            await proxy.stop()
        async with service.serve(url=through, **VERBOSE) as server:
            await is_unavailable(server)
            if silent:
                proxy.thaw()
            else:
                await proxy.start()
            await recovers(server)
            await proxy.stop()
            await is_unavailable(server)
            await proxy.start()
            await recovers(server)
            assert await server.stop() == 0
    assert not [line for line in server.lines if "exception" in line]
    assert "s3cr" not in server.output


async def is_unavailable(server: Server) -> None:
    """Every call is answered in time, and none shows the password."""
    (await server.client.get("/livez")).raise_for_status()
    await asyncio.sleep(1)  # as long as an answer about readiness is kept
    for method, path in (("GET", "/users"), ("POST", "/users"), ("GET", "/readyz")):
        started = time.monotonic()
        response = await server.client.request(method, path, json=ADA)
        assert time.monotonic() - started < PATIENCE
        problem(response, 503)
        assert response.headers["retry-after"] == "1"
        assert "s3cr" not in response.text


async def recovers(server: Server) -> None:
    """By itself, and soon."""
    deadline = time.monotonic() + PATIENCE
    while (await server.client.get("/readyz")).status_code != 200:
        assert time.monotonic() < deadline, server.output[-2000:]
        await asyncio.sleep(0.2)
    (await server.client.get("/users")).raise_for_status()
    assert (await server.client.post("/users", json=ADA)).status_code in (201, 409)


@on("mariadb", "mysql")  # PostgreSQL trusts everybody in these tests
async def test_a_wrong_password_is_not_shown(service: Service, login: str) -> None:
    wrong = make_url(login).set(password=f"{SECRET}2").render_as_string(hide_password=False)
    async with service.serve(url=wrong, **VERBOSE) as server:
        for path in ("/users", "/readyz"):
            response = await server.client.get(path)
            assert response.status_code in (500, 503)
            assert "s3cr" not in response.text
        assert "Access denied" in str(server.lines)
        assert "s3cr" not in server.output


async def test_sqlite_without_its_folder(simple: Service, tmp_path: Path) -> None:
    file = tmp_path / "mounted" / "app.db"
    url = f"sqlite:///{file}"
    async with simple.serve(url=url) as server:
        await is_unavailable(server)
        file.parent.mkdir()
        simple.migrate(url)
        await recovers(server)


@on("sqlite")
async def test_sqlite_while_another_process_writes(service: Service) -> None:
    async with service.serve() as server:
        with create_engine(service.url, isolation_level="AUTOCOMMIT").connect() as other:
            other.exec_driver_sql("BEGIN IMMEDIATE")
            started = time.monotonic()
            problem(await server.client.post("/users", json=ADA), 503)
            assert time.monotonic() - started < PATIENCE
            (await server.client.get("/users")).raise_for_status()
            other.exec_driver_sql("ROLLBACK")
        assert (await server.client.post("/users", json=ADA)).status_code == 201


# Many at once, and the end


async def test_more_requests_than_connections(service: Service) -> None:
    async with service.serve() as server:
        users = [{"name": "U", "email": f"{number}@example.com"} for number in range(50)]
        responses = await asyncio.gather(
            *(server.client.post("/users", json=user) for user in users),
            *(server.client.get("/users") for _ in users),
        )
        statuses = Counter(response.status_code for response in responses)
        # On a slow machine some wait too long, and are told so.
        assert set(statuses) <= {200, 201, 503}
        assert statuses[200] + statuses[201] > 50
        assert query(service.url, "SELECT count(*) FROM users") == [(statuses[201],)]
        (await server.client.get("/users")).raise_for_status()


async def test_a_request_under_way_is_answered_before_the_end(service: Service) -> None:
    async with service.serve() as server:
        await ends_well_during_a_request(server)
    assert query(service.url, "SELECT name FROM users") == [("Ada",)]


async def test_several_workers_end_well(simple: Service) -> None:
    async with simple.serve("--workers", "2") as server:
        await ends_well_during_a_request(server)
    started = [line for line in server.lines if line["message"].startswith("Started server")]
    assert len(started) == 2


async def ends_well_during_a_request(server: Server) -> None:
    body = json.dumps(ADA).encode()
    expecting = post(b"/users", b"Expect: 100-continue", b"Content-Length: %d" % len(body))
    async with server.connect() as (reader, writer):
        writer.write(expecting)
        assert (await read_response(reader)).status_code == 100
        ending = asyncio.create_task(server.stop())
        await server.wait_for("Waiting for connections to close")
        writer.write(body)
        assert (await read_response(reader)).status_code == 201
        assert await ending == 0


async def test_the_keyboard_ends_it(simple: Service) -> None:
    async with simple.serve() as server:
        assert await server.stop(signal.SIGINT) == 0
    assert "Traceback" not in server.output


# Odd requests


def request(method: bytes, path: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    length = [b"Content-Length: %d" % len(body)] if body else []
    lines = [b"%s %s HTTP/1.1" % (method, path), b"Host: localhost", *length, *headers]
    return b"\r\n".join([*lines, b"", body])


def post(path: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return request(b"POST", path, JSON, *headers, body=body)


def user(name: bytes) -> bytes:
    return post(b"/users", body=b'{"name": %s, "email": "odd@example.com"}' % name)


ODD = {
    "NUL in a text": (422, user(rb'"a\u0000b"')),
    "half a character": (422, user(rb'"\ud800"')),
    "no UTF-8": (400, user(b'"\xff"')),
    "a long number": (400, user(b"9" * 5000)),
    "a very large number": (422, user(b"9" * 4000)),
    "not a number": (422, user(b"NaN")),
    "deep": (422, user(b"[" * 500 + b"]" * 500)),
    "too deep": (400, post(b"/users", body=b"[" * 200_000)),
    "half an object": (422, post(b"/users", body=b'{"name":')),
    "no object": (422, post(b"/users", body=b"null")),
    "no body": (422, post(b"/users")),
    "a form": (415, request(b"POST", b"/users", body=b"name=Ada")),
    "too large, as announced": (413, post(b"/users", b"Content-Length: 1048577")),
    "too large": (413, post(b"/users", body=b" " * 1_048_577)),
    "too large, in pieces": (
        413,
        post(b"/users", b"Transfer-Encoding: chunked", body=b"")
        + (b"10000\r\n" + b" " * 65_536 + b"\r\n") * 17
        + b"0\r\n\r\n",
    ),
    "too large, asked before": (
        413,
        post(b"/users", b"Content-Length: 99999999", b"Expect: 100-continue"),
    ),
    "an unknown path": (404, request(b"GET", b"/nowhere")),
    "a path with line end": (404, request(b"GET", b"/%0A%1B[31mred")),
    "a path that is no UTF-8": (422, request(b"GET", b"/users/%FF")),
    "NUL in a path": (422, request(b"GET", b"/users/%00")),
    "a long path": (404, request(b"GET", b"/" + b"a" * 60_000)),
    "a long query": (422, request(b"GET", b"/users?cursor=" + b"1" * 60_000)),
    "a large key": (422, request(b"GET", b"/users/9223372036854775808")),
    "the largest key": (404, request(b"GET", b"/users/9223372036854775807")),
    "a large cursor": (422, request(b"GET", b"/users?cursor=9223372036854775808")),
    "another method": (405, request(b"PUT", b"/users")),
    "TRACE": (405, request(b"TRACE", b"/users")),
    "a page of another origin": (
        400,
        request(
            b"OPTIONS",
            b"/users",
            b"Origin: https://evil.example",
            b"Access-Control-Request-Method: POST",
        ),
    ),
}


async def test_odd_requests_are_refused_with_a_problem(service: Service) -> None:
    async with service.serve() as server:
        await server.line(await server.client.get("/livez"))  # those before it are written, too
        before = len(server.requests)
        for what, (status, sent) in ODD.items():
            response = await server.send(sent)
            assert response.status_code == status, what
            problem(response, status)
        last = await server.client.get("/users")
        assert last.json()["items"] == []
        await server.line(last)
        assert len(server.requests) == before + len(ODD) + 1
        assert {line["level"] for line in server.lines} == {"info"}


async def test_what_is_no_http_is_refused_by_the_server_itself(simple: Service) -> None:
    """So there is no problem document; nothing else goes wrong either."""
    async with simple.serve() as server:
        for sent in (b"hello\r\n\r\n", request(b"GET", b"/" + b"a" * 70_000), request(b"X", b"/")):
            response = await server.send(sent)
            assert response.status_code == 400
            assert response.headers["content-type"] == "text/plain; charset=utf-8"
        (await server.client.get("/livez")).raise_for_status()
        assert "exception" not in server.output


async def test_what_clients_do_beside_plain_requests(simple: Service) -> None:
    async with simple.serve() as server:
        client = server.client
        refused = await client.put("/users")
        assert refused.headers["allow"] == "GET, HEAD, POST"
        head = await client.head("/users")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len((await client.get("/users")).content))

        slash = await client.get("/users/?limit=1")
        assert slash.status_code == 307
        assert slash.headers["location"] == f"{client.base_url}/users?limit=1"

        # Who sends much at once hears the answer, not the end of the connection.
        large = await client.post("/users", content=b" " * 20_000_000)
        problem(large, 413)
        (await client.get("/livez")).raise_for_status()

        upgrade = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13")
        key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        socket = await server.send(request(b"GET", b"/users", *upgrade, key))
        assert socket.status_code == 403
        assert {line["level"] for line in server.lines} == {"info"}


# Names, addresses and proxies


async def test_proxies_are_believed_by_address(simple: Service) -> None:
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
    for trusted, scheme, address in (
        ("127.0.0.1", "https", "203.0.113.7"),
        ("10.0.0.0/8", "http", "127.0.0.1"),
    ):
        async with simple.serve(FORWARDED_ALLOW_IPS=trusted) as server:
            user = ADA | {"email": f"{scheme}@example.com"}
            created = await server.client.post("/users", json=user, headers=said)
            assert created.headers["location"].startswith(f"{scheme}://127.0.0.1:")
            assert (await server.line(created))["client"] == address


async def test_other_host_names_are_refused(simple: Service) -> None:
    async with simple.serve(ALLOWED_HOSTS="api.example.com,*.example.org") as server:
        for name, status in {
            "api.example.com": 200,
            "a.example.org:80": 200,
            "example.org": 400,
            "evil.example": 400,
        }.items():
            response = await server.client.get("/users", headers={"host": name})
            assert response.status_code == status
        problem(response, 400)
        # By address, as load balancers ask.
        (await server.client.get("/readyz")).raise_for_status()


# What it writes


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


# How it is started


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
