"""A downgrade looks at what it would lose, waits for its turn, and looks again."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .lab import Lab, Target
from .launcher import Ended
from .test_deploy import failure
from .test_undo import NO_PEOPLE, PEOPLE, PRODUCTION

pytestmark = pytest.mark.slow

WAIT = """
Path("begun").touch()
while Path("slow").exists():
    time.sleep(0.05)
"""


def test_another_process_has_moved_the_database(lab: Lab) -> None:
    """What would be lost is seen again when the turn comes."""
    with _moved_meanwhile(lab, "-x", "lose=people", **PRODUCTION) as (target, ended):
        said = failure(ended)
        assert "would lose the table pets (0 rows), the table people (2 rows)" in said
        assert target.revision == "r3"


@pytest.mark.parametrize(
    "looks", ["", "op.get_context().connection.info\n"], ids=["told", "untold"]
)
def test_another_process_has_moved_the_database_in_development(lab: Lab, looks: str) -> None:
    """The migrations run as if nobody had seen what they lose."""
    with _moved_meanwhile(lab, looks=looks) as (target, ended):
        assert ended.code == 0, ended.output
        assert target.revision is None
        assert target.tables().isdisjoint({"people", "pets"})


@contextmanager
def _moved_meanwhile(
    lab: Lab, *options: str, looks: str = "", **variables: str
) -> Iterator[tuple[Target, Ended]]:
    lab.write("r1", PEOPLE, looks + NO_PEOPLE)
    lab.write("r2", WAIT)
    lab.write("r3", 'op.create_table("pets", sa.Column("id", sa.Integer))', 'op.drop_table("pets")')
    slow, begun = lab.project.path / "slow", lab.project.path / "begun"
    with lab.fresh() as target:
        target.upgrade("r1")
        slow.touch()
        first = target.begin("upgrade", "head")
        deadline = time.monotonic() + 30
        while not begun.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        second = target.begin(*options, "downgrade", "base", **variables)
        time.sleep(2)
        slow.unlink()
        assert first.result().code == 0, first.result().output
        yield target, second.result()
