"""A machine that has little installed, and on which `make` is called."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

TOOLS = ["awk", "cat", "cp", "dirname", "env", "git", "grep", "ls", "make", "mkdir", "rm", "sed"]
TOOLS += ["sh", "sleep", "touch"]
# Without these nothing can be downloaded, however bare the machine.
NETWORK = re.compile(r"(PIP|UV|SSL)_|(https?|all|no)_proxy$", re.IGNORECASE)


@dataclass
class Machine:
    """Has the commands that were put on it and nothing in its home."""

    folder: Path

    def __post_init__(self) -> None:
        self.commands.mkdir(parents=True)
        (self.folder / "home").mkdir()
        for name in TOOLS:
            found = shutil.which(name)
            assert found, f"{name} is needed"
            (self.commands / name).symlink_to(found)

    @property
    def commands(self) -> Path:
        return self.folder / "bin"

    @property
    def calls(self) -> list[list[str]]:
        noted = (self.folder / "calls").read_text()
        return [line.rstrip("\0").split("\0") for line in noted.splitlines()]

    def put(self, name: str, script: str) -> None:
        (self.commands / name).write_text(script)
        (self.commands / name).chmod(0o755)

    def put_real_python(self) -> None:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.put("python3", f'#!/bin/sh\nexec "{sys.base_prefix}/bin/{version}" "$@"\n')

    def environment(self) -> dict[str, str]:
        network = {name: value for name, value in os.environ.items() if NETWORK.match(name)}
        cache = {"UV_CACHE_DIR": str(Path.home() / ".cache" / "uv")}
        own = {"PATH": str(self.commands), "HOME": str(self.folder / "home")}
        return {**cache, **network, **own, "CALLS": str(self.folder / "calls")}

    def make(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.commands / "make"), *arguments],
            cwd=folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    @contextmanager
    def serve(self, folder: Path, port: int, *arguments: str) -> Iterator[httpx2.Client]:
        """`make` something that serves, until Ctrl-C."""
        log = self.folder / "serve.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [str(self.commands / "make"), *arguments],
                cwd=folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                self._wait(client, process, log)
                yield client
                os.killpg(process.pid, signal.SIGINT)
                process.wait(timeout=30)
                assert "Traceback" not in log.read_text()
                with pytest.raises(httpx2.ConnectError):
                    client.get("/livez")
        finally:
            process.kill()
            process.wait()

    @staticmethod
    def _wait(client: httpx2.Client, process: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            assert process.poll() is None, f"make ended by itself:\n{log.read_text()}"
            try:
                client.get("/livez").raise_for_status()
            except httpx2.TransportError:
                time.sleep(0.2)
            else:
                return
        pytest.fail(f"nothing is served:\n{log.read_text()}")
