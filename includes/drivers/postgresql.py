"""PostgreSQL through psycopg 3: the one module that knows which database this service uses."""

import re
import shlex
from pathlib import Path
from select import POLLIN, poll
from typing import Any
from urllib.parse import parse_qsl

from psycopg import AsyncConnection, ProgrammingError, errors
from psycopg.conninfo import make_conninfo
from sqlalchemy import (
    URL,
    BigInteger,
    Constraint,
    Engine,
    Index,
    MetaData,
    NullPool,
    create_engine,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from . import DISTRIBUTION

SCHEMES = {"postgresql", "postgres", "postgresql+psycopg"}
EXAMPLE_URL = "postgresql://user:password@localhost:5432/name"
MALFORMED = (
    f"is not a database URL; it looks like {EXAMPLE_URL}, with special characters in the"
    " password percent-encoded"
)
# A password ends at its first @; what follows would be taken for a host, a name or parameters.
AMBIGUOUS = re.compile(r"[^:]+://(?>[^:/]*(:[^@]*)?@).*@")
DEFAULT_URL: Any = None
#: Errors whose details name views and the like, and quote no row.
NAMING = (errors.DependentObjectsStillExist, errors.FeatureNotSupported)
#: Whether a migration that fails leaves nothing behind.
TRANSACTIONAL_DDL = True
INTEGER = BigInteger()
#: Options of a table whose key counts up; this server never gives one a second time.
KEEP_KEYS: dict[str, bool] = {}
#: How a script begins that migrates: who runs it may have another session.
SCRIPT = "SET client_encoding = 'UTF8';"

# Statements are not prepared on the server: behind PgBouncer the next one may reach another
# server process.
CONNECT: dict[str, Any] = {"connect_timeout": 3, "prepare_threshold": None}
#: In seconds: replicas that start together may keep a server busy.
MIGRATION_PATIENCE = 10


def parse_url(value: Any, _: Path) -> URL:
    """Raise ValueError with a sentence that never shows the URL, which may hold a password."""
    if not value:
        raise ValueError(f"is not set; it looks like {EXAMPLE_URL}")
    if AMBIGUOUS.match(str(value)):
        raise ValueError(MALFORMED)
    try:
        url = make_url(value)
        make_conninfo("", **{key: str(setting) for key, setting in url.query.items()})
    except ProgrammingError as error:
        reason = str(error).strip()
        raise ValueError(f"has a parameter that PostgreSQL does not know ({reason})") from None
    except (ArgumentError, ValueError):
        raise ValueError(MALFORMED) from None
    if url.drivername not in SCHEMES:
        raise ValueError(f"is not a PostgreSQL URL; it looks like {EXAMPLE_URL}")
    if not url.database:
        raise ValueError(f"names no database; it looks like {EXAMPLE_URL}")
    refuse_empty_parameters(str(value))
    return url.set(drivername="postgresql")


def refuse_empty_parameters(url: str) -> None:
    """SQLAlchemy would drop them, and with them perhaps the demand for TLS."""
    query = url.rpartition("@")[2].partition("?")[2]
    for name, setting in parse_qsl(query, keep_blank_values=True):
        if not setting:
            raise ValueError(f"has a parameter {name} without a value")


def create_engines(url: URL, size: int, **options: Any) -> tuple[AsyncEngine, AsyncEngine]:
    url = url.set(drivername="postgresql+psycopg")
    options |= {"pool_size": size, "max_overflow": 0, "hide_parameters": True}
    read_only = CONNECT | {"async_creator_fn": connect_read_only}
    return (
        create_async_engine(url, connect_args=CONNECT, **options),
        create_async_engine(url, connect_args=read_only, **options),
    )


async def connect_read_only(*args: Any, options: str = "", **kwargs: Any) -> AsyncConnection:
    """Connect so that the server refuses writes, without BEGIN and ROLLBACK where that is safe.

    A startup option belongs to the server process. A pooler refuses or ignores it (and a SET
    would stay behind for the pooler's next client), so what the server reports decides.
    """
    read_only = f"{options} -c default_transaction_read_only=on".lstrip()
    try:
        connection = await AsyncConnection.connect(*args, options=read_only, **kwargs)
    except errors.OperationalError as error:
        if "startup parameter" not in str(error):
            raise
        connection = await AsyncConnection.connect(*args, options=options or None, **kwargs)
    if connection.info.parameter_status("default_transaction_read_only") == "on":
        await connection.set_autocommit(True)
    else:
        await connection.set_read_only(True)
    return connection


def create_migration_engine(url: URL, **options: Any) -> Engine:
    """An engine for migrations, which need no concurrency and no pool."""
    url = url.set(drivername="postgresql+psycopg")
    connect = CONNECT | {
        "connect_timeout": MIGRATION_PATIENCE,
        "fallback_application_name": f"{DISTRIBUTION} db",
    }
    options |= {"poolclass": NullPool, "connect_args": connect, "hide_parameters": True}
    return create_engine(url, **options)


# libpq does not tell the code of a refusal; in another language it is waited for in vain.
IN_VAIN = re.compile(
    "authentication|does not exist|no such|no pg_hba|no password|permitted|permission|certificate"
    "|SSL|supported"
)


def may_pass(error: DBAPIError) -> bool:
    """Whether there may be a connection later: the server starts, or has too many."""
    is_operational = isinstance(error.orig, errors.OperationalError)
    return is_operational and not IN_VAIN.search(reason(error))


def reason(error: DBAPIError) -> str:
    """The server's words, without a full stop, and without the lines that quote a row."""
    said = str(error.orig).partition("\n")[0].rpartition(" failed: ")[2].rstrip(".")
    if said == 'relation "alembic_version" does not exist':
        said += (
            " in the schemas where it is looked for: a migration that sets search_path, as what"
            " pg_dump writes does, ends with op.execute('RESET search_path')"
        )
    if isinstance(error.orig, NAMING) and (names := error.orig.diag.message_detail):
        said += f" ({', '.join(names.splitlines())})"
    return said


def explain(error: DBAPIError, url: URL) -> str:
    """Why there is no connection, and what to do about it."""
    where = f"{_host(url)}:{url.port or 5432}"
    why = reason(error)
    if why.startswith("FATAL:") or not may_pass(error):
        advice = f"Correct DATABASE_URL, or create what is missing{_creation(url, why)}."
        if may_pass(error):
            advice = "Try again later, or with `db upgrade --wait 60`."
        return f"PostgreSQL at {where} refuses: {why.removeprefix('FATAL:').strip()}. {advice}"
    start = (
        f"docker run -d -p 127.0.0.1:{url.port or 5432}:5432 -e POSTGRES_HOST_AUTH_METHOD=trust"
        f" -e POSTGRES_DB={url.database} postgres:18"
    )
    return (
        f"PostgreSQL does not answer at {where} ({why})."
        f" Correct DATABASE_URL, or start a server; for development: {start}"
    )


def _host(url: URL) -> str:
    """A name, or the folder of a socket."""
    return str(url.host or url.query.get("host", "localhost"))


def _creation(url: URL, reason: str) -> str:
    if not reason.endswith(f'database "{url.database}" does not exist'):
        return ""
    options = {"-h": _host(url), "-p": url.port or 5432, "-U": url.username}
    given = [word for option, value in options.items() if value for word in (option, str(value))]
    return f": {shlex.join(['createdb', *given, str(url.database)])}"


def to_look_at(url: URL) -> URL:
    """A look changes nothing on a server."""
    return url


def throw_away_url(url: URL, _: Path, name: str) -> URL:
    """Another database on the same server, whose name stands in statements as it is."""
    start = re.sub('[":]', "_", str(url.database)[:32])
    return url.set(database=f"{start}_test_{name}")


def create_database(url: URL) -> None:
    _on_server(url, f'CREATE DATABASE "{url.database}"')
    with create_migration_engine(url).begin() as connection:
        if connection.scalar(text("SELECT current_schema()")) is None:
            # Its user or the URL has another `search_path`, of which no schema is there yet.
            path = str(connection.scalar(text("SHOW search_path"))).split(",")
            for schema in [each for each in path if "$user" not in each][:1]:
                connection.execute(text(f"CREATE SCHEMA {schema}"))


def drop_database(url: URL) -> None:
    _on_server(url, f'DROP DATABASE IF EXISTS "{url.database}" WITH (FORCE)')


def _on_server(url: URL, statement: str) -> None:
    engine = create_migration_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))


