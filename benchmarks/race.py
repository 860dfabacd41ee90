"""Variants that take turns within one run: what else the machine does meanwhile hits them all."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median, quantiles


@dataclass(frozen=True)
class Lap:
    """In seconds; of the processor, what processes took that have ended meanwhile."""

    elapsed: float
    processor: float


@dataclass
class Race:
    against: str
    laps: dict[str, list[Lap]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        began, before = time.monotonic(), getrusage(RUSAGE_CHILDREN)
        yield
        elapsed, after = time.monotonic() - began, getrusage(RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.laps[name].append(Lap(elapsed, used))

    def __str__(self) -> str:
        return "\n".join(self._line(name) for name in self.laps)

    def _line(self, name: str) -> str:
        """Ratios are taken within a round, and of these the median, with the quartiles."""
        laps = self.laps[name]
        elapsed, processor = (
            median(lap.elapsed for lap in laps),
            median(lap.processor for lap in laps),
        )
        line = f"  {name:<22}{elapsed:8.2f} s elapsed {processor:8.2f} s of the processor"
        if name == self.against:
            return line
        pairs = list(zip(laps, self.laps[self.against], strict=True))
        times = _spread([ours.elapsed / other.elapsed for ours, other in pairs])
        work = _spread([ours.processor / other.processor for ours, other in pairs])
        return f"{line}   {times} times as long, {work} times the processor"


def _spread(ratios: list[float]) -> str:
    if len(ratios) < 2:
        return f"{ratios[0]:.2f}"
    low, _, high = quantiles(ratios, n=4, method="inclusive")
    return f"{median(ratios):.2f} [{low:.2f}-{high:.2f}]"
