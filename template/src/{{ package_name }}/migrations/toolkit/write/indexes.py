"""Indexes that foreign keys need.

Without one of the models' a foreign key has one under its own name, and that cannot be dropped as
long as there is no other.
"""

from collections.abc import Iterator
from typing import cast

from alembic.operations.ops import (
    CreateIndexOp,
    CreateUniqueConstraintOp,
    DropConstraintOp,
    DropIndexOp,
    ExecuteSQLOp,
    MigrateOperation,
    ModifyTableOps,
    UpgradeOps,
)
from alembic.runtime.migration import MigrationContext
from sqlalchemy import ForeignKeyConstraint

from ..schema.snapshot import Facts, Thing
from .parts import Part


def renamed(operations: UpgradeOps, context: MigrationContext, found: Facts, wanted: Facts) -> Part:
    """Instead of operations that drop the one or make the other, which are taken out."""
    part = Part()
    quote = context.dialect.identifier_preparer.quote
    for table, old, new in _pairs(found, wanted):
        change = f"ALTER TABLE {quote(table)} RENAME INDEX"
        if _take_out(operations, table, {old, new}):
            part.up.append(ExecuteSQLOp(f"{change} {quote(old)} TO {quote(new)}"))
            part.down.append(ExecuteSQLOp(f"{change} {quote(new)} TO {quote(old)}"))
    return part


def drop_with_references(operations: UpgradeOps, found: Facts, wanted: Facts) -> None:
    """A foreign key that goes leaves the index behind that the server has made for it."""
    for each in operations.ops:
        if isinstance(each, ModifyTableOps):
            each.ops = [
                part
                for change in each.ops
                for part in (change, *_left_behind(change, found, wanted))
            ]


def _left_behind(change: MigrateOperation, found: Facts, wanted: Facts) -> Iterator[DropIndexOp]:
    if isinstance(change, DropConstraintOp) and change.constraint_type == "foreignkey":
        name, table = str(change.constraint_name), change.table_name
        index = Thing(table, "index", name)
        if index in found and found[index] != wanted.get(index):
            columns = cast(ForeignKeyConstraint, change.to_constraint()).column_keys
            yield DropIndexOp(name, table, _reverse=CreateIndexOp(name, table, columns))


def _pairs(found: Facts, wanted: Facts) -> Iterator[tuple[str, str, str]]:
    """Table, old name and new name of what is alike in all else."""
    new = {
        (thing.table, text): thing.name
        for thing, text in wanted.items()
        if thing.kind == "index" and thing not in found
    }
    for thing, text in found.items():
        if thing.kind == "index" and thing not in wanted and (thing.table, text) in new:
            yield thing.table, thing.name, new.pop((thing.table, text))


def _take_out(operations: UpgradeOps, table: str, names: set[str]) -> bool:
    has_any = False
    for each in operations.ops:
        if isinstance(each, ModifyTableOps) and each.table_name == table:
            kept = [change for change in each.ops if _name(change) not in names]
            has_any = has_any or len(kept) < len(each.ops)
            each.ops = kept
    return has_any


def _name(change: MigrateOperation) -> str | None:
    """A unique constraint is an index there."""
    match change:
        case CreateIndexOp(index_name=name) | DropIndexOp(index_name=name):
            return str(name)
        case CreateUniqueConstraintOp(constraint_name=name):
            return str(name)
        case DropConstraintOp(constraint_name=name, constraint_type="unique"):
            return str(name)
    return None
