"""A proxy that counts a client's packets to MySQL or MariaDB, and does something at one of them."""

import os
import signal
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy.engine import make_url

Action = Literal["kill", "cut", "freeze"]
#: Before the server gets the packet, with half of it, or when it has answered, which nobody hears.
Moment = Literal["before", "half", "after"]

_CLIENT_SSL = 0x0800
_PATIENCE = 30


@dataclass
class Cut:
    """What happens at the n-th packet of all connections, or at the one with the statement."""

    packet: int = 0
    statement: bytes | None = None
    action: Action = "kill"
    moment: Moment = "before"
    #: Set when the process is known that is to be killed.
    started: threading.Event = field(default_factory=threading.Event)
    process: int = 0
    #: Set when it has happened.
    over: threading.Event = field(default_factory=threading.Event)

    def kill(self) -> None:
        assert self.started.wait(_PATIENCE)
        os.kill(self.process, signal.SIGKILL)


class Proxy:
    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self.packets = 0
        self.cut = Cut()
        threading.Thread(target=self._accept, daemon=True).start()

    def entrance(self, url: str) -> str:
        through = make_url(url).set(host="127.0.0.1", port=self.port)
        return through.render_as_string(hide_password=False)

    def arm(self, cut: Cut | None = None) -> Cut:
        """Count from one again, and forget the connections of before."""
        self._close_all()
        self.packets, self.cut = 0, cut or Cut()
        return self.cut

    def close(self) -> None:
        self._listener.close()
        self._close_all()

    def _close_all(self) -> None:
        while self._sockets:
            _close(self._sockets.pop())

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._sockets.append(each)
                threading.Thread(target=_Link(self, client, server).carry, daemon=True).start()

    def count(self, packet: bytes) -> Cut | None:
        """The cut, if it is at this packet."""
        with self._lock:
            self.packets += 1
            wanted = self.cut.statement
            found = wanted is not None and packet[5:].startswith(wanted)
            return self.cut if found or self.packets == self.cut.packet else None


class _Link:
    """A client's connection, and the one to the server."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._answers_are_withheld = False
        self._answered = threading.Event()

    def carry(self) -> None:
        with suppress(OSError):
            self._client.sendall(_without_tls(_read_packet(self._server)))
            threading.Thread(target=self._carry_answers, daemon=True).start()
            self._carry_packets()
        _close(self._client)
        _close(self._server)

    def _carry_packets(self) -> None:
        while packet := _read_packet(self._client):
            if cut := self._proxy.count(packet):
                self._carry_out(cut, packet)
                return
            self._server.sendall(packet)

    def _carry_answers(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(65536):
                if self._answers_are_withheld:
                    self._answered.set()
                else:
                    self._client.sendall(data)
        self._answered.set()
        if not self._answers_are_withheld:
            _close(self._client)

    def _carry_out(self, cut: Cut, packet: bytes) -> None:
        self._answers_are_withheld = True
        if cut.moment == "half":
            self._server.sendall(packet[: len(packet) // 2])
        if cut.moment == "after":
            self._server.sendall(packet)
            self._answered.wait(_PATIENCE)
            time.sleep(0.005)  # An answer may come in several pieces.
        if cut.action == "kill":
            cut.kill()
        if cut.action == "freeze":
            cut.over.set()
            threading.Event().wait()
        _close(self._client)
        _close(self._server)
        cut.over.set()


def _read_packet(source: socket.socket) -> bytes:
    head = _read(source, 4)
    return head + _read(source, int.from_bytes(head[:3], "little")) if head else b""


def _read(source: socket.socket, length: int) -> bytes:
    """Nothing when the connection ends before."""
    data = b""
    while len(data) < length:
        piece = source.recv(length - len(data))
        if not piece:
            return b""
        data += piece
    return data


def _without_tls(greeting: bytes) -> bytes:
    """The same, of a server that cannot encrypt: packets must be seen."""
    # A header of 4 bytes, the protocol's version, the server's with a zero, a number, 9 bytes.
    place = greeting.index(b"\0", 5) + 1 + 4 + 9
    flags = int.from_bytes(greeting[place : place + 2], "little") & ~_CLIENT_SSL
    return greeting[:place] + flags.to_bytes(2, "little") + greeting[place + 2 :]


def _close(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
