"""Projects whose migrations the tests write, and throw-away databases, also behind a pooler."""

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from ..databases import throwaway_database
from ..projects import Project
from ..servers import UnavailableError, find_program, free_port
from ..supervisor import Service
from .lab import Lab

Render = Callable[..., Project]


@pytest.fixture
def lab(database: str, render: Render, tmp_path: Path) -> Lab:
    project = render(database=database, example=False)
    return Lab(project, database, partial(throwaway_database, database, tmp_path))


@pytest.fixture
def plain(database: str, render: Render, tmp_path: Path) -> Lab:
    """Plain Alembic, to compare with."""
    project = render(database=database, example=False)
    lab = Lab(project, database, partial(throwaway_database, database, tmp_path))
    lab.use_plain_alembic()
    return lab


@pytest.fixture
def pooled(lab: Lab) -> Iterator[Lab]:
    """The same, through PgBouncer, which gives a server process to a client for a transaction."""
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
    )
    user = "nobody" if os.geteuid() == 0 else None
    process = Service(str(folder), [], [program, str(folder / "ini")], user=user).start()
    try:
        _wait_for(port)
        yield Lab(
            lab.project,
            lab.database,
            lab.open_database,
            lambda url: make_url(url).set(port=port).render_as_string(hide_password=False),
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
