"""A server of one test's own: it may demand what it likes, and be stopped and started again."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from .databases import execute
from .servers import UnavailableError, free_port, installed, local_url, make_folder, wait_for
from .supervisor import Service

# Makes files in the server's folder, before its first start; returns options of the server.
Prepare = Callable[[Path], Sequence[str]]


@dataclass
class PrivateServer:
    database: str
    url: str
    service: Service
    _process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Also again after `stop`, with the data that are there."""
        Path(self.service.folder).mkdir()
        if self.service.user:
            shutil.chown(self.service.folder, self.service.user)
        self._process = self.service.start()
        wait_for(self._process, self.service, self.database, self.url)
        self.service = replace(self.service, setup=[])

    def create_database(self, name: str) -> str:
        """Its URL, as a user would write it."""
        charset = "" if self.database == "postgresql" else "CHARACTER SET utf8mb4"
        execute(self.url, f"CREATE DATABASE {name} {charset}")
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def stop(self) -> None:
        if self._process is not None:
            self._process.communicate()


@contextmanager
def private_server(
    database: str, prepare: Prepare = lambda _: (), password: str = ""
) -> Iterator[PrivateServer]:
    """Started from installed programs; without them the test is skipped, and says why.

    With a password PostgreSQL demands it of everybody.
    """
    folder, port = Path(make_folder(database)), free_port()
    try:
        service = installed(database, str(folder), port)
    except UnavailableError as error:
        folder.rmdir()
        pytest.skip(str(error))
    command = [*service.command, *prepare(folder)]
    setup = [_with_password(line, folder, password) if password else line for line in service.setup]
    url = make_url(local_url(database, port))
    if password:
        url = url.set(password=password)
    server = PrivateServer(
        database,
        url.render_as_string(hide_password=False),
        # The supervisor removes its folder at each stop.
        replace(service, folder=str(folder / "run"), setup=setup, command=command),
    )
    for path in (folder, *folder.iterdir()):
        if service.user:
            shutil.chown(path, service.user)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _with_password(initdb: list[str], folder: Path, password: str) -> list[str]:
    file = folder / "password"
    file.write_text(password + os.linesep, encoding="utf-8")
    demand = ["--auth=scram-sha-256", f"--pwfile={file}"]
    return [word for word in initdb if word != "--auth=trust"] + demand
