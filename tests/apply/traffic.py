"""An application that queries a table all the time, and what its users notice."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, NullPool, create_engine, text

from ..servers import driver_url

#: Requests come every so many seconds, also while one is kept waiting, and then wait with it.
PERIOD = 0.02
#: Longer than this, a request has been kept waiting, and the machine is not just busy.
SLOW = 0.3


@dataclass
class Traffic:
    """When each request came, and how long it took from then, in seconds."""

    requests: list[tuple[float, float]] = field(default_factory=list)

    @property
    def worst(self) -> float:
        return max(latency for _, latency in self.requests)

    def percentile(self, percent: int) -> float:
        latencies = sorted(latency for _, latency in self.requests)
        return latencies[(len(latencies) - 1) * percent // 100]

    def wait_for_a_slow_one(self) -> float:
        """When the first one came that was kept waiting."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for came, latency in list(self.requests):
                if latency > SLOW:
                    return came
            time.sleep(PERIOD)
        raise TimeoutError

    def blocked_share(self, since: float, until: float) -> float:
        """The part of the time in which at least one request was kept waiting."""
        blocked, counted_to = 0.0, since
        for came, latency in self.requests:
            if latency > SLOW and came >= since:
                end = min(came + latency, until)
                blocked += max(0.0, end - max(came, counted_to))
                counted_to = max(counted_to, end)
        return blocked / (until - since)


@contextmanager
def traffic(url: str, statement: str) -> Iterator[Traffic]:
    measured, over = Traffic(), threading.Event()
    thread = threading.Thread(target=_ask, args=(url, statement, measured, over))
    thread.start()
    try:
        yield measured
    finally:
        over.set()
        thread.join()


def _ask(url: str, statement: str, measured: Traffic, over: threading.Event) -> None:
    engine = create_engine(driver_url(url), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
        while not over.is_set():
            came = time.monotonic()
            connection.execute(text(statement))
            now = time.monotonic()
            for count in range(1 + int((now - came) / PERIOD)):
                moment = came + count * PERIOD
                measured.requests.append((moment, now - moment))
            time.sleep(max(0.0, came + PERIOD - now))


@contextmanager
def transaction(url: str, statement: str, **options: str) -> Iterator[Connection]:
    """Somebody who stays in one, and with it in the way of migrations."""
    engine = create_engine(driver_url(url), poolclass=NullPool, **options)
    with engine.connect() as connection:
        connection.execute(text(statement))
        yield connection
