"""Changes that one part of a table entails in another: written once, and taken back whole."""

import pytest

from ..apply.lab import Lab, Target
from .authoring import Write, run_history, versions
from .changes import CHANGES, Change

pytestmark = pytest.mark.slow

HISTORIES = 4


# Each command runs all migrations before its own: several histories are sooner through than one.
@pytest.mark.parametrize("begin", range(HISTORIES))
@pytest.mark.usefixtures("unformatted")
def test_changes(lab: Lab, write: Write, begin: int) -> None:
    """Each is complete at once, and nothing of it is refused."""
    write({})
    with lab.fresh() as target:
        known = [each for each in CHANGES[begin::HISTORIES] if _is_known(each, target)]
        orders = [
            {"models": _models(tables), "message": message, "x": x}
            for change in known
            for tables, message, x in (
                (change.before, f"begin to {change.name}", ["no-rename"]),
                (
                    change.after,
                    change.name,
                    [*(f"rename={each}" for each in change.rename.split()), "no-rename"],
                ),
            )
        ]
        made = run_history(target, orders)
    for order, answer in zip(orders, made.answers, strict=True):
        assert (answer["error"], answer["check"]) == ("", ""), order
        for wrong in ("the database refuses", "write this yourself", "Warning"):
            assert wrong not in answer["said"], (order, answer["said"])
    written = {path.read_text().split("\n")[0].strip('"') for path in versions(lab)}
    # What it begins with may be there already.
    assert {change.name for change in known} <= written
    # What PostgreSQL 14 does not know.
    assert not any("nulls_not_distinct" in path.read_text() for path in versions(lab))
    # PostgreSQL's counter keeps the name of a table that was renamed, until that is made anew; and a
    # type keeps its values.
    kept = ("_id_seq", ": type JobScope is ENUM", ": type size is ENUM")
    assert [line for line in made.ways_back if not any(each in line for each in kept)] == []


def _is_known(change: Change, target: Target) -> bool:
    if change.since and target.lab.database == "postgresql":
        return target.postgresql >= change.since
    return target.lab.database in change.databases


def _models(tables: dict[str, str]) -> str:
    return "".join(f"sa.Table('{name}', Base.metadata, {text})\n" for name, text in tables.items())
