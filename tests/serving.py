"""A server process of a rendered project: what it answers and what it writes."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from httpx2 import AsyncClient, Response, TransportError

from .projects import Project
from .servers import free_port

Line = dict[str, Any]


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    port: int
    client: AsyncClient
    _output: Path

    @property
    def output(self) -> str:
        """Both streams."""
        return self._output.read_text(errors="replace")

    @property
    def lines(self) -> list[Line]:
        """Every line must be JSON."""
        return [json.loads(line) for line in self.output.splitlines()]

    @property
    def requests(self) -> list[Line]:
        return [line for line in self.lines if line["message"] == "request"]

    async def line(self, response: Response) -> Line:
        """The line of the request, which is written after the answer is sent."""
        request_id = response.headers["x-request-id"]
        await self.wait_for(f'"request_id": "{request_id}"')
        return next(line for line in self.requests if line["request_id"] == request_id)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """The exit code after a signal."""
        self.process.send_signal(number)
        return await asyncio.to_thread(self.process.wait, 60)

    async def wait_for(self, text: str) -> None:
        """Until it has written the text."""
        deadline = time.monotonic() + 60
        while text not in self.output:
            assert time.monotonic() < deadline, f"{text!r} is not in\n{self.output}"
            await asyncio.sleep(0.1)

    async def wait_until_alive(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"it ended by itself:\n{self.output}"
            try:
                (await self.client.get("/livez")).raise_for_status()
            except TransportError:
                await asyncio.sleep(0.1)
            else:
                return
        raise AssertionError(f"it does not answer:\n{self.output}")

    async def send(self, request: bytes) -> Response:
        """The answer to what a client library would not send."""
        async with self.connect() as (reader, writer), asyncio.timeout(60):
            writer.write(request)
            return await read_response(reader)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def read_response(reader: asyncio.StreamReader) -> Response:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.lower(): text.strip() for name, _, text in pairs}
    content = await reader.readexactly(int(headers.get("content-length", 0)))
    return Response(int(first.split()[1]), headers=headers, content=content)


@asynccontextmanager
async def start(
    project: Project,
    *command: str,
    url: str | None = None,
    variables: Mapping[str, str] | None = None,
    ready: bool = True,
    terminal: bool = False,
) -> AsyncIterator[Server]:
    """Run the command in the project's environment, with a free port as PORT or option."""
    port = free_port()
    environment = project._variables(url, variables or {})
    if "PORT" in environment:
        environment["PORT"] = str(port)
    else:
        command = (*command, "--port", str(port))
    output = project.path.parent / f"server-{port}.log"
    process = _spawn(project, command, environment, output, terminal=terminal)
    try:
        async with AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            server = Server(process, port, client, output)
            if ready:
                await server.wait_until_alive()
            yield server
    finally:
        process.kill()
        process.wait()


def _spawn(
    project: Project,
    command: Sequence[str],
    environment: Mapping[str, str],
    output: Path,
    *,
    terminal: bool,
) -> subprocess.Popen[bytes]:
    with _recording(output, terminal=terminal) as stream:
        return subprocess.Popen(
            command,
            cwd=project.path,
            env=environment,
            executable=project.path / ".venv" / "bin" / command[0],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )


@contextmanager
def _recording(output: Path, *, terminal: bool) -> Iterator[int]:
    """A stream whose content goes to the file."""
    file = os.open(output, os.O_WRONLY | os.O_CREAT, 0o600)
    if not terminal:
        yield file
        os.close(file)
        return
    screen, device = pty.openpty()
    threading.Thread(target=_copy, args=(screen, file), daemon=True).start()
    yield device
    os.close(device)


def _copy(source: int, target: int) -> None:
    try:
        while data := os.read(source, 65536):
            os.write(target, data)
    except OSError:
        pass  # the other end of the terminal is closed
    os.close(source)
    os.close(target)


def problem(response: Response, status: int) -> dict[str, Any]:
    """The problem document that the response must be."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"]
    found: dict[str, Any] = response.json()
    assert found["status"] == status
    return found
