"""The database as the application sees it: base class, engines, sessions."""

from asyncio import Semaphore, timeout
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import URL, DateTime, Dialect, MetaData, Table, TypeDecorator, event
from sqlalchemy.exc import DisconnectionError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Session

from . import driver

Sessions = async_sessionmaker[AsyncSession]


class Timestamp(TypeDecorator[datetime]):
    """A moment, in UTC on its way in and out, also where the database knows no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("A moment needs a time zone: datetime.now(UTC), not datetime.now().")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value and value.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {
        int: driver.INTEGER,
        datetime: Timestamp(),
    }
    # Read server-set values back with RETURNING; an async session cannot load them later.
    __mapper_args__ = {"eager_defaults": True}


@event.listens_for(Table, "after_parent_attach")
def _keep_keys(table: Table, metadata: MetaData) -> None:
    """The key of a deleted row must never be another's: clients have it."""
    if metadata is Base.metadata and table.autoincrement_column is not None:
        table.dialect_kwargs.update(driver.KEEP_KEYS)


class Busy(Exception):
    """All sessions stayed in use for as long as a request may wait."""


@dataclass(frozen=True)
class Database:
    sessions: Sessions
    read_sessions: Sessions
    permits: Semaphore
    #: How long a request waits for its permit, in seconds.
    patience: float = 3


def create_sessions(bind: Any, **options: Any) -> Sessions:
    return async_sessionmaker(bind, expire_on_commit=False, **options)


@asynccontextmanager
async def open_database(url: URL, size: int) -> AsyncGenerator[Database, None]:
    """Sessions for writing and for reading, which connect when first used.

    A request holds at most one connection of each, so with one permit per connection nobody
    waits in a pool (SQLite's writers do, for the one writing connection, and whoever holds
    that waits for nothing).
    """
    async with open_engines(url, size) as (writer, reader):
        yield Database(create_sessions(writer), create_sessions(reader), Semaphore(size))


@asynccontextmanager
async def open_engines(
    url: URL, size: int
) -> AsyncGenerator[tuple[AsyncEngine, AsyncEngine], None]:
    """Engines for writing and for reading, closed at the end."""
    engines = driver.create_engines(url, size, pool_timeout=3)
    try:
        for engine in engines:
            event.listen(engine.sync_engine, "checkout", _refuse_closed)
        yield engines
    finally:
        for engine in engines:
            await engine.dispose()


def _refuse_closed(connection: Any, *_: Any) -> None:
    """Instead of a ping per request; the pool connects anew at once."""
    if driver.is_closed(connection):
        raise DisconnectionError


def get_database(request: Request) -> Database:
    database: Database = request.state.database
    return database


DatabaseDep = Annotated[Database, Depends(get_database)]


async def get_permit(database: DatabaseDep) -> AsyncGenerator[None, None]:
    """Wait here, not in the pool: once per request, however many sessions it takes."""
    try:
        async with timeout(database.patience):
            await database.permits.acquire()
    except TimeoutError:
        raise Busy from None
    try:
        yield
    finally:
        database.permits.release()


PermitDep = Annotated[None, Depends(get_permit, scope="function")]


async def get_session(database: DatabaseDep, _: PermitDep) -> AsyncGenerator[AsyncSession, None]:
    """One transaction per request: committed on success, rolled back on any exception."""
    async with database.sessions.begin() as session:
        yield session


class ReadSession(Session):
    """Refuses what it was given to write; without a flush nobody would hear that it is lost."""

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        changed = [*self.new, *self.deleted, *filter(self.is_modified, self.dirty)]
        if changed:
            name = type(changed[0]).__name__
            raise InvalidRequestError(f"ReadSessionDep does not write {name}: take SessionDep.")


async def get_read_session(
    database: DatabaseDep, _: PermitDep
) -> AsyncGenerator[AsyncSession, None]:
    """No transaction: each statement sees what is committed. The database refuses writes."""
    async with database.read_sessions(sync_session_class=ReadSession) as session:
        yield session
        session.sync_session.flush()


# "function" ends before the response is sent, so a failed commit is never a success.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
ReadSessionDep = Annotated[AsyncSession, Depends(get_read_session, scope="function")]
