"""A service on SQLite: its settings, its one writer, and statements that are cancelled."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from .databases import execute
from .services import Running, Service, on

pytestmark = pytest.mark.anyio

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
