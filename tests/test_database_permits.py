"""Permits to use the database: waiting for one is bounded, and each is given back."""

import asyncio
import time

import pytest

from .databases import query
from .services import Running, Service

pytestmark = pytest.mark.anyio


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
