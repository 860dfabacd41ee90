"""Runs Alembic again and again in forks of one process, which has imported everything.

As a script it reads orders, a line each, and answers with the process id, then with how it ended.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

PATIENCE = 60
#: Variable that tells after how many seconds a session is taken for dead.
IDLE = "TEST_IDLE"
# What SQLAlchemy imports when it is told a URL.
DRIVERS = ("sqlalchemy.dialects.mysql", "pymysql", "encodings.idna")


@dataclass(frozen=True)
class Ended:
    """Its exit code, or minus the signal's number; and what it wrote."""

    code: int
    output: str


class Forks:
    def __init__(self, folder: Path, package: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, package],
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": str(folder / "src"),
                # Files change faster than a compiled one is told to be old.
                "PYTHONDONTWRITEBYTECODE": "1",
                "RELEASE": "1",
                "ENVIRONMENT": "development",
                "SSL_CERT_FILE": os.devnull,  # see `tests/projects.py`
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._read() == "ready"

    def start(self, url: str, *arguments: str, **variables: str) -> int:
        """The process id."""
        order = {"url": url, "arguments": arguments, "variables": variables}
        assert self._process.stdin is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        process: int = self._read()
        return process

    def end(self) -> Ended:
        return Ended(*self._read())

    def run(self, url: str, *arguments: str, **variables: str) -> Ended:
        self.start(url, *arguments, **variables)
        return self.end()

    def close(self) -> None:
        self._process.communicate()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def serve(package: str) -> None:
    own = ("config", "driver", "features", "migrations.toolkit.environment")
    for name in (*(f"{package}.{name}" for name in own), *DRIVERS):
        import_module(name)
    gc.disable()
    _say("ready")
    for line in sys.stdin:
        with tempfile.NamedTemporaryFile() as output:
            process = os.fork()
            if not process:
                _migrate(package, json.loads(line), output.fileno())
            _say(process)
            _say([_wait(process), Path(output.name).read_text(errors="replace")])


def _migrate(package: str, order: dict[str, Any], output: int) -> None:
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.update(order["variables"], DATABASE_URL=order["url"])
    if IDLE in order["variables"]:
        sessions: Any = import_module(f"{package}.migrations.toolkit.apply.sessions")
        sessions.IDLE = float(order["variables"][IDLE])
    code = 1
    try:
        import_module("alembic.config").main(order["arguments"], prog="alembic")
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException as error:  # noqa: BLE001
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code & 0xFF)


def _wait(process: int) -> int:
    deadline = time.monotonic() + PATIENCE
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(process, signal.SIGKILL)
        time.sleep(0.002)


def _say(answer: Any) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
