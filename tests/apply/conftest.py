"""Projects whose migrations the tests write, and throw-away databases, also behind a pooler."""

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from ..databases import throwaway_database
from ..projects import Renderer
from ..servers import UnavailableError, find_program, free_port
from ..supervisor import Service
from .lab import Lab, Launcher, use_plain_alembic


@pytest.fixture(scope="session")
def open_lab(
    renderer: Renderer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str, str], Lab]]:
    """One for each database and kind, which all tests use."""
    labs: dict[tuple[str, str], Lab] = {}

    def open_lab(database: str, kind: str) -> Lab:
        if (database, kind) not in labs:
            folder = tmp_path_factory.mktemp(f"lab-{database}-{kind}")
            project = renderer(folder / "project", {"database": database, "example": False})
            labs[database, kind] = Lab(project, database, Launcher(project), unavailable)
        labs[database, kind].clear()
        return labs[database, kind]

    yield open_lab
    for lab in labs.values():
        lab.launcher.close()


@contextmanager
def unavailable() -> Iterator[str]:
    """Each test has databases of its own."""
    raise NotImplementedError
    yield


@pytest.fixture
def lab(open_lab: Callable[[str, str], Lab], database: str, tmp_path: Path) -> Lab:
    lab = open_lab(database, "ours")
    return replace(lab, open_database=partial(throwaway_database, database, tmp_path))


@pytest.fixture
def plain(open_lab: Callable[[str, str], Lab], database: str, tmp_path: Path) -> Lab:
    """Plain Alembic, to compare with."""
    lab = open_lab(database, "plain")
    use_plain_alembic(lab.project)
    return replace(lab, open_database=partial(throwaway_database, database, tmp_path))


@pytest.fixture
def pooled(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The same, through PgBouncer, which gives a server process to a client for a transaction.

    Its further settings are the fixture's parameter, if it has one.
    """
    try:
        program = find_program("pgbouncer", "PgBouncer")
    except UnavailableError as error:
        pytest.skip(str(error))
    with lab.open_database() as url:
        server = make_url(url)
    port, folder = free_port(), Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    folder.chmod(0o755)
    password = f" password={server.password}" if server.password else ""
    (folder / "ini").write_text(
        "[databases]\n"
        f"* = host={server.host} port={server.port or 5432} user={server.username}{password}\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        "auth_type = any\npool_mode = transaction\nmax_client_conn = 200\n"
        f"{getattr(request, 'param', '')}\n"
    )
    user = "nobody" if os.geteuid() == 0 else None
    process = Service(str(folder), [], [program, str(folder / "ini")], user=user).start()
    try:
        _wait_for(port)
        yield replace(
            lab,
            entrance=lambda url: make_url(url).set(port=port).render_as_string(hide_password=False),
        )
    finally:
        process.communicate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < deadline, "PgBouncer does not answer"
            time.sleep(0.05)
        else:
            return
