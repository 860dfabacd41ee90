"""Indexes and constraints that another name alone tells apart: they get it, and stay what they are.

To make one anew takes long, and what a foreign key needs cannot be dropped.
"""

from collections.abc import Iterator, Mapping

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
from sqlalchemy import Dialect

from ..schema.snapshot import Facts, Thing, named_otherwise, qualified
from .completion import Completion
from .parts import Part, quoted, quoted_word

#: By kind, the statement that gives a new name.
Statements = Mapping[str, str]


def changed(
    operations: UpgradeOps, dialect: Dialect, found: Facts, wanted: Facts, statements: Statements
) -> Part:
    """Instead of operations that drop the one or make the other, which are taken out."""
    part = Part()
    for old, new in named_otherwise(found, wanted):
        if old.kind in statements and _take_out(operations, old.table, {old.name, new.name}):
            part.up.append(_rename(old, new, dialect, statements))
            part.down.append(_rename(new, old, dialect, statements))
    return part


def given_up(completion: Completion, found: Facts, wanted: Facts) -> Iterator[Part]:
    """Of foreign keys of a table that was renamed, where another table needs them now."""
    needed = {thing.name for thing in wanted if thing.kind == "foreign key"}
    for old, new in named_otherwise(found, wanted):
        if old.kind == "foreign key" and old.name in needed:
            yield completion.rename_reference(old, new)


def _rename(old: Thing, new: Thing, dialect: Dialect, statements: Statements) -> ExecuteSQLOp:
    schema, dot, _ = old.table.rpartition(".")
    names = {
        "table": quoted(old.table, dialect),
        "schema": quoted(schema, dialect) + dot if schema else "",
        "old": quoted_word(old.name, dialect),
        "new": quoted_word(new.name, dialect),
    }
    return ExecuteSQLOp(statements[old.kind].format(**names))


def _take_out(operations: UpgradeOps, table: str, names: set[str]) -> bool:
    has_any = False
    for each in operations.ops:
        if isinstance(each, ModifyTableOps) and qualified(each.table_name, each.schema) == table:
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
