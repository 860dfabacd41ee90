"""How long `upgrade` takes: when there is nothing to do, and when there is very much."""

import shutil
from collections.abc import Sequence

import pytest

from tests.databases import query

from .race import Race
from .rivals import OURS, Rivals

CREATE = """
op.create_table(
    "accounts",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("amount", sa.BigInteger, nullable=False),
)
"""
# By turns: a new table; a column that is filled; an index, and rows.
KINDS = [
    """
op.create_table(
    "t{table}",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(50), nullable=False),
)
""",
    """
op.add_column("t{table}", sa.Column("size", sa.Integer))
op.execute("UPDATE t{table} SET size = 1")
""",
    """
op.create_index("ix_t{table}_name", "t{table}", ["name"])
op.bulk_insert(
    sa.table("t{table}", sa.column("id"), sa.column("name")),
    [{{"id": 1, "name": "one"}}, {{"id": 2, "name": "two"}}],
)
""",
]
REVISIONS = 1000


def bench_nothing_to_do(rivals: Rivals, race: Race, rounds: int) -> None:
    rivals.write("r1", CREATE)
    variants = rivals.commands()
    variants["this template, alembic"] = rivals.ours, ["alembic", "upgrade", "head"]
    with rivals.fresh() as url:
        for project, command in variants.values():
            project.run(*command, url=url)  # The first run compiles what it imports.
        for number in range(rounds):
            for name in _in_turn(list(variants), number):
                project, command = variants[name]
                with race.lap(name):
                    project.run(*command, url=url)


def bench_a_thousand_revisions(rivals: Rivals, race: Race, rounds: int) -> None:
    _race_through_a_thousand(rivals, race, rounds)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("delay", [0.5, 1, 2, 5])
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def bench_a_thousand_on_a_slower_disk(
    rivals: Rivals, race: Race, rounds: int, delay: float
) -> None:
    """Each time that something is written for good takes so many milliseconds longer."""
    delayed = f"inject=fsync,fdatasync:delay_exit={delay * 1000:.0f}"
    traced = ["-f", "--seccomp-bpf", "-e", "trace=fsync,fdatasync", "-o", "/dev/null"]
    slowly = ["strace", *traced, "-e", delayed]
    _race_through_a_thousand(rivals, race, rounds, slowly)


def _race_through_a_thousand(
    rivals: Rivals, race: Race, rounds: int, slowly: Sequence[str] = ()
) -> None:
    """Each round on databases of its own."""
    for number in range(REVISIONS):
        table, kind = divmod(number, len(KINDS))
        rivals.write(f"r{number:04}", KINDS[kind].format(table=table))
    variants = rivals.commands()
    for number in range(rounds):
        for name in _in_turn(list(variants), number):
            project, command = variants[name]
            with rivals.fresh() as url:
                with race.lap(name):
                    project.run(*slowly, *command, url=url)
                assert query(url, "SELECT version_num FROM alembic_version") == [("r0999",)]
                assert query(url, "SELECT COUNT(*) FROM t332") == [(2,)]
                if name == OURS:
                    assert query(url, "SELECT COUNT(*) FROM alembic_history") == [(REVISIONS,)]


def _in_turn(names: list[str], number: int) -> list[str]:
    """Another one is the first in each round."""
    start = number % len(names)
    return names[start:] + names[:start]
