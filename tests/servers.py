"""Database servers for one run of the tests: given, started, found, or why there is none."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from .supervisor import Service

DATABASES = ("sqlite", "postgresql", "mariadb", "mysql")

_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mariadb": "mysql+pymysql",
    "mysql": "mysql+pymysql",
    "sqlite": "sqlite",
}
_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mariadb": "MariaDB", "mysql": "MySQL"}
_DEFAULT_URLS = {
    "postgresql": "postgresql://postgres@127.0.0.1:5432/postgres",
    "mariadb": "mariadb://root@127.0.0.1:3306/mysql",
    "mysql": "mysql://root@127.0.0.1:3306/mysql",
}
_CONTAINERS = {
    "postgresql": ("postgres:18", 5432, "POSTGRES_HOST_AUTH_METHOD=trust", "SIGINT"),
    "mariadb": ("mariadb:11", 3306, "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1", "SIGTERM"),
    "mysql": ("mysql:9", 3306, "MYSQL_ALLOW_EMPTY_PASSWORD=1", "SIGTERM"),
}
# Nothing here has to survive a power cut.
_POSTGRESQL_OPTIONS = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
_INNODB_OPTIONS = ["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"]
#: A file system in memory, which Linux has, and how much has to be free there.
_MEMORY, _ROOM = "/dev/shm", 4 * 2**30  # noqa: S108


class UnavailableError(Exception):
    """Why a server cannot be had in one of the ways."""


@dataclass(frozen=True)
class Server:
    """A server and the URL of its administrator, in the bare scheme that users write."""

    database: str
    url: str = ""
    version: str = ""
    origin: str = ""
    reason: str = ""

    @property
    def available(self) -> bool:
        return not self.reason


class Servers:
    """Finds servers, and keeps those that it starts until `close`."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []

    def find(self, database: str) -> Server:
        """A private server is safer than one that happens to answer, so that is tried first."""
        variable = f"{database.upper()}_URL"
        if database == "sqlite":
            return Server(database, version=_version(database, "sqlite://"), origin="in Python")
        if url := os.environ.get(variable):
            return _attempt(database, lambda: self._reached(database, url, variable))
        reasons = []
        for source in (self._installed, self._listening, self._container):
            server = _attempt(database, partial(source, database))
            if server.available:
                return server
            reasons.append(server.reason)
        return Server(database, reason=f"{variable} is not set; " + "; ".join(reasons))

    def close(self) -> None:
        for process in self._started:
            process.communicate()
        self._started.clear()

    def _reached(self, database: str, url: str, origin: str) -> Server:
        return Server(database, url, _version(database, url), origin)

    def _listening(self, database: str) -> Server:
        url = _DEFAULT_URLS[database]
        return self._reached(database, url, f"found on port {make_url(url).port}")

    def _installed(self, database: str) -> Server:
        folder, port = make_folder(database), free_port()
        try:
            service = installed(database, folder, port)
        except UnavailableError:
            Path(folder).rmdir()
            raise
        return self._start(database, service, port, f"started from {service.command[0]}")

    def _container(self, database: str) -> Server:
        engine, port = _container_engine(), free_port()
        image, inner, variable, stop = _CONTAINERS[database]
        options = [f"--publish=127.0.0.1:{port}:{inner}", f"--env={variable}"]
        folder = tempfile.mkdtemp(prefix=f"{database}-")
        service = Service(folder, [], [engine, "run", "--rm", *options, image], stop=stop)
        origin = f"a container of {image} in {Path(engine).name}"
        return self._start(database, service, port, origin, patience=300)

    def _start(
        self, database: str, service: Service, port: int, origin: str, patience: float = 60
    ) -> Server:
        url = local_url(database, port)
        process = service.start()
        self._started.append(process)
        wait_for(process, service, database, url, patience)
        return self._reached(database, url, origin)


def installed(database: str, folder: str, port: int) -> Service:
    """A server from programs of this machine; it keeps its data in the folder."""
    recipe = {"postgresql": _postgresql, "mariadb": _mariadb, "mysql": _mysql}[database]
    return recipe(folder, port, _unprivileged(database))


def make_folder(database: str) -> str:
    """For a server, which runs under another account if this one is root's.

    In memory databases are made and dropped several times as fast.
    """
    folder = tempfile.mkdtemp(prefix=f"{database}-", dir=_MEMORY if _has_room() else None)
    if user := _unprivileged(database):
        shutil.chown(folder, user)
    return folder


def _has_room() -> bool:
    return os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM


def local_url(database: str, port: int) -> str:
    return make_url(_DEFAULT_URLS[database]).set(port=port).render_as_string()


def wait_for(
    process: subprocess.Popen[str], service: Service, database: str, url: str, patience: float = 60
) -> None:
    """Return when the server answers."""
    deadline = time.monotonic() + patience
    while True:
        try:
            _version(database, url)
        except UnavailableError as error:
            if process.poll() is not None:
                output = process.communicate()[0].strip()
                message = f"{service.command[0]} did not start ({output})"
                raise UnavailableError(message) from error
            if time.monotonic() > deadline:
                message = f"{service.command[0]} did not answer within {patience:.0f} s"
                raise UnavailableError(message) from error
            time.sleep(0.2)
        else:
            return


