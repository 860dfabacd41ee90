"""Sessions of a service that only read, on each database, also beside one that writes."""

import pytest

from .services import SERVERS, Service, on

pytestmark = pytest.mark.anyio


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


async def test_what_a_reader_was_given_to_write_is_not_lost_in_silence(service: Service) -> None:
    async with service.run(size=1) as running:
        await running.create()
        client = running.client
        for response in (
            await client.post("/lab/items/read-only/late", json={}),
            await client.patch("/lab/items/read-only?name=another"),
            await client.delete("/lab/items/read-only"),
        ):
            assert response.status_code == 500
            assert "take SessionDep" in response.json()["detail"]
        assert (await client.patch("/lab/items/read-only?name=an%20item")).status_code == 200
        assert await running.is_idle()
        assert service.items() == 1


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
