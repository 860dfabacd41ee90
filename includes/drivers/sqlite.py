"""SQLite through aiosqlite: the one module that knows which database this service uses."""

import logging
import sqlite3
from asyncio import get_running_loop
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakSet

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Integer,
    MetaData,
    NullPool,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

# At DEBUG it has two lines for each call of a function, with what is written to the database.
logging.getLogger("aiosqlite").setLevel(logging.INFO)

SCHEMES = {"sqlite", "sqlite+aiosqlite", "sqlite+pysqlite"}
EXAMPLE_URL = "sqlite:///app.db"
DEFAULT_URL: Any = EXAMPLE_URL
#: Whether a migration that fails leaves nothing behind.
TRANSACTIONAL_DDL = True

# isolation_level None: transactions begin where we say so, not where Python's sqlite3 guesses.
CONNECT: dict[str, Any] = {"isolation_level": None, "timeout": 5}
#: Of 64 bits, and a key of this type counts up; one of BIGINT does not.
INTEGER = Integer()
#: Options of a table with such a key.
KEEP_KEYS = {"sqlite_autoincrement": True}
#: How a script begins that migrates: with foreign keys on, to make a table anew would delete the
#: rows of others that point to it.
SCRIPT = "PRAGMA foreign_keys = OFF;"


def parse_url(value: Any, folder: Path) -> URL:
    """A relative path means the folder. Raise ValueError with a sentence."""
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError(f"is not a database URL; it looks like {EXAMPLE_URL}") from None
    if url.drivername not in SCHEMES:
        raise ValueError(f"is not an SQLite URL; it looks like {EXAMPLE_URL}")
    if url.host or url.query:
        raise ValueError(
            f"names a host or has parameters, which a file has not; it looks like {EXAMPLE_URL},"
            " or with an absolute path sqlite:////folder/app.db"
        )
    if not url.database or url.database == ":memory:":
        raise ValueError(f"names no file, and memory is not shared; it looks like {EXAMPLE_URL}")
    return url.set(drivername="sqlite", database=str(folder / url.database))


