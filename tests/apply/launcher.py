"""Run Alembic in processes that begin at the same moment, or die at a chosen one.

They are forked from one process, which has imported everything: on a machine with few cores,
importing takes longer than migrating, and would keep them apart. As a script, for a package, it
reads jobs, a line each, and writes how they ended, with their numbers.
"""

import gc
import json
import os
import select
import signal
import sqlite3
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any
from unittest.mock import patch

from alembic.config import main

CONNECT = sqlite3.connect
SQLITE = [sqlite3, sqlite3.dbapi2]
# What SQLAlchemy imports when it is told a URL; PostgreSQL's are imported by all that Alembic does.
DRIVERS = ("sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.mysql", "pymysql", "encodings.idna")


@dataclass(frozen=True)
class Job:
    """What one process does, or several at once, in a project's folder."""

    package: str
    arguments: list[str]
    variables: dict[str, str] = field(default_factory=dict)
    at_once: int = 1
    #: The project's console script instead of `alembic`.
    ours: bool = False
    #: Die at this point: before or after a statement or a commit; 0 for never.
    kill_at: int = 0
    #: Die in the midst of the statement that has this text.
    kill_in: str = ""
    #: The server's process, to be killed instead.
    server: int = 0
    #: What is written as an error is not mixed with the output.
    apart: bool = False


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, or minus the signal's number; and what it wrote."""

    code: int
    output: str
    #: How many points it has passed.
    points: int
    #: What it wrote as an error, where that is kept apart from the output.
    errors: str = ""


def serve(package: str) -> None:
    toolkit = import_module(f"{package}.migrations.toolkit")
    parts = walk_packages(toolkit.__path__, f"{toolkit.__name__}.")
    own = (f"{package}.{name}" for name in ("cli", "config", "database", "features"))
    for name in (*own, *(part.name for part in parts), *DRIVERS):
        import_module(name)
    # It takes a tenth of the time, and no process lives long.
    gc.disable()
    running: list[tuple[int, list[_Child]]] = []
    number = 0
    with open(0, "rb", buffering=0) as orders:
        while True:
            while running and not select.select([orders], [], [], 0.01)[0]:
                running = [each for each in running if not _answer(*each)]
            line = orders.readline()
            if not line:
                return
            running.append((number, _start(Job(**json.loads(line)))))
            number += 1


def _start(job: Job) -> list["_Child"]:
    gate, opener = os.pipe()
    children = [_fork(job, gate, opener) for _ in range(job.at_once)]
    os.close(gate)
    os.close(opener)
    return children


def _answer(number: int, children: list["_Child"]) -> bool:
    """When all have ended."""
    if not all(child.has_ended() for child in children):
        return False
    print(json.dumps([number, [asdict(child.end()) for child in children]]), flush=True)
    return True


@dataclass
class _Child:
    process: int
    output: Path
    code: int | None = None

    def has_ended(self) -> bool:
        if self.code is None:
            process, status = os.waitpid(self.process, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if process else None
        return self.code is not None

    def end(self) -> Ended:
        points, errors = (Path(f"{self.output}.{name}") for name in ("points", "errors"))
        return Ended(self.code or 0, _take(self.output), int(_take(points) or 0), _take(errors))


def _take(file: Path) -> str:
    if not file.exists():
        return ""
    text = file.read_text(errors="replace")
    file.unlink()
    return text


def _fork(job: Job, gate: int, opener: int) -> _Child:
    descriptor, name = tempfile.mkstemp()
    process = os.fork()
    if process:
        os.close(descriptor)
        return _Child(process, Path(name))
    code = 1
    try:
        os.close(opener)
        os.environ.update(job.variables)
        os.dup2(descriptor, 1)
        os.dup2(os.open(f"{name}.errors", os.O_CREAT | os.O_WRONLY) if job.apart else 1, 2)
        os.read(gate, 1)
        with _points(job, Path(f"{name}.points")):
            if job.ours:
                import_module(f"{job.package}.cli").main(job.arguments)
            else:
                main(job.arguments, prog="alembic")
        code = 0
    except SystemExit as error:
        if isinstance(error.code, int):
            code = error.code
        else:
            print(error.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code & 0xFF)


@contextmanager
def _points(job: Job, counted: Path) -> Iterator[None]:
    """Count them on the driver, below what the service and SQLAlchemy do, in the main thread."""
    passed = 0

    def point() -> None:
        nonlocal passed
        if threading.current_thread() is threading.main_thread():
            passed += 1
            if passed == job.kill_at:
                _kill(job)

    def between_points(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            point()
            if job.kill_in and job.kill_in in "".join(map(str, arguments[1:2])):
                threading.Timer(0.5, _kill, [job]).start()
            result = function(*arguments, **options)
            point()
            return result

        return wrapped

    patches = [
        *(
            patch.object(owner, name, between_points(getattr(owner, name)))
            for owner, name in _driver_calls()
        ),
        *(patch.object(owner, "connect", _sqlite(between_points)) for owner in SQLITE),
    ]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()
        counted.write_text(str(passed))


def _kill(job: Job) -> None:
    if job.server:
        os.kill(job.server, signal.SIGQUIT)  # PostgreSQL ends at once, and has to recover.
    else:
        os.kill(os.getpid(), signal.SIGKILL)


def _driver_calls() -> Sequence[tuple[Any, str]]:
    """Of PostgreSQL's driver."""
    if "psycopg" not in sys.modules:
        return []
    psycopg = sys.modules["psycopg"]
    return [(psycopg.Cursor, "execute"), (psycopg.Connection, "commit")]


def _sqlite(between_points: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Any:
    """A `connect` with points on files: what is tried in memory does not count."""

    class Cursor(sqlite3.Cursor):
        execute = between_points(sqlite3.Cursor.execute)

    class Connection(sqlite3.Connection):
        commit = between_points(sqlite3.Connection.commit)
        backup = between_points(sqlite3.Connection.backup)

        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def execute(self, *arguments: Any) -> Any:
            return self.cursor().execute(*arguments)

    def connect(database: Any, *arguments: Any, **options: Any) -> Any:
        if database != ":memory:":
            options.setdefault("factory", Connection)
        return CONNECT(database, *arguments, **options)

    return connect


if __name__ == "__main__":
    serve(sys.argv[1])
