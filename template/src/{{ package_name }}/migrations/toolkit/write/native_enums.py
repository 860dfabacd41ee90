"""Types of their own, as PostgreSQL has them: made before a column needs one, dropped after."""

from collections.abc import Iterator
from typing import Any

from alembic.operations.ops import (
    AlterColumnOp,
    CreateTableOp,
    DropColumnOp,
    DropTableOp,
    ExecuteSQLOp,
    MigrateOperation,
    ModifyTableOps,
    UpgradeOps,
)
from sqlalchemy import Dialect, Enum
from sqlalchemy.types import TypeEngine

from ..schema.snapshot import Facts, qualified
from .parts import Part, quoted


def around(
    found: Facts, wanted: Facts, operations: UpgradeOps, dialect: Dialect
) -> tuple[Part, Part]:
    """A table that is made brings its types along, and one that is dropped leaves them behind."""
    first, last, back = Part(), Part(), operations.reverse()
    brought, brought_back = (set(_of_new_tables(each.ops)) for each in (operations, back))
    for name, text in _only_in(wanted, found):
        if name not in brought:
            first.up.append(_create(quoted(name, dialect), text))
        first.down.append(_drop(quoted(name, dialect)))
    dropped = set(_of_dropped(operations.ops))
    for name, text in _only_in(found, wanted):
        if name in dropped:
            last.up.append(_drop(quoted(name, dialect)))
            if name not in brought_back:
                last.down.append(_create(quoted(name, dialect), text))
    return first, last


def _only_in(these: Facts, those: Facts) -> Iterator[tuple[str, str]]:
    for thing, text in these.items():
        if thing.kind == "type" and thing not in those and text.startswith("ENUM"):
            yield thing.name, text


def _of_new_tables(operations: list[MigrateOperation]) -> Iterator[str]:
    for each in operations:
        if isinstance(each, CreateTableOp):
            for column in each.to_table().columns:
                yield from _names(column.type)


def _of_dropped(operations: list[MigrateOperation]) -> Iterator[str]:
    for each in operations:
        if isinstance(each, DropTableOp):
            for column in each.to_table().columns:
                yield from _names(column.type)
        elif isinstance(each, ModifyTableOps):
            for change in each.ops:
                if isinstance(change, DropColumnOp):
                    yield from _names(change.to_column().type)
                elif isinstance(change, AlterColumnOp) and change.modify_type is not None:
                    yield from _names(change.existing_type)


def _names(kind: TypeEngine[Any] | None) -> Iterator[str]:
    item = getattr(kind, "item_type", kind)  # Of an array.
    if isinstance(item, Enum) and item.name:
        yield qualified(item.name, item.schema)


def _create(name: str, text: str) -> ExecuteSQLOp:
    return ExecuteSQLOp(f"CREATE TYPE {name} AS {text}")


def _drop(name: str) -> ExecuteSQLOp:
    return ExecuteSQLOp(f"DROP TYPE {name}")
