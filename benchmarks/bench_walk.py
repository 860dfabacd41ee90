"""What it costs that a project's test walks through its migrations on tables that have rows."""

from pathlib import Path

import pytest

from .race import Race
from .rivals import Rivals
from .walking import KINDS

SCRIPT = Path(__file__).with_name("walking.py")
REVISIONS = 200
# By turns: a new table; a column; an index.
CHANGES = [
    (
        """
op.create_table(
    "t{table}",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(50), nullable=False),
)
""",
        'op.drop_table("t{table}")',
    ),
    (
        'op.add_column("t{table}", sa.Column("size", sa.Integer))',
        'op.drop_column("t{table}", "size")',
    ),
    (
        'op.create_index("ix_t{table}_name", "t{table}", ["name"])',
        'op.drop_index("ix_t{table}_name", "t{table}")',
    ),
]


@pytest.fixture
def against() -> str:
    return "bare"


def bench_two_hundred_revisions(rivals: Rivals, race: Race, rounds: int) -> None:
    project = rivals.ours
    for number in range(REVISIONS):
        table, change = divmod(number, len(CHANGES))
        up, down = (each.format(table=table) for each in CHANGES[change])
        rivals.write(f"r{number:03}", up, down)
    command = ["python", str(SCRIPT), project.package.name]
    for number in range(rounds):
        for kind in KINDS if number % 2 else KINDS[::-1]:
            with rivals.fresh() as url, race.lap(kind):
                project.run(*command, kind, url=url)
