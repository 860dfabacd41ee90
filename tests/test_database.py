"""The database layer of a service, on each database: transactions, read sessions, permits."""

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError, StatementError

from .databases import execute, query
from .proxy import Moment
from .services import Receive, Running, Send, Service, on, open_client

pytestmark = pytest.mark.anyio

SERVERS = ("postgresql", "mariadb", "mysql")


# Transactions


async def test_commit_happens_before_the_response_starts(service: Service) -> None:
    seen: list[tuple[int, int]] = []
    async with service.run() as running:

        async def watched(scope: Any, receive: Receive, send: Send) -> None:
            async def look_and_send(message: dict[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    seen.append((message["status"], service.items()))
                await send(message)

            await running.app(scope, receive, look_and_send)

        async with open_client(watched) as client:
            await client.post("/lab/items", json={})
    assert seen == [(201, 1)]


async def test_an_error_rolls_back(service: Service) -> None:
    async with service.run(size=1) as running:
        response = await running.client.post("/lab/items/refused", json={})
        assert response.status_code == 409
        assert service.items() == 0
        assert (await running.create()).status_code == 201
        assert service.items() == 1
        assert await running.is_idle()


@on("postgresql", "sqlite")
async def test_a_constraint_that_fails_at_commit_is_a_conflict(service: Service) -> None:
    async with service.run(size=1) as running:
        for number in range(3):
            assert (await running.create(parent_id=10**9)).status_code == 409
            assert await running.is_idle()
            # Nobody else meets a lock that the failed COMMIT left behind.
            execute(service.url, f"INSERT INTO items (name) VALUES ('other {number}')")
            assert (await running.create()).status_code == 201
        assert service.items() == 6


async def test_what_sqlalchemy_did_not_see_is_rolled_back_too(service: Service) -> None:
    def insert(connection: Connection) -> None:
        cursor = connection.connection.cursor()
        if service.database == "sqlite":
            cursor.execute("BEGIN")
        cursor.execute("INSERT INTO items (name) VALUES ('unseen')")
        cursor.close()

    async with service.run(size=1) as running:
        async with running.engines[0].connect() as connection:
            await connection.run_sync(insert)
        assert (await running.create()).status_code == 201
        assert query(service.url, "SELECT name FROM items") == [("an item",)]
        assert await running.is_idle()


@pytest.mark.parametrize("late", ["", "/late"], ids=["flush", "commit"])
async def test_what_is_taken_is_a_conflict_that_names_the_field(
    service: Service, late: str
) -> None:
    async with service.run(size=1) as running:
        for status in (201, 409, 409):
            response = await running.client.post(f"/lab/items{late}", json={"code": "a '\""})
            assert response.status_code == status, response.text
            assert await running.is_idle()
        assert response.json()["errors"] == [{"field": "body.code", "detail": "is taken"}]
        assert (await running.create(code="b")).status_code == 201
        assert service.items() == 2


async def test_each_column_of_a_taken_combination_is_named(service: Service) -> None:
    """On PostgreSQL it is COMMIT that refuses."""
    async with service.run(size=1) as running:
        for status in (201, 409):
            response = await running.create(area="north", number=1)
            assert response.status_code == status, response.text
        fields = [error["field"] for error in response.json()["errors"]]
        assert fields == ["body.area", "body.number"]
        assert (await running.create(area="north", number=2)).status_code == 201
        assert await running.is_idle()


async def test_a_constraint_that_is_not_about_uniqueness_names_no_field(service: Service) -> None:
    execute(service.url, "CREATE TABLE children (id int PRIMARY KEY, item_id bigint NOT NULL)")
    async with service.run(size=1) as running:
        with pytest.raises(DBAPIError) as refused:
            async with running.database.sessions.begin() as session:
                await session.execute(text("INSERT INTO children (id) VALUES (1)"))
        driver, base = service.module("driver"), service.module("database").Base
        assert driver.taken_columns(refused.value, base.metadata) == []
        assert not driver.is_unavailable(refused.value)


@pytest.mark.parametrize("moment", ["before", "after"])
@on(*SERVERS)
async def test_a_connection_that_dies_at_commit_is_no_success(
    service: Service, moment: Moment
) -> None:
    async with service.proxy() as proxy, service.run(service.through(proxy.port)) as running:
        assert (await running.create()).status_code == 201
        proxy.cut_at(b"COMMIT", moment)
        response = await running.create()
        assert response.status_code == 503, response.text
        assert response.headers["retry-after"] == "1"
        assert await running.is_idle()
        # Whether it is there is what nobody could tell the client.
        assert service.items() == (1 if moment == "before" else 2)
        assert (await running.create()).status_code == 201


async def test_keys_count_up_and_defaults_come_back(service: Service) -> None:
    async with service.run() as running:
        created = [(await running.create()).json() for _ in range(3)]
    ids = [item["id"] for item in created]
    assert ids == sorted(set(ids))
    for item in created:
        moment = datetime.fromisoformat(item["created_at"])
        assert moment.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)


async def test_the_key_of_a_deleted_row_is_never_given_again(service: Service) -> None:
    """A client may still have it, and would see somebody else's row."""
    async with service.run() as running:
        last = [(await running.create()).json()["id"] for _ in range(2)][-1]
        execute(service.url, "DELETE FROM items")
        assert (await running.create()).json()["id"] > last


async def test_moments_are_kept_in_utc(service: Service) -> None:
    item_type = service.module("lab.models").Item
    noon = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    async with service.run() as running:
        async with running.database.sessions.begin() as session:
            session.add(item_type(name="noon", moment=noon))
        async with running.database.read_sessions() as session:
            item = await session.get_one(item_type, 1)
            assert item.moment == noon
            assert item.moment.utcoffset() == timedelta(0)
        with pytest.raises(StatementError, match="needs a time zone"):
            async with running.database.sessions.begin() as session:
                session.add(item_type(name="naive", moment=datetime(2026, 7, 1, 12)))  # noqa: DTZ001
    assert service.items() == 1


@on(*SERVERS)
async def test_what_does_not_fit_is_refused(service: Service) -> None:
    async with service.run() as running:
        assert (await running.create(name="x" * 21)).status_code == 500
    assert service.items() == 0


@on("mariadb", "mysql")
async def test_every_connection_is_strict_and_in_utc(service: Service) -> None:
    """Whatever the server's default is."""
    statement = text("SELECT @@sql_mode, @@time_zone")
    async with service.run() as running:
        for sessions in (running.database.sessions, running.database.read_sessions):
            async with sessions() as session:
                assert_strict(*(await session.execute(statement)).one())
    with service.migration_engine().connect() as connection:
        assert_strict(*connection.execute(statement).one())


def assert_strict(sql_mode: str, time_zone: str) -> None:
    assert {"TRADITIONAL", "STRICT_ALL_TABLES", "ONLY_FULL_GROUP_BY"} <= set(sql_mode.split(","))
    assert "NO_BACKSLASH_ESCAPES" not in sql_mode
    assert time_zone == "+00:00"


async def test_texts_and_bytes_come_back_as_they_were(service: Service) -> None:
    sent = "😀 é \\ ' \" % :x"
    async with service.run() as running:
        assert (await running.create(name=sent)).json()["name"] == sent
        assert query(service.url, "SELECT name FROM items") == [(sent,)]
        async with running.database.read_sessions() as session:
            payload = b"\x00'\\\", 1 -- "
            answer = await session.execute(text("SELECT :payload, 'end'"), {"payload": payload})
            assert [bytes(answer.one()[0])] == [payload]


# Read sessions


@on(*SERVERS)
async def test_round_trips(service: Service) -> None:
    async with service.proxy() as proxy, service.run(service.through(proxy.port)) as running:
        await running.create()
        await running.count()
        proxy.requests.clear()
        await running.count()
        assert len(proxy.requests) == 1, proxy.requests
        proxy.requests.clear()
        await running.create()
        # MySQL asks for defaults, which others return. MySQL and MariaDB need no BEGIN.
        expected = {
            "postgresql": [b"BEGIN", b"INSERT", b"COMMIT"],
            "mariadb": [b"INSERT", b"COMMIT"],
            "mysql": [b"INSERT", b"SELECT", b"COMMIT"],
        }[service.database]
        assert len(proxy.requests) == len(expected), proxy.requests
        for request, word in zip(proxy.requests, expected, strict=True):
            assert word in request


async def test_the_database_refuses_to_write_for_a_reader(service: Service) -> None:
    async with service.run(size=1) as running:
        for _ in range(2):
            response = await running.client.post("/lab/items/read-only", json={})
            assert response.status_code == 500
            said = response.json()["detail"].lower().replace("-", "").replace(" ", "")
            assert "readonly" in said
            assert await running.is_idle()
        assert service.items() == 0
        assert (await running.create()).status_code == 201


async def test_both_sessions_in_one_request(service: Service) -> None:
    async with service.run(size=1, patience=0.5) as running:
        for before in range(3):
            response = await running.client.post("/lab/items/both", json={})
            assert (response.status_code, response.json()) == (201, before)
        assert await running.is_idle()


async def test_a_reader_sees_what_was_committed_just_before(service: Service) -> None:
    async with service.run() as running:
        for number in range(1, 10):
            await running.create()
            assert (await running.count()).json() == number


async def test_a_wrong_statement_is_a_bug_and_not_an_outage(service: Service) -> None:
    async with service.run(size=1) as running:
        assert (await running.client.get("/lab/wrong")).status_code == 500
        assert (await running.count()).status_code == 200
        assert await running.is_idle()


# Permits


async def test_waiting_is_bounded(service: Service) -> None:
    async with service.run(size=2, patience=0.2) as running:
        hold = [running.client.get("/lab/hold?seconds=0.8") for _ in range(6)]
        started = time.monotonic()
        assert sorted(await running.together(*hold)) == [200, 200, 503, 503, 503, 503]
        assert time.monotonic() - started < 2
        assert (await running.count()).status_code == 200
        assert await running.is_idle()


async def test_no_deadlock_with_both_sessions(service: Service) -> None:
    async with service.run(size=2, patience=9) as running:
        both = [running.client.post("/lab/items/both", json={}) for _ in range(20)]
        answers = await running.together(*both, *(running.count() for _ in range(20)))
        assert answers == [201] * 20 + [200] * 20
        assert service.items() == 20
        assert await running.is_idle()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/lab/slow?seconds=20"),
        ("POST", "/lab/slow?seconds=20"),
        ("GET", "/lab/hold?seconds=20"),
        ("POST", "/lab/items/both"),
        ("POST", "/lab/items"),
    ],
)
async def test_cancellation_gives_everything_back(service: Service, method: str, path: str) -> None:
    async with service.run(size=3, patience=1) as running:
        for delay in (0, 0.001, 0.003, 0.01, 0.05):
            # Python 3.11 may lose a cancellation that meets a connection in the making.
            await running.connect()
            await cancelled(running, delay, method, path)
        assert await running.is_idle(), running.database
        answers = await running.together(*(running.create(name="after") for _ in range(9)))
        assert answers == [201] * 9
        assert (await running.count()).status_code == 200
    # What was cancelled before its COMMIT is not there.
    assert query(service.url, "SELECT count(*) FROM items WHERE name = 'slow'") == [(0,)]


