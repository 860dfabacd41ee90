"""Types of their own, as PostgreSQL has them: made before a column needs one, dropped after."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from alembic.operations.ops import (
    CreateTableOp,
    DropColumnOp,
    DropTableOp,
    ExecuteSQLOp,
    MigrateOperation,
    ModifyTableOps,
    UpgradeOps,
)
from sqlalchemy import Column, Enum

from ..apply.snapshot import Facts
from .parts import Part


@dataclass
class Around:
    first: Part = field(default_factory=Part)
    last: Part = field(default_factory=Part)


def around(found: Facts, wanted: Facts, operations: UpgradeOps) -> Around:
    """A table that is made brings its types along, and one that is dropped leaves them behind."""
    parts, back = Around(), operations.reverse()
    brought, brought_back = (set(_of_new_tables(each.ops)) for each in (operations, back))
    for name, text in _only_in(wanted, found):
        if name not in brought:
            parts.first.up.append(_create(name, text))
        parts.first.down.append(_drop(name))
    dropped = set(_of_dropped(operations.ops))
    for name, text in _only_in(found, wanted):
        if name in dropped:
            parts.last.up.append(_drop(name))
            if name not in brought_back:
                parts.last.down.append(_create(name, text))
    return parts


def _only_in(these: Facts, those: Facts) -> Iterator[tuple[str, str]]:
    for thing, text in these.items():
        if thing.kind == "type" and thing not in those and text.startswith("ENUM"):
            yield thing.name, text


def _of_new_tables(operations: list[MigrateOperation]) -> Iterator[str]:
    for each in operations:
        if isinstance(each, CreateTableOp):
            yield from _names(each.to_table().columns)


def _of_dropped(operations: list[MigrateOperation]) -> Iterator[str]:
    for each in operations:
        if isinstance(each, DropTableOp):
            yield from _names(each.to_table().columns)
        elif isinstance(each, ModifyTableOps):
            yield from _names(
                change.to_column() for change in each.ops if isinstance(change, DropColumnOp)
            )


def _names(columns: Iterable[Column[Any]]) -> Iterator[str]:
    for column in columns:
        if isinstance(column.type, Enum) and column.type.name:
            yield column.type.name


def _create(name: str, text: str) -> ExecuteSQLOp:
    return ExecuteSQLOp(f"CREATE TYPE {name} AS {text}")


def _drop(name: str) -> ExecuteSQLOp:
    return ExecuteSQLOp(f"DROP TYPE {name}")
