"""Changes that nobody has thought of: written whole, taken back whole, and survived by rows."""

import random
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pprint import pformat

import pytest

from ..apply.lab import Lab
from .authoring import Write, run_history
from .random_changes import Author, Step

pytestmark = pytest.mark.slow

#: The same one on every run, of few steps; more rounds look elsewhere.
KNOWN = 2
STEPS = 1
MORE_STEPS = 4

REFUSED = ("the database refuses", "write this yourself", "Texts of CHECKs")


@pytest.mark.usefixtures("unformatted")
def test_random_changes(lab: Lab, write: Write, rounds: int) -> None:
    write({})
    failed = []
    for number in range(rounds // 2):
        seed, count = (
            (random.SystemRandom().randrange(10**6), MORE_STEPS) if number else (KNOWN, STEPS)
        )
        print(f"{lab.database}, seed {seed}, {count} steps")  # Shown where it fails.
        author = Author(seed, lab.database)
        steps = list(author.steps(count))
        shutil.rmtree(lab.project.package / "migrations" / "versions", ignore_errors=True)
        if found := list(_wrong(lab, steps, author.is_gentle)):
            failed.append(
                f"{lab.database}, seed {seed}:\n{pformat(found, width=120)}\n{_as_cases(steps)}"
            )
    assert not failed, "\n\n".join(failed)


def _wrong(lab: Lab, steps: list[Step], is_gentle: bool) -> Iterator[str]:
    orders = [
        {
            "models": step.text,
            "message": f"step {number}",
            "x": [f"rename={step.rename}", "no-rename"][not step.rename :],
        }
        for number, step in enumerate(steps)
    ]
    with lab.fresh() as target:
        made = run_history(target, orders, *(["rows"] * is_gentle))
    for number, answer in enumerate(made.answers):
        said = [
            line for line in answer["said"].splitlines() if any(map(line.__contains__, REFUSED))
        ]
        for each in filter(None, (answer["error"], answer["check"], *said)):
            yield f"step {number}: {each}"
    # As in test_changes.py.
    kept = ("_id_seq", ": type ")
    yield from (line for line in made.ways_back if not any(each in line for each in kept))
    yield from made.losses


def _as_cases(steps: list[Step]) -> str:
    """For test_changes.py."""
    cases = []
    for number, (before, after) in enumerate(pairwise(steps), 1):
        name = f"step {number}: {', '.join(after.changes)}"
        rename = f", rename={after.rename!r}" * bool(after.rename)
        cases.append(
            f"Change(\n{name!r},\n{pformat(before.models, width=120)},\n{pformat(after.models, width=120)}{rename}),"
        )
    return "\n".join(cases)
