"""A TCP proxy before a database server: it counts round trips and fails in chosen ways."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

# Before the server hears of it, or when it has answered.
Moment = Literal["before", "after"]


@dataclass
class Proxy:
    target: int
    port: int = 0
    #: What clients sent, one item per round trip.
    requests: list[bytes] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _cut: tuple[bytes, Moment] | None = None

    async def start(self) -> None:
        """Listen; again on the same port after `stop`."""
        self._flowing.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As if the server's process was killed: nobody listens, and open connections end."""
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def freeze(self) -> None:
        """Accept connections and say nothing."""
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def cut_at(self, text: bytes, moment: Moment) -> None:
        """End the connection over which the text comes next."""
        self._cut = (text, moment)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            server, to_server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            to_client.transport.abort()
            return
        writers, task = {to_client, to_server}, asyncio.current_task()
        assert task is not None
        self._open |= writers
        self._tasks.add(task)
        link = _Link(self, to_client, to_server)
        try:
            await asyncio.gather(link.carry_requests(client), link.carry_answers(server))
        finally:
            link.abort()
            self._open -= writers
            self._tasks.remove(task)


@dataclass
class _Link:
    """One client's connection."""

    proxy: Proxy
    to_client: asyncio.StreamWriter
    to_server: asyncio.StreamWriter
    asked: bool = False
    doomed: bool = False

    async def carry_requests(self, client: asyncio.StreamReader) -> None:
        async for data in _received(client):
            await self.proxy._flowing.wait()
            cut = self.proxy._cut
            if cut and cut[0] in data:
                self.proxy._cut = None
                if cut[1] == "before":
                    break
                self.doomed = True
            self._count(data)
            self.to_server.write(data)
        if not self.doomed:
            self.abort()

    async def carry_answers(self, server: asyncio.StreamReader) -> None:
        async for data in _received(server):
            if self.doomed:
                break
            await self.proxy._flowing.wait()
            self.asked = False
            self.to_client.write(data)
        self.abort()

    def abort(self) -> None:
        self.to_client.transport.abort()
        self.to_server.transport.abort()

    def _count(self, data: bytes) -> None:
        if self.asked:
            self.proxy.requests[-1] += data
        else:
            self.proxy.requests.append(data)
        self.asked = True


async def _received(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    try:
        while data := await reader.read(65536):
            yield data
    except OSError:
        pass


@asynccontextmanager
async def open_proxy(port: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(port)
    await proxy.start()
    try:
        yield proxy
    finally:
        proxy.thaw()
        await proxy.stop()