async def cancelled(running: Running, delay: float, method: str, path: str) -> None:
    """Half of these wait for a permit when they are cancelled."""
    requests = [
        asyncio.create_task(running.client.request(method, path, json={})) for _ in range(6)
    ]
    await asyncio.sleep(delay)
    for request in requests:
        request.cancel()
    await asyncio.gather(*requests, return_exceptions=True)


async def test_connections_are_closed_at_the_end(service: Service) -> None:
    async with service.run(size=2) as running:
        await running.connect()
        sizes = [pool.checkedin() for pool in running.pools]
        assert sizes == ([1, 2] if service.database == "sqlite" else [2, 2])
    # Disposing of an engine gives it a new pool.
    assert [pool.checkedin() for pool in running.pools] == [0, 0]
    if service.database != "sqlite":
        assert await ended(service)


async def ended(service: Service) -> bool:
    """Whether the server lists no connection of the service any more."""
    for _ in range(40):
        if service.kill_connections() == 0:
            return True
        await asyncio.sleep(0.05)
    return False


# SQLite

WRITE = """
import asyncio, sys
from sqlalchemy import func, make_url, select
from lab_sqlite.database import open_database
from lab_sqlite.lab.models import Item

async def write(database):
    for _ in range(3):
        async with database.permits, database.sessions.begin() as session:
            await session.scalar(select(func.count()).select_from(Item))
            session.add(Item(name="x"))

async def main():
    async with open_database(make_url(sys.argv[1]), 10) as database:
        await asyncio.gather(*(write(database) for _ in range(32)))

asyncio.run(main())
"""


