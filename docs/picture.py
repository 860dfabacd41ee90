"""Makes docs/picture.svg, the terminal in README.md: `.venv/bin/python docs/picture.py`.

Runs each command below and shows what it printed. Needs curl, and port 8000.
"""

import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
ADD_ADA = """curl localhost:8000/users --json '{"name": "Ada", "email": "ada@example.com"}'"""
ADD_AGE = "echo '    age: Mapped[int | None]' >> src/my_service/users/models.py"
REPLICAS = "for replica in 1 2 3; do .venv/bin/my-service db upgrade & done; wait"
# Commands, and which of the lines that they print are worth a look.
BEFORE = [
    ("copier copy --defaults ~/template my-service", "Next:|^  (cd|make)"),
    ("cd my-service", ""),
]
WHILE_SERVING = [(ADD_ADA, "id"), (ADD_ADA, "status"), ("curl localhost:8000/readyz", "status")]
AFTER = [
    (ADD_AGE, ""),
    ("""make migration m="it's time for an age\"""", "Detected|Generating|/versions/"),
    (REPLICAS, "Running|Nothing"),
    ("make check", "passed|formatted|no issues|coverage of"),
]


def main() -> None:
    console = Console(record=True, width=110, file=sys.stderr, force_terminal=True)
    with tempfile.TemporaryDirectory() as folder:
        terminal = Terminal(console, Path(folder))
        (terminal.home / "template").symlink_to(ROOT)
        for command, shown in BEFORE:
            terminal.run(command, shown)
        with terminal.serve("make run"):
            for command, shown in WHILE_SERVING:
                terminal.run(command, shown)
        for command, shown in AFTER:
            terminal.run(command, shown)
    picture = console.export_svg(title="my-service")
    # Fonts from somebody else's server are nobody's business here.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    picture = picture.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")
    (ROOT / "docs" / "picture.svg").write_text(picture)


class Terminal:
    def __init__(self, console: Console, home: Path) -> None:
        self.console = console
        self.home = home
        self.folder = home
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        cache = str(Path.home() / ".cache" / "uv")
        self.variables = {
            **{name: value for name, value in os.environ.items() if name.startswith("SSL_")},
            "HOME": str(home),
            "PATH": path,
            "UV_CACHE_DIR": cache,
            "UV_NO_PROGRESS": "1",
            "TERM": "xterm-256color",
            "COLUMNS": "110",
        }

    def run(self, command: str, shown: str) -> None:
        self.prompt(command)
        if command.startswith("cd "):
            self.folder /= command.removeprefix("cd ")
            return
        for line in self.output(command.replace("curl ", "curl --silent ")):
            if shown and re.search(shown, Text.from_ansi(line).plain):
                self.console.print(Text.from_ansi(line.replace(str(self.home), "~")))

    def output(self, command: str) -> list[str]:
        """What it prints on a terminal, in colour."""
        ours, its = pty.openpty()
        process = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", command],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=its,
            stderr=its,
        )
        os.close(its)
        text = read_all(ours)
        if process.wait() != 0:
            sys.exit(f"{command} failed:\n{text}")
        lines = text.replace("\r\n", "\n").split("\n")
        # What a terminal shows of a line that is written anew: its last state.
        return [line.rpartition("\r")[2] for line in lines if line.strip()]

    @contextmanager
    def serve(self, command: str) -> Iterator[None]:
        self.prompt(f"{command} &")
        process = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", f"exec {command}"],
            cwd=self.folder,
            env=self.variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_for("http://localhost:8000/readyz")
            yield
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait()

    def prompt(self, command: str) -> None:
        self.console.print(Text.assemble(("$ ", "green"), (command, "bold")))


def read_all(terminal: int) -> str:
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # on Linux, the other end is closed
            part = b""
        if not part:
            os.close(terminal)
            return b"".join(parts).decode()
        parts.append(part)


def wait_for(address: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            httpx2.get(address).raise_for_status()
        except httpx2.TransportError:
            time.sleep(0.2)
        else:
            return
    sys.exit(f"{address} does not answer.")


if __name__ == "__main__":
    main()
