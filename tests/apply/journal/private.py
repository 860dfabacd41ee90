"""A MariaDB server of the test's own, which may be killed."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from ...databases import query
from ...servers import free_port
from ...supervisor import Service

PATIENCE = 60
_PLACES = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"])


class PrivateServer:
    """With the durability that it has by default, unlike the servers of the other tests."""

    def __init__(self, *options: str) -> None:
        server = shutil.which("mariadbd", path=_PLACES)
        install = shutil.which("mariadb-install-db", path=_PLACES)
        if server is None or install is None:
            pytest.skip("MariaDB is not installed")
        self._user = "mysql" if os.geteuid() == 0 else None
        self._data = self._new_folder()
        self._port = free_port()
        self._command = [server, "--no-defaults", f"--datadir={self._data}/data", *options]
        setup = [install, "--no-defaults", f"--datadir={self._data}/data"]
        setup.append("--auth-root-authentication-method=normal")
        subprocess.run(setup, check=True, capture_output=True, user=self._user)
        self.url = f"mariadb://root@127.0.0.1:{self._port}/mysql"

    def start(self) -> None:
        # The supervisor removes this one with the server.
        self._folder = self._new_folder()
        options = [
            f"--port={self._port}",
            "--bind-address=127.0.0.1",
            f"--socket={self._folder}/socket",
            f"--pid-file={self._folder}/pid",
            f"--tmpdir={self._folder}",
        ]
        command = [*self._command, *options]
        self._process = Service(str(self._folder), [], command, user=self._user).start()
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

    def kill(self) -> None:
        os.kill(int((self._folder / "pid").read_text()), signal.SIGKILL)
        self._process.communicate()

    def close(self) -> None:
        self._process.communicate()
        shutil.rmtree(self._data)

    def _new_folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="mariadb-"))
        if self._user:
            shutil.chown(folder, self._user)
        return folder
