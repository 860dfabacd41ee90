"""A PostgreSQL server of the test's own, which may be killed."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from ..databases import query
from ..servers import find_program, free_port
from ..supervisor import Service

PATIENCE = 60


class PrivateServer:
    """With the durability that it has by default, unlike the server of the other tests."""

    def __init__(self) -> None:
        initdb = find_program("initdb", "PostgreSQL")
        self._user = "postgres" if os.geteuid() == 0 else None
        self._data = self._new_folder()
        self._port = free_port()
        account = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        setup = [initdb, "-D", str(self._data), *account]
        subprocess.run(setup, check=True, capture_output=True, user=self._user, cwd=self._data)
        self._command = [
            *(str(Path(initdb).with_name("postgres")), "-D", str(self._data)),
            *("-p", str(self._port), "-c", "listen_addresses=127.0.0.1"),
            *("-c", "unix_socket_directories="),
        ]
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"
        self.start()

    def start(self) -> None:
        folder = self._new_folder()
        service = Service(str(folder), [], self._command, stop="SIGINT", user=self._user)
        self._process = service.start()
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                query(self.url, "SELECT 1")
            except DBAPIError:
                assert self._process.poll() is None, self._process.communicate()[0]
                assert time.monotonic() < deadline, "The server does not answer."
                time.sleep(0.05)
            else:
                return

    @property
    def process(self) -> int:
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def start_again(self) -> None:
        """After it was killed."""
        self._process.communicate()
        self.start()

    def ask_for_passwords(self, user: str) -> None:
        """Of this user; the others need none."""
        rules = self._data / "pg_hba.conf"
        rules.write_text(f"host all {user} 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
        query(self.url, "SELECT pg_reload_conf()")

    def close(self) -> None:
        self._process.communicate()
        shutil.rmtree(self._data)

    def _new_folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        if self._user:
            shutil.chown(folder, self._user)
        return folder