@pytest.mark.parametrize("processes", [1, 2])
@on("sqlite")
def test_writers_that_read_first_never_meet_a_lock(service: Service, processes: int) -> None:
    folder = Path(service.module("database").__file__).parents[1]
    command = [sys.executable, "-c", WRITE, service.url]
    running = [
        subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={"PYTHONPATH": str(folder)}
        )
        for _ in range(processes)
    ]
    errors = [process.communicate(timeout=60)[1] for process in running]
    assert [process.returncode for process in running] == [0] * processes, errors
    assert service.items() == processes * 96


@on("sqlite")
async def test_settings_of_each_connection(service: Service) -> None:
    common = {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 5000}
    async with service.run() as running:
        for sessions, query_only in (
            (running.database.sessions, 0),
            (running.database.read_sessions, 1),
        ):
            async with sessions() as session:
                for name, expected in {**common, "query_only": query_only}.items():
                    assert await session.scalar(text(f"PRAGMA {name}")) == expected, name


@pytest.mark.slow
@on("sqlite")
async def test_a_lock_of_another_process_is_an_outage_for_writers_only(service: Service) -> None:
    async with service.run(size=3) as running:
        with service.migration_engine().begin() as connection:
            connection.execute(text("INSERT INTO items (name) VALUES ('migrated')"))
            answers = await running.together(running.create(), running.create(), running.count())
        assert answers == [503, 503, 200]
        assert await running.is_idle()
        assert (await running.create()).status_code == 201


NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000)"


@on("sqlite")
async def test_a_long_statement_ends_when_it_is_cancelled(service: Service) -> None:
    async with service.run() as running:
        await running.connect()
        for statement in (
            f"{NUMBERS} SELECT count(*) FROM n",
            f"{NUMBERS} INSERT INTO items (name) SELECT i FROM n RETURNING id",
        ):
            await stopped(running, statement, 0.1)
            assert_unlocked(service)


@on("sqlite")
async def test_a_long_statement_ends_that_had_not_begun(service: Service) -> None:
    def be_busy(connection: Connection, *_: object) -> None:
        """Its thread comes to the statement when that was cancelled long ago."""
        driver: Any = connection.connection.driver_connection
        driver._tx.put_nowait((None, lambda: time.sleep(0.2)))

    async with service.run() as running:
        await running.connect()
        event.listen(running.engines[0].sync_engine, "before_cursor_execute", be_busy)
        await stopped(running, f"{NUMBERS} SELECT count(*) FROM n", 0.1)
        assert_unlocked(service)


@on("sqlite")
async def test_a_statement_that_is_cancelled_leaves_no_lock_at_any_point(service: Service) -> None:
    """Also not between its first row and the others: SQLite thinks that it still runs then."""
    async with service.run(size=1) as running:
        for point in range(20):
            await running.connect()
            await stopped(running, "INSERT INTO items (name) VALUES ('x') RETURNING id", 0, point)
            assert_unlocked(service)
        assert await running.is_idle()


async def stopped(running: Running, statement: str, delay: float, point: int = 0) -> None:
    """Cancel after so many answers of the thread in which SQLite runs, or after the delay."""

    async def write() -> None:
        async with running.database.sessions.begin() as session:
            await session.execute(text(statement))

    task = asyncio.create_task(write())
    await asyncio.sleep(delay)
    for _ in range(point):
        wait_for_thread()
        for _ in range(5):
            await asyncio.sleep(0)
    wait_for_thread()
    task.cancel()
    started = time.monotonic()
    await asyncio.gather(task, return_exceptions=True)
    assert time.monotonic() - started < 1


def wait_for_thread() -> None:
    time.sleep(0.003)


def assert_unlocked(service: Service) -> None:
    started = time.monotonic()
    execute(service.url, "INSERT INTO items (name) VALUES ('other')")
    assert time.monotonic() - started < 1