def create_engines(url: URL, size: int, **options: Any) -> tuple[AsyncEngine, AsyncEngine]:
    url = url.set(drivername="sqlite+aiosqlite")
    options |= {
        "connect_args": CONNECT | {"factory": FileConnection},
        "max_overflow": 0,
        "pool_reset_on_return": None,
        "hide_parameters": True,
    }
    # SQLite has one writer at a time. A pool of one queues ours fairly; SQLite's own waiting
    # is a lottery.
    writer = create_async_engine(url, pool_size=1, **options)
    options |= {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
    reader = create_async_engine(url, pool_size=size, **options)
    event.listen(writer.sync_engine, "connect", set_up)
    event.listen(writer.sync_engine, "begin", begin)
    event.listen(writer.sync_engine, "reset", roll_back)
    event.listen(reader.sync_engine, "connect", set_up_read_only)
    for engine in (writer, reader):
        event.listen(engine.sync_engine, "close", interrupt)
    return writer, reader


def set_up(connection: Any, _: Any) -> None:
    run(
        connection,
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = NORMAL",
        "PRAGMA foreign_keys = ON",
    )


def set_up_read_only(connection: Any, _: Any) -> None:
    set_up(connection, _)
    run(connection, "PRAGMA query_only = ON")


def begin(connection: Connection) -> None:
    """Take the write lock now: a transaction that reads first and writes later may fail."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def roll_back(connection: Any, _: Any, state: Any) -> None:
    """A COMMIT that fails leaves its transaction open, and SQLAlchemy believes it is over."""
    if state.asyncio_safe and connection.driver_connection.in_transaction:
        connection.rollback()


class FileConnection(sqlite3.Connection):
    """Ends its statements before it closes: one with rows left to fetch would keep the lock."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cursors: WeakSet[sqlite3.Cursor] = WeakSet()
        self.is_closing = False

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        cursor: sqlite3.Cursor = super().cursor(*args, **kwargs)
        self.cursors.add(cursor)
        return cursor

    def close(self) -> None:
        self.is_closing = True
        for cursor in tuple(self.cursors):
            cursor.close()
        super().close()


def interrupt(connection: Any, _: Any) -> None:
    """A cancelled statement goes on in its thread, which closes the connection afterwards."""
    if connection.driver_connection._connection:
        interrupt_until_closing(connection.driver_connection._connection)


def interrupt_until_closing(connection: FileConnection) -> None:
    """More than once: the thread may not have begun with the statement."""
    if not connection.is_closing:
        with suppress(sqlite3.ProgrammingError):  # closed at this moment
            connection.interrupt()
        get_running_loop().call_later(0.01, interrupt_until_closing, connection)


def run(connection: Any, *statements: str) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()


def create_migration_engine(url: URL, **options: Any) -> Engine:
    """An engine for migrations, each of which is one transaction that holds the write lock."""
    options |= {"poolclass": NullPool, "connect_args": CONNECT, "hide_parameters": True}
    engine = create_engine(url, **options)
    event.listen(engine, "connect", set_up_migrations)
    event.listen(engine, "begin", begin_migrations)
    return engine


def set_up_migrations(connection: Any, _: Any) -> None:
    # Changing a table means making it anew; with foreign keys on, the rows of others that
    # point to the old one would be deleted with it.
    run(connection, "PRAGMA foreign_keys = OFF")
    try:
        run(connection, "PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        # Not while another process writes, and migrations wait for that at another place.
        if not error.sqlite_errorname.startswith("SQLITE_BUSY"):
            raise


def begin_migrations(connection: Connection) -> None:
    """Commands that only look do not wait for those that write."""
    driver: Any = connection.connection.driver_connection
    if driver.in_transaction:  # The one that holds the turn.
        return
    read_only = connection.get_execution_options().get("read_only")
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def may_pass(error: DBAPIError) -> bool:
    """Whether the file may be opened later: there is no server that has to start."""
    return False


def reason(error: DBAPIError) -> str:
    """SQLite's words, without a full stop."""
    return str(error.orig).rstrip(".")


def explain(error: DBAPIError, url: URL) -> str:
    """Why there is no connection, and what to do about it."""
    return (
        f"SQLite cannot open {url.database}: {error.orig}."
        " Correct DATABASE_URL, or see that its folder is there, has room, and lets this user write."
    )


def to_look_at(url: URL) -> URL:
    """A file that is not there yet is an empty database, and a look does not make it."""
    file = Path(str(url.database))
    if file.exists() or not file.parent.is_dir():
        return url
    return url.set(database=":memory:")


def throw_away_url(url: URL, folder: Path, name: str) -> URL:
    """Another file."""
    return url.set(database=str(folder / f"{name}.db"))


def create_database(url: URL) -> None:
    Path(str(url.database)).touch()


def drop_database(url: URL) -> None:
    for ending in ("", "-wal", "-shm"):
        Path(f"{url.database}{ending}").unlink(missing_ok=True)


def is_closed(_: Any) -> bool:
    return False


UNAVAILABLE = ("BUSY", "CANTOPEN", "FULL", "IOERR", "NOTADB", "READONLY_")


def is_unavailable(error: DBAPIError) -> bool:
    """Whether the file cannot be used, or trying again later may help."""
    name = getattr(error.orig, "sqlite_errorname", "").removeprefix("SQLITE_")
    # In a statement it is the session that is for reading only, without one it is the file.
    return name.startswith(UNAVAILABLE) or (name == "READONLY" and error.statement is None)


def is_unstorable(error: DBAPIError) -> bool:
    """Whether a text has a character that no text of this database may have."""
    return False


def taken_columns(error: IntegrityError, metadata: MetaData) -> list[str]:
    """The columns of the unique constraint that refused a value, if one did."""
    kind, _, columns = str(error.orig).partition(" constraint failed: ")
    if kind != "UNIQUE" or columns.startswith("index "):
        return []
    return [column.partition(".")[2] for column in columns.split(", ")]
