"""Interrupt a migration at a packet, run it again, and compare with a run that was not interrupted."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from ...databases import query
from .forks import IDLE
from .proxy import Cut
from .snapshots import Snapshot, difference, take_snapshot
from .workshop import Workshop

Direction = Literal["up", "down"]
COMMANDS: dict[Direction, tuple[str, str]] = {
    "up": ("upgrade", "head"),
    "down": ("downgrade", "r1"),
}
# Else the thread that watches for locks would connect, sooner or later.
QUIET = {"MIGRATION_LOCK_TIMEOUT": "60"}


@dataclass
class Count:
    points: int = 0
    #: What was to happen at the packet has happened.
    hits: int = 0
    #: The next run found something half applied.
    resumed: int = 0


class Sweep:
    """Goes up and down in one database, interrupted each time."""

    def __init__(self, url: str, workshop: Workshop, count: Count) -> None:
        self.url = url
        self._first, self._second = workshop.forks
        self._proxy = workshop.proxy
        self._through = self._proxy.entrance(url)
        self._count = count
        self.packets: dict[Direction, int] = {}
        self._expected: dict[Direction, Snapshot] = {}
        ended = self._second.run(url, "upgrade", "r1", **QUIET)
        assert ended.code == 0, ended.output
        # Twice: the first time makes the toolkit's own tables.
        for direction in (*COMMANDS, *COMMANDS):
            self._learn(direction)
        self._applied = self._count_history()
        self._place: Direction = "down"

    def points(self, number: int) -> Iterator[tuple[Direction, int]]:
        """About so many packets each way, evenly spread; all if there are not more."""
        spread = {
            direction: range(1, packets + 1, max(1, round(packets / number)))
            for direction, packets in self.packets.items()
        }
        for up, down in zip_longest(spread["up"], spread["down"]):
            if up:
                yield "up", up
            if down:
                yield "down", down

    def check(self, direction: Direction, cut: Cut) -> str | None:
        """Interrupt it, let it be completed, and tell what is wrong then."""
        if self._place == direction:
            other: Direction = "down" if direction == "up" else "up"
            failure = self.complete(other)
            assert failure is None, failure
        self.interrupt(direction, cut)
        return self.complete(direction, cut)

    def _learn(self, direction: Direction) -> None:
        self._proxy.arm()
        ended = self._first.run(self._through, *COMMANDS[direction], **QUIET)
        assert ended.code == 0, ended.output
        self.packets[direction] = self._proxy.packets
        self._expected[direction] = take_snapshot(self.url)

    def interrupt(self, direction: Direction, cut: Cut) -> None:
        """A process that is frozen stays until the command is completed by another."""
        self._proxy.arm(cut)
        cut.process = self._first.start(self._through, *COMMANDS[direction], **QUIET)
        cut.started.set()
        if cut.action == "freeze":
            cut.over.wait(20)
        else:
            self._first.end()
        self._count.points += 1
        self._count.hits += cut.over.is_set()

    def complete(self, direction: Direction, cut: Cut | None = None) -> str | None:
        """What is other than after a run that was not interrupted."""
        frozen = cut and cut.action == "freeze"
        variables = QUIET | ({IDLE: "1"} if frozen else {})
        ended = self._second.run(self.url, *COMMANDS[direction], **variables)
        if cut and frozen:
            with suppress(ProcessLookupError):  # After its farewell it waits for no answer.
                os.kill(cut.process, signal.SIGKILL)
            self._first.end()
        self._count.resumed += "completing it" in ended.output
        if ended.code:
            return ended.output
        self._place = direction
        self._applied += 1
        if self._count_history() != self._applied:
            return "the history tells it twice, or never"
        differences = difference(take_snapshot(self.url), self._expected[direction])
        return ", ".join(differences) or None

    def _count_history(self) -> int:
        [(count,)] = query(self.url, "SELECT COUNT(*) FROM alembic_history")
        assert isinstance(count, int)
        return count
