"""What a service does while its database is away, and afterwards."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.util import CommandError
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from .databases import execute
from .private import private_server
from .services import PATIENCE, SERVERS, Running, Service, on

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@on(*SERVERS)
async def test_connections_that_were_killed_while_idle_cost_nothing(service: Service) -> None:
    async with service.run(size=5) as running:
        await running.connect()
        assert service.kill_connections() == 10
        await asyncio.sleep(0.1)
        assert await statuses(running, 5) == [200] * 5 + [201] * 5
        assert await running.is_idle()


@on(*SERVERS)
@pytest.mark.parametrize(("method", "ok"), [("GET", 200), ("POST", 201)])
async def test_a_connection_that_dies_in_use_costs_one_request(
    service: Service, method: str, ok: int
) -> None:
    async with service.run(size=3) as running:
        await running.connect()
        before = service.items()
        slow = asyncio.create_task(running.client.request(method, "/lab/slow?seconds=20"))
        await asyncio.sleep(0.2)
        service.kill_connections()
        response = await slow
        assert response.status_code == 503, response.text
        assert response.headers["retry-after"] == "1"
        assert await statuses(running, 5) == [200] * 5 + [201] * 5
        assert service.items() == before + 5
        assert await running.is_idle()


@on(*SERVERS)
async def test_a_connection_that_dies_between_two_statements(service: Service) -> None:
    async with service.run(size=3) as running:
        await running.connect()
        before = service.items()
        held = asyncio.create_task(running.client.post("/lab/hold?seconds=0.5"))
        await asyncio.sleep(0.2)
        service.kill_connections()
        assert (await held).status_code == 503
        assert service.items() == before
        assert await statuses(running, 5) == [200] * 5 + [201] * 5
        assert await running.is_idle()


@on(*SERVERS)
async def test_a_server_that_is_away_at_start_and_in_between(service: Service) -> None:
    async with service.proxy() as proxy:
        await proxy.stop()
        async with service.run(service.through(proxy.port), size=3) as running:
            assert (await running.client.get("/livez")).status_code == 200
            for _ in range(2):
                assert set(await statuses(running, 10)) == {503}
                assert (await running.client.get("/readyz")).status_code == 503
                await proxy.start()
                assert await statuses(running, 5) == [200] * 5 + [201] * 5
                await proxy.stop()
            assert await running.is_idle()


@on(*SERVERS)
async def test_a_server_that_accepts_and_stays_silent(service: Service) -> None:
    async with service.proxy() as proxy:
        proxy.freeze()
        async with service.run(service.through(proxy.port), size=2) as running:
            started = time.monotonic()
            assert set(await statuses(running, 3)) == {503}
            assert (await running.client.get("/readyz")).status_code == 503
            assert time.monotonic() - started < PATIENCE
            proxy.thaw()
            assert await statuses(running, 3) == [200] * 3 + [201] * 3
            assert await running.is_idle()


@on(*SERVERS)
async def test_a_server_that_falls_silent_on_an_open_connection(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.module("health").Readiness, "KEPT", 0)
    async with service.proxy() as proxy, service.run(service.through(proxy.port)) as running:
        answered = (await running.client.get("/readyz")).text
        assert "does not answer" not in answered
        proxy.freeze()
        for _ in range(2):
            async with asyncio.timeout(2):
                assert "does not answer" in (await running.client.get("/readyz")).text
        proxy.thaw()
        await running.client.get("/readyz")  # the end of the old question
        assert (await running.client.get("/readyz")).text == answered


async def statuses(running: Running, number: int) -> list[int]:
    """As many requests of a reader and of a writer, all at the same time."""
    reading = [running.count() for _ in range(number)]
    writing = [running.create() for _ in range(number)]
    return await running.together(*reading, *writing)


@on(*SERVERS)
async def test_a_server_that_was_restarted(empty_service: Service) -> None:
    with private_server(empty_service.database) as server:
        service = replace(empty_service, url=server.create_database("restarted"))
        service.create_tables()
        async with service.run(size=3) as running:
            await running.connect()
            server.stop()
            assert set(await statuses(running, 3)) == {503}
            server.start()
            assert await statuses(running, 5) == [200] * 5 + [201] * 5
            server.stop()
            server.start()
            # Nobody asked meanwhile: what is in the pools is dead, and is noticed.
            assert await statuses(running, 5) == [200] * 5 + [201] * 5
            assert await running.is_idle()


@on("mysql")
async def test_a_url_that_takes_the_server_for_mariadb(service: Service) -> None:
    url = make_url(service.url).set(drivername="mariadb")
    async with service.run(url.render_as_string(hide_password=False), size=2) as running:
        assert set(await statuses(running, 3)) == {503}
        assert (await running.client.get("/readyz")).status_code == 503
    look = service.module("migrations.toolkit.connection").look
    with pytest.raises(CommandError, match=r"is MySQL, and .* write mysql://"), look(url):
        pass


@on("sqlite")
async def test_closing_hides_nothing_that_was_said(service: Service) -> None:
    """Where the server has gone, drivers raise errors that are not the database's."""

    def fail(_: Connection) -> None:
        raise OSError("gone")

    connect = service.module("migrations.toolkit.connection").connect
    engine = service.migration_engine()
    event.listen(engine, "rollback", fail)
    with pytest.raises(DBAPIError, match="no such table"), connect(engine) as connection:
        connection.exec_driver_sql("SELECT * FROM nowhere")
    event.remove(engine, "rollback", fail)
    connection.close()