def driver_url(url: str, database: str = "") -> str:
    """The URL with a driver that is installed here, of another database of the server if named."""
    parsed = make_url(url)
    parsed = parsed.set(drivername=_DRIVERS[parsed.drivername])
    parsed = parsed.set(database=database) if database else parsed
    return parsed.render_as_string(hide_password=False)


def _attempt(database: str, source: Callable[[], Server]) -> Server:
    try:
        return source()
    except UnavailableError as error:
        return Server(database, reason=str(error))


def _version(database: str, url: str) -> str:
    """The server's version, when it answers and is what it should be."""
    options = {} if database == "sqlite" else {"connect_timeout": 5}
    query = "select sqlite_version()" if database == "sqlite" else "select version()"
    engine = create_engine(driver_url(url), poolclass=NullPool, connect_args=options)
    try:
        with engine.connect() as connection:
            version = str(connection.scalar(text(query)))
    except DBAPIError as error:
        shown = make_url(url).render_as_string()
        cause = str(error.orig).strip().split("\n")[0]
        raise UnavailableError(
            f"{_NAMES[database]} does not answer at {shown} ({cause})"
        ) from error
    if database in ("mariadb", "mysql") and ("MariaDB" in version) != (database == "mariadb"):
        port = make_url(url).port
        raise UnavailableError(
            f"what answers on port {port} is not {_NAMES[database]} but {version}"
        )
    words = version.removeprefix("PostgreSQL ").split()
    return words[0].split("-")[0]


def _postgresql(folder: str, port: int, user: str | None) -> Service:
    initdb = find_program("initdb", "PostgreSQL")
    data = f"{folder}/data"
    account = ["--username=postgres", "--auth=trust"]
    setup = [initdb, "-D", data, *account, "--encoding=UTF8", "--locale=C", "--no-sync"]
    options = [
        *_POSTGRESQL_OPTIONS,
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=200",
        "max_prepared_transactions=2",
    ]
    flags = [word for option in options for word in ("-c", option)]
    command = [str(Path(initdb).with_name("postgres")), "-D", data, "-p", str(port), *flags]
    # SIGTERM would wait for every client.
    return Service(folder, [setup], command, stop="SIGINT", user=user)


def _mariadb(folder: str, port: int, user: str | None) -> Service:
    server = find_program("mariadbd", "MariaDB")
    install = find_program("mariadb-install-db", "MariaDB")
    data = f"--datadir={folder}/data"
    # Without the test database, and the nameless user who would take logins from others.
    setup = [
        install,
        "--no-defaults",
        data,
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
    ]
    command = [server, "--no-defaults", data, *_mysql_options(folder, port)]
    return Service(folder, [setup], command, user=user)


def _mysql(folder: str, port: int, user: str | None) -> Service:
    server = find_program("mysqld", "MySQL")
    if "MariaDB" in subprocess.run([server, "--version"], capture_output=True, text=True).stdout:
        raise UnavailableError(f"{server} is MariaDB's")
    data = f"--datadir={folder}/data"
    setup = [server, "--no-defaults", "--initialize-insecure", data]
    # By default it may want a folder that only a package of the whole server makes.
    unneeded = ["--mysqlx=OFF", "--secure-file-priv=NULL"]
    command = [server, "--no-defaults", data, *unneeded, *_mysql_options(folder, port)]
    return Service(folder, [setup], command, user=user)


def _mysql_options(folder: str, port: int) -> list[str]:
    return [
        f"--port={port}",
        "--bind-address=127.0.0.1",
        f"--socket={folder}/socket",
        f"--pid-file={folder}/pid",
        # At its start, a server deletes the temporary tables that it finds, of another one, too.
        f"--tmpdir={folder}",
        *_INNODB_OPTIONS,
    ]


def find_program(name: str, product: str) -> str:
    folders = [*os.environ["PATH"].split(os.pathsep), "/usr/sbin", "/usr/local/sbin"]
    found = shutil.which(name, path=os.pathsep.join([*folders, *_package_folders()]))
    if found is None:
        raise UnavailableError(f"{product} is not installed (no {name})")
    return found


def _package_folders() -> Iterator[str]:
    """Where packagers put servers outside PATH, the newest version first."""
    for pattern in (
        "usr/lib/postgresql/*/bin",
        "opt/homebrew/opt/*/bin",
        "usr/local/opt/*/bin",
    ):
        found = sorted(Path("/").glob(pattern), key=lambda path: (len(path.parts[-2]), path))
        yield from (str(path) for path in reversed(found))


def _unprivileged(database: str) -> str | None:
    """The account to run a server under: they refuse root."""
    if os.geteuid() != 0:
        return None
    accounts = {entry.pw_name for entry in pwd.getpwall()}
    wanted = "postgres" if database == "postgresql" else "mysql"
    return wanted if wanted in accounts else "nobody"


def _container_engine() -> str:
    for name in ("docker", "podman"):
        engine = shutil.which(name)
        if engine is None:
            continue
        try:
            subprocess.run([engine, "info"], check=True, capture_output=True, timeout=10)
        except (OSError, subprocess.SubprocessError):
            continue
        return engine
    raise UnavailableError("neither docker nor podman answers")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
