"""Many requests at once, and the end, which lets those under way be answered."""

import asyncio
import json
import signal
from collections import Counter

import pytest

from ..databases import query
from ..serving import Server, read_response
from .service import ADA, Service, post

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


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
