"""The database is away, locked, or refuses: the service goes on, and tells so."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import make_url

from ..databases import execute
from ..proxy import open_proxy
from ..services import SERVERS
from ..serving import Server, problem
from .service import ADA, VERBOSE, Service, on

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

# What a call may take while the database is away.
PATIENCE = 10.0
SECRET = "s3cr/t p@ss#1"


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
        engine = create_engine(service.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as other:
            other.exec_driver_sql("BEGIN IMMEDIATE")
            started = time.monotonic()
            problem(await server.client.post("/users", json=ADA), 503)
            assert time.monotonic() - started < PATIENCE
            (await server.client.get("/users")).raise_for_status()
            other.exec_driver_sql("ROLLBACK")
        assert (await server.client.post("/users", json=ADA)).status_code == 201
