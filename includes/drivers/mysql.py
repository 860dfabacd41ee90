"""MySQL and MariaDB through asyncmy, and PyMySQL in the migrations, from the same URL."""

import re
import shlex
import ssl
from asyncio import timeout
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import asyncmy
from alembic.util import CommandError
from sqlalchemy import (
    URL,
    BigInteger,
    Connection,
    Constraint,
    Engine,
    Index,
    MetaData,
    NullPool,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    InvalidRequestError,
    OperationalError,
)
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

SCHEMES = {"mysql", "mariadb"}
EXAMPLE_URL = "mysql://user:password@localhost:3306/name"
MALFORMED = (
    f"is not a database URL; it looks like {EXAMPLE_URL}, with special characters in the"
    " password percent-encoded"
)
# A password ends at its first @; what follows would be taken for a host, a name or parameters.
AMBIGUOUS = re.compile(r"[^:]+://(?>[^:/]*(:[^@]*)?@).*@")
DEFAULT_URL: Any = None
#: Whether a migration that fails leaves nothing behind.
TRANSACTIONAL_DDL = False
INTEGER = BigInteger()
#: Options of a table whose key counts up; this server never gives one a second time.
KEEP_KEYS: dict[str, bool] = {}

#: What the server says of a table.
IS_MISSING, IS_BEING_MADE = 1146, 1684

USE = re.compile(r"(\s|--[^\n]*\n|#[^\n]*\n|/\*.*?\*/)*USE\b", re.IGNORECASE | re.DOTALL)

PARAMETERS = {"charset", "unix_socket"}
SWITCHES = {"ssl_verify_cert", "ssl_verify_identity"}
TLS_PARAMETERS = {"ssl_ca", "ssl_cert", "ssl_key"} | SWITCHES
# Strict, whatever the server's default is, with backslash escapes, which the driver counts on for
# bytes, and with tables that take part in transactions, which end where a COMMIT says so. Times
# without a zone are UTC.
SET_UP = (
    "SET SESSION sql_mode = 'TRADITIONAL,ONLY_FULL_GROUP_BY', time_zone = '+00:00',"
    " default_storage_engine = InnoDB, completion_type = NO_CHAIN"
)
#: In seconds: replicas that start together may keep a server busy.
MIGRATION_PATIENCE = 10
# Between two attempts, and while it waits for its turn, a session does nothing.
SET_UP_MIGRATION = f"{SET_UP}, wait_timeout = 2147483"
#: How a script begins that migrates: who runs it may have another session.
SCRIPT = f"SET NAMES utf8mb4;\n\n{SET_UP};"


def parse_url(value: Any, _: Path) -> URL:
    """Raise ValueError with a sentence that never shows the URL, which may hold a password."""
    if not value:
        raise ValueError(f"is not set; it looks like {EXAMPLE_URL}")
    if AMBIGUOUS.match(str(value)):
        raise ValueError(MALFORMED)
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError(MALFORMED) from None
    if url.drivername.partition("+")[0] not in SCHEMES:
        raise ValueError(f"is not a MySQL or MariaDB URL; it looks like {EXAMPLE_URL}")
    if not url.database:
        raise ValueError(f"names no database; it looks like {EXAMPLE_URL}")
    refuse_empty_parameters(str(value))
    if unknown := sorted(url.query.keys() - PARAMETERS - TLS_PARAMETERS):
        known = ", ".join(sorted(PARAMETERS | TLS_PARAMETERS))
        raise ValueError(f"has an unknown parameter {unknown[0]}; known are {known}")
    for name in SWITCHES:
        if url.query.get(name, "true") not in {"true", "false"}:
            raise ValueError(f"needs true or false for {name}")
    try:
        connection_arguments(url)
    except OSError as error:
        raise ValueError(f"names TLS files that cannot be used ({error})") from None
    return url.set(drivername=url.get_backend_name())


def refuse_empty_parameters(url: str) -> None:
    """SQLAlchemy would drop them, and with them perhaps the demand for TLS."""
    query = url.rpartition("@")[2].partition("?")[2]
    for name, setting in parse_qsl(query, keep_blank_values=True):
        if not setting:
            raise ValueError(f"has a parameter {name} without a value")


