"""Transactions of a service, on each database: when they commit, roll back, or are a conflict."""

from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from .databases import execute, query
from .proxy import Moment
from .services import SERVERS, Receive, Send, Service, on, open_client

pytestmark = pytest.mark.anyio


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