def is_closed(connection: Any) -> bool:
    """Nobody reads an idle connection's socket: hear what the server said meanwhile."""
    server = connection.driver_connection.pgconn
    waiting = poll()
    waiting.register(server.socket, POLLIN)
    try:
        while waiting.poll(0):
            server.consume_input()
    except errors.OperationalError:
        return True
    return False


def is_unavailable(error: DBAPIError) -> bool:
    """Whether there is no connection, or trying again later may help."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    return isinstance(error.orig, errors.OperationalError) and (
        state is None or state[:2] in {"08", "40", "53", "55", "57"}
    )


def is_unstorable(error: DBAPIError) -> bool:
    """Whether a text has a character that no text of this database may have: it is NUL."""
    # The driver itself refuses it in a text, the server in JSON.
    in_text = isinstance(error.orig, errors.DataError) and "NUL (0x00)" in str(error.orig)
    return in_text or isinstance(error.orig, errors.UntranslatableCharacter)


def taken_columns(error: IntegrityError, metadata: MetaData) -> list[str]:
    """The columns of the unique constraint that refused a value, if one did."""
    if not isinstance(error.orig, errors.UniqueViolation):
        return []
    name = error.orig.diag.constraint_name
    for table in metadata.tables.values():
        constraints: list[Constraint | Index] = [*table.constraints, *table.indexes]
        for constraint in constraints:
            if constraint.name == name:
                return [column.name for column in getattr(constraint, "columns", ())]
    return []