@on(*SERVERS)
async def test_who_is_refused_by_the_server_hears_of_an_outage(service: Service) -> None:
    """It is no bug of the service; when it is put right there, requests are served."""
    port = make_url(service.url).port or 0
    unknown = service.through(port, username="nobody", password="x")
    for url in (unknown, service.through(port, database="nowhere")):
        async with service.run(url, size=2) as running:
            assert set(await statuses(running, 3)) == {503}
            assert (await running.client.get("/readyz")).status_code == 503
            assert await running.is_idle()
    with locked_login(service) as (url, unlock):
        async with service.run(url, size=2) as running:
            assert set(await statuses(running, 3)) == {503}
            unlock()
            assert await statuses(running, 3) == [200] * 3 + [201] * 3
            assert await running.is_idle()


@contextmanager
def locked_login(service: Service) -> Iterator[tuple[str, Callable[[], None]]]:
    """The URL of a user who may not log in, and what lets them in."""
    url = make_url(service.url)
    user = name = f"u_{url.database}"[:32]
    if service.database == "postgresql":
        create, change = f"CREATE ROLE {user} NOLOGIN SUPERUSER", f"ALTER ROLE {user} LOGIN"
    else:
        user = f"{name}@'%', {name}@localhost"
        create, change = f"CREATE USER {user} ACCOUNT LOCK", f"ALTER USER {user} ACCOUNT UNLOCK"
    execute(service.url, create)
    try:
        if service.database != "postgresql":
            execute(service.url, f"GRANT ALL ON {url.database}.* TO {user}")
        yield service.through(url.port or 0, username=name), lambda: execute(service.url, change)
    finally:
        execute(service.url, f"DROP USER {user}")


@on("sqlite")
async def test_a_file_that_is_no_database(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "app.db"
    file.write_bytes(b"This is a letter." * 1000)
    async with service.run(f"sqlite:///{file}", size=2) as running:
        assert set(await statuses(running, 3)) == {503}
        assert (await running.client.get("/readyz")).status_code == 503
        shutil.copyfile(str(make_url(service.url).database), file)
        assert await statuses(running, 3) == [200] * 3 + [201] * 3


@on("sqlite")
@pytest.mark.parametrize("wal", [True, False])
async def test_a_file_that_may_not_be_written(service: Service, wal: bool) -> None:
    """Readers need that, too: for files beside it, or for its mode."""
    with read_only_file(service, wal=wal) as url:
        async with service.run(url, size=2) as running:
            with without_root():
                assert set(await statuses(running, 2)) == {503}
                assert (await running.client.get("/readyz")).status_code == 503


@contextmanager
def read_only_file(service: Service, *, wal: bool) -> Iterator[str]:
    """Not below pytest's folder, which is for its owner only."""
    folder = Path(tempfile.mkdtemp())
    file = folder / "app.db"
    shutil.copyfile(str(make_url(service.url).database), file)
    execute(f"sqlite:///{file}", f"PRAGMA journal_mode = {'WAL' if wal else 'DELETE'}")
    file.chmod(0o444)
    folder.chmod(0o555 if wal else 0o777)
    try:
        yield f"sqlite:///{file}"
    finally:
        folder.chmod(0o777)
        shutil.rmtree(folder)


@contextmanager
def without_root() -> Iterator[None]:
    """Nothing is forbidden to root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@on("postgresql")
async def test_a_transaction_that_the_server_ends_for_its_idleness(service: Service) -> None:
    database = make_url(service.url).database
    execute(
        service.url, f"ALTER DATABASE {database} SET idle_in_transaction_session_timeout = '100ms'"
    )
    async with service.run(size=2) as running:
        response = await running.client.post("/lab/hold?seconds=0.6")
        assert response.status_code == 503, response.text
        assert await statuses(running, 2) == [200] * 2 + [201] * 2
        assert await running.is_idle()


@on(*SERVERS)
async def test_what_the_server_refuses_for_now(service: Service) -> None:
    """A lock that another one holds is no bug."""
    async with service.run(size=2) as running:
        await running.create(code="a")
        with service.migration_engine().begin() as connection:
            connection.execute(text("UPDATE items SET code = 'b'"))
            async with running.database.sessions() as session:
                limit = {
                    "postgresql": "SET LOCAL lock_timeout = '100ms'",
                    "mariadb": "SET SESSION innodb_lock_wait_timeout = 1",
                    "mysql": "SET SESSION innodb_lock_wait_timeout = 1",
                }[service.database]
                await session.execute(text(limit))
                with pytest.raises(DBAPIError) as refused:
                    await session.execute(text("UPDATE items SET code = 'c'"))
        assert service.module("driver").is_unavailable(refused.value)
        assert await running.is_idle()
