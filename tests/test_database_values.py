"""What a service keeps in each database: keys count up, and values come back as they were."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import inspect, literal, select, text
from sqlalchemy.exc import StatementError

from .databases import execute, query
from .private import private_server
from .services import SERVERS, Service, on

pytestmark = pytest.mark.anyio


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


async def test_a_nul_in_a_text_is_no_bug_of_the_service(service: Service) -> None:
    """PostgreSQL cannot store it."""
    expected = (422, 0) if service.database == "postgresql" else (201, 1)
    async with service.run() as running:
        response = await running.create(name="a\0b")
        assert (response.status_code, service.items()) == expected
        assert await running.is_idle()


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


@pytest.mark.slow
@on("mariadb", "mysql")
async def test_a_server_that_takes_double_quotes_for_names(empty_service: Service) -> None:
    """SQLAlchemy asks each engine's first connection, which is to be strict by then."""
    with private_server(empty_service.database, lambda _: ["--sql-mode=ANSI"]) as server:
        service = replace(empty_service, url=server.create_database("ansi"))
        with service.migration_engine().connect() as connection:
            assert inspect(connection).get_table_names() == []
            assert not inspect(connection).has_table("users")
        async with service.run() as running:
            for sessions in (running.database.sessions, running.database.read_sessions):
                async with sessions() as session:
                    assert await session.scalar(select(literal(1).label("order"))) == 1


async def test_texts_and_bytes_come_back_as_they_were(service: Service) -> None:
    sent = "😀 é \\ ' \" % :x"
    async with service.run() as running:
        assert (await running.create(name=sent)).json()["name"] == sent
        assert query(service.url, "SELECT name FROM items") == [(sent,)]
        async with running.database.read_sessions() as session:
            payload = b"\x00'\\\", 1 -- "
            answer = await session.execute(text("SELECT :payload, 'end'"), {"payload": payload})
            assert [bytes(answer.one()[0])] == [payload]