def create_engines(url: URL, size: int, **options: Any) -> tuple[AsyncEngine, AsyncEngine]:
    url, connect = connection_arguments(url)
    url = url.set(drivername=f"{url.get_backend_name()}+asyncmy")
    options |= {
        "connect_args": connect | {"async_creator_fn": connect_in_time},
        "pool_size": size,
        "max_overflow": 0,
        "pool_reset_on_return": None,
        "hide_parameters": True,
    }
    writer = create_async_engine(url, **options)
    options |= {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
    reader = create_async_engine(url, **options)
    for engine in (writer, reader):
        require_kind(engine.sync_engine)
    event.listen(writer.sync_engine, "connect", set_up, insert=True)
    event.listen(writer.sync_engine, "reset", roll_back)
    event.listen(reader.sync_engine, "connect", set_up_read_only, insert=True)
    return writer, reader


async def connect_in_time(**kwargs: Any) -> asyncmy.Connection:
    """The driver's own connect_timeout ends with TCP's handshake; the server's may never come."""
    try:
        async with timeout(kwargs["connect_timeout"]):
            return await asyncmy.connect(**kwargs)
    except TimeoutError:
        raise asyncmy.errors.OperationalError(2013, "The server does not answer") from None


def require_kind(engine: Engine) -> None:
    """Before SQLAlchemy finds MySQL behind mariadb://, which for it is no error of a database."""
    if engine.dialect.name == "mariadb":
        event.listen(engine, "connect", refuse_mysql, insert=True)


def refuse_mysql(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT version()")
    [version] = cursor.fetchone()
    cursor.close()
    if "MariaDB" not in version:
        why = "it is MySQL, and the URL says mariadb://; write mysql://"
        raise record.driver_connection.OperationalError(0, why)


def set_up(connection: Any, _: Any) -> None:
    run(connection, SET_UP)


def set_up_migration(connection: Any, _: Any) -> None:
    run(connection, SET_UP_MIGRATION)


def set_up_read_only(connection: Any, _: Any) -> None:
    run(connection, SET_UP, "SET SESSION TRANSACTION READ ONLY")


def roll_back(connection: Any, _: Any, state: Any) -> None:
    """Only when a transaction is open: otherwise it is a round trip after every COMMIT."""
    if state.asyncio_safe and connection.driver_connection.get_transaction_status():
        connection.rollback()


def run(connection: Any, *statements: str) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()


def connection_arguments(url: URL) -> tuple[URL, dict[str, Any]]:
    """One meaning of the ssl_ parameters for the application's driver and the migrations' one."""
    tls = {key: str(setting) for key, setting in url.query.items() if key in TLS_PARAMETERS}
    connect: dict[str, Any] = {"charset": "utf8mb4", "connect_timeout": 3}
    if tls:
        connect["ssl"] = tls_context(**tls)
    if url.password:
        # The drivers encode a password as Latin-1; servers expect UTF-8.
        connect["password"] = url.password.encode().decode("latin-1")
    return url.difference_update_query(tls), connect


def tls_context(
    ssl_ca: str | None = None,
    ssl_cert: str | None = None,
    ssl_key: str | None = None,
    ssl_verify_cert: str = "true",
    ssl_verify_identity: str = "true",
) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ssl_ca)
    # The certificates that MySQL makes for itself lack what Python demands since 3.13.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.check_hostname = ssl_verify_identity == "true" and ssl_verify_cert == "true"
    if ssl_verify_cert != "true":
        context.verify_mode = ssl.CERT_NONE
    if ssl_cert:
        context.load_cert_chain(ssl_cert, ssl_key)
    return context


def create_migration_engine(url: URL, **options: Any) -> Engine:
    """An engine for migrations, which need no concurrency and no pool."""
    url, connect = connection_arguments(url)
    url = url.set(drivername=f"{url.get_backend_name()}+pymysql")
    # The driver's own connect_timeout ends with TCP's handshake; the server's may never come.
    connect |= {"read_timeout": MIGRATION_PATIENCE}
    options |= {"poolclass": NullPool, "connect_args": connect, "hide_parameters": True}
    # Else SQLAlchemy reads by itself what MariaDB's RETURNING gives of many rows, and the journal of
    # migrations could not give that a second time.
    options |= {"use_insertmanyvalues": False}
    engine = create_engine(url, **options)
    require_kind(engine)
    event.listen(engine, "connect", set_up_migration, insert=True)
    event.listen(engine, "connect", let_take_long, insert=True)
    event.listen(engine, "begin", see_what_is_new)
    event.listen(engine, "do_execute", describe)
    event.listen(engine, "before_cursor_execute", refuse_to_leave)
    if url.database:
        event.listen(engine, "connect", require_utf8mb4)
    return engine


def let_take_long(connection: Any, _: Any) -> None:
    """Each statement, now that the server has answered."""
    connection._read_timeout = None


def refuse_to_leave(_connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    """A migration that is tried in a throw-away database would change the one that it names."""
    if USE.match(statement):
        raise InvalidRequestError(
            "USE would lead to another database, wherever the migration is applied or tried. Leave it"
            " out: a table of another one is named with it, as in `other.orders`"
        )


def see_what_is_new(connection: Connection) -> None:
    """Who only looks sees what other processes make meanwhile.

    MySQL refuses to read a table that was made after the transaction has begun to read others.
    """
    if connection.get_execution_options().get("read_only"):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")


def describe(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    """Whether the statement is executed: one by which who only looks asks whether a table is there.

    One that another process is making just now is not there yet.
    """
    if not (statement.startswith("DESCRIBE ") and context.execution_options.get("read_only")):
        return False
    try:
        cursor.execute(statement, parameters)
    except Exception as error:
        if error.args[:1] == (IS_BEING_MADE,):
            raise type(error)(IS_MISSING, *error.args[1:]) from None
        raise
    return True


def require_utf8mb4(connection: Any, _: Any) -> None:
    """Its tables take over the character set of the database."""
    cursor = connection.cursor()
    cursor.execute("SELECT database(), @@character_set_database")
    name, found = cursor.fetchone()
    cursor.close()
    if found != "utf8mb4":
        quoted = name.replace("`", "``")
        raise CommandError(
            f"The database {name} stores texts as {found}, which lacks most characters."
            f" Run: ALTER DATABASE `{quoted}` CHARACTER SET utf8mb4"
        )


#: For a server in a container: prefix of its variables, the one for no password, its image.
MYSQL = ("MYSQL", "MYSQL_ALLOW_EMPTY_PASSWORD", "mysql:9")
MARIADB = ("MARIADB", "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD", "mariadb:12")


def may_pass(error: DBAPIError) -> bool:
    """Whether there may be a connection later: the server starts, or has too many."""
    return _code(error) in PASSES


def reason(error: DBAPIError) -> str:
    """The server's words, without a full stop."""
    said = str(error.orig.args[-1] if error.orig and error.orig.args else error.orig)
    return said.strip().rstrip(".") or "the connection is lost"


def explain(error: DBAPIError, url: URL) -> str:
    """Why there is no connection, and what to do about it."""
    where = f"{url.host or 'localhost'}:{url.port or 3306}"
    why = reason(error)
    if _code(error) in FULL:
        advice = "Try again later, or with `db upgrade --wait 60`."
        return f"The server at {where} refuses: {why}. {advice}"
    if _code(error) not in PASSES:
        advice = f"Correct DATABASE_URL, or create what is missing{_creation(error, url)}."
        return f"The server at {where} refuses: {why}. {advice}"
    kind, empty, image = MARIADB if url.get_backend_name() == "mariadb" else MYSQL
    start = (
        f"docker run -d -p 127.0.0.1:{url.port or 3306}:3306 -e {empty}=1"
        f" -e {kind}_DATABASE={url.database} {image}"
    )
    return (
        f"The server does not answer at {where} ({why})."
        f" Correct DATABASE_URL, or start one; for development: {start}"
    )


def _creation(error: DBAPIError, url: URL) -> str:
    if _code(error) != 1049:
        return ""
    options = {"-h": url.host or "localhost", "-P": url.port or 3306, "-u": url.username}
    given = [word for option, value in options.items() if value for word in (option, str(value))]
    given += ["-p"] if url.password else []
    statement = f"CREATE DATABASE `{url.database}` CHARACTER SET utf8mb4"
    return f": {shlex.join([url.get_backend_name(), *given, '-e', statement])}"


def to_look_at(url: URL) -> URL:
    """A look changes nothing on a server."""
    return url


def throw_away_url(url: URL, _: Path, name: str) -> URL:
    """Another database on the same server, whose name stands in statements as it is."""
    start = re.sub("[`:]", "_", str(url.database)[:32])
    return url.set(database=f"{start}_test_{name}")


def create_database(url: URL) -> None:
    _on_server(url, f"CREATE DATABASE `{url.database}` CHARACTER SET utf8mb4")


def drop_database(url: URL) -> None:
    _on_server(url, f"DROP DATABASE IF EXISTS `{url.database}`")


def _on_server(url: URL, statement: str) -> None:
    # Not through set(): None there means "leave as it is".
    server = URL.create(
        url.drivername, url.username, url.password, url.host, url.port, query=url.query
    )
    with create_migration_engine(server).connect() as connection:
        connection.execute(text(statement))


def is_closed(connection: Any) -> bool:
    """The event loop reads an idle connection's socket: its end is known without asking."""
    broken: bool = connection.driver_connection._stream_broken
    return broken


# There are too many connections, the server is about to stop, or not (any more) in its cluster.
FULL = {1040, 1047, 1053, 1203, 1226}
PASSES = FULL | {1077, 1152, 1205, 1213, 2002, 2003, 2006, 2013, 4031}


def is_unavailable(error: DBAPIError) -> bool:
    """Whether there is no connection, or trying again later may help."""
    # Without a statement it was the connecting that failed: a password, a database, TLS.
    refused = error.statement is None and isinstance(error, OperationalError)
    return error.connection_invalidated or refused or _code(error) in PASSES


def is_unstorable(error: DBAPIError) -> bool:
    """Whether a text has a character that no text of this database may have."""
    return False


def _code(error: DBAPIError) -> Any:
    return error.orig.args[0] if error.orig and error.orig.args else None


def taken_columns(error: IntegrityError, metadata: MetaData) -> list[str]:
    """The columns of the unique constraint that refused a value, if one did."""
    code, message = error.orig.args if error.orig else (None, "")
    found = re.search(r"for key '(?:[^']*\.)?([^'.]+)'$", message)
    if code != 1062 or not found:
        return []
    for table in metadata.tables.values():
        constraints: list[Constraint | Index] = [*table.constraints, *table.indexes]
        for constraint in constraints:
            if constraint.name == found[1]:
                return [column.name for column in getattr(constraint, "columns", ())]
    return []
