"""Indexes that only get another name, on MySQL and MariaDB.

A foreign key needs an index there. Without one of the models' it has one under its own name, and
that cannot be dropped as long as there is no other.
"""

from collections.abc import Iterator

from alembic.operations.ops import (
    CreateIndexOp,
    DropIndexOp,
    ExecuteSQLOp,
    ModifyTableOps,
    UpgradeOps,
)
from alembic.runtime.migration import MigrationContext

from ..schema.snapshot import Facts
from .parts import Part


def renamed(operations: UpgradeOps, context: MigrationContext, found: Facts, wanted: Facts) -> Part:
    """Instead of operations that drop the one or make the other, which are taken out."""
    part = Part()
    if context.dialect.name not in {"mysql", "mariadb"}:
        return part
    quote = context.dialect.identifier_preparer.quote
    for table, old, new in _pairs(found, wanted):
        change = f"ALTER TABLE {quote(table)} RENAME INDEX"
        if _take_out(operations, table, {old, new}):
            part.up.append(ExecuteSQLOp(f"{change} {quote(old)} TO {quote(new)}"))
            part.down.append(ExecuteSQLOp(f"{change} {quote(new)} TO {quote(old)}"))
    return part


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
            kept = [
                change
                for change in each.ops
                if not isinstance(change, CreateIndexOp | DropIndexOp)
                or change.index_name not in names
            ]
            has_any = has_any or len(kept) < len(each.ops)
            each.ops = kept
    return has_any
