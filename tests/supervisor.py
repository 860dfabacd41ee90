"""Run a server until standard input closes, then stop it and remove its folder.

A server that the tests start must not outlive them, however they end. The other end of the pipe
closes also when they are killed, and a signal to the terminal's foreground does not come here.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

PATIENCE = 20  # seconds that a server has to end by itself


@dataclass(frozen=True)
class Service:
    """What to run, in a folder that exists."""

    folder: str
    setup: list[list[str]]
    command: list[str]
    stop: str = "SIGTERM"
    user: str | None = None

    def start(self) -> subprocess.Popen[str]:
        """Start the supervisor; closing its standard input ends it and the server."""
        return subprocess.Popen(
            [sys.executable, "-m", __name__, json.dumps(asdict(self))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd=Path(__file__).parents[1],
        )


def supervise(service: Service) -> str:
    """Run until the end; returns the server's last words, for one that did not start."""
    folder = Path(service.folder)
    try:
        with (folder / "log").open("w") as log:
            for command in service.setup:
                subprocess.run(
                    command, check=True, stdout=log, stderr=log, cwd=folder, user=service.user
                )
            server = subprocess.Popen(
                service.command, stdout=log, stderr=log, cwd=folder, user=service.user
            )
            threading.Thread(target=_stop_at_end_of_input, args=(server, service.stop)).start()
            server.wait()
        return _last_line(folder / "log")
    except subprocess.CalledProcessError as error:
        return f"{error} {_last_line(folder / 'log')}"
    except OSError as error:
        return str(error)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stop_at_end_of_input(server: subprocess.Popen[bytes], stop: str) -> None:
    sys.stdin.read()
    server.send_signal(signal.Signals[stop])
    try:
        server.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        server.kill()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


if __name__ == "__main__":
    last_words = supervise(Service(**json.loads(sys.argv[1])))
    # Nobody listens when the tests were killed.
    with suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), last_words.encode())
