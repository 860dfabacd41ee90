"""MySQL and MariaDB: at whatever moment a migration is interrupted, the next run completes it."""

import random
from collections.abc import Sequence
from itertools import cycle

import pytest

from .proxy import Action, Cut, Moment
from .sweep import COMMANDS, Count, Sweep
from .workshop import MARKS, Workshop

pytestmark = MARKS

MOMENTS: list[Moment] = ["before", "after"]


@pytest.mark.parametrize(
    "manners",
    [
        [("kill", "before")],
        [("kill", "after")],
        [
            ("kill", "half"),
            ("cut", "before"),
            ("cut", "after"),
            ("freeze", "before"),
            ("freeze", "after"),
        ],
    ],
    ids=["killed-before", "killed-after", "otherwise"],
)
def test_at_a_packet(
    workshop: Workshop, rounds: int, manners: Sequence[tuple[Action, Moment]]
) -> None:
    """At each packet that there is, with `--rounds=1000`."""
    workshop.take_versions()
    count, failures, todo, manner = Count(), [], None, cycle(manners)
    while todo is None or todo:
        with workshop.open_database() as url:
            sweep = Sweep(url, workshop, count)
            todo = list(sweep.points(2 * rounds + len(manners) // 2)) if todo is None else todo
            while todo:
                direction, packet = todo.pop(0)
                action, moment = next(manner)
                failure = sweep.check(direction, Cut(packet, action=action, moment=moment))
                if failure:
                    failures.append(f"{action} {moment} {direction} {packet}: {failure}")
                    break  # Nothing more can be learnt in this database.
    print(f"{count}, of {sweep.packets} packets")
    assert not failures


def test_again_while_it_is_completed(workshop: Workshop, rounds: int) -> None:
    workshop.take_versions()
    moments = random.Random(7)  # noqa: S311
    count = Count()
    with workshop.open_database() as url:
        sweep = Sweep(url, workshop, count)
        for _ in range(rounds):
            for direction in COMMANDS:
                for _ in range(2):
                    packet = moments.randint(20, sweep.packets[direction])
                    sweep.interrupt(direction, Cut(packet, moment=moments.choice(MOMENTS)))
                failure = sweep.complete(direction)
                assert failure is None, failure
    print(f"killed twice: {count}")
