"""Indexes and constraints that another name alone tells apart: they get it, and stay what they are.

To make one anew takes long, and what a foreign key needs cannot be dropped.
"""

from collections.abc import Mapping
from functools import partial

from alembic.operations.ops import (
    CreateIndexOp,
    CreateUniqueConstraintOp,
    DropConstraintOp,
    DropIndexOp,
    ExecuteSQLOp,
    MigrateOperation,
    UpgradeOps,
)
from sqlalchemy import Dialect

from ..schema.snapshot import Thing, named_otherwise, qualified
from .completion import Completion
from .parts import Part, quoted, quoted_word, take_out

#: By kind, the statement that gives a new name.
Statements = Mapping[str, str]


def changed(operations: UpgradeOps, completion: Completion, statements: Statements) -> Part:
    """Instead of operations that drop the one or make the other, which are taken out."""
    part, dialect = Part(), completion.connection.dialect
    for old, new in named_otherwise(completion.found, completion.wanted):
        is_either = partial(_is_about, old.table, {old.name, new.name})
        if old.kind in statements and take_out(operations.ops, is_either):
            part.up.append(rename(old, new, dialect, statements))
            part.down.append(rename(new, old, dialect, statements))
    return part


def rename(old: Thing, new: Thing, dialect: Dialect, statements: Statements) -> ExecuteSQLOp:
    schema, dot, _ = old.table.rpartition(".")
    names = {
        "table": quoted(old.table, dialect),
        "schema": quoted(schema, dialect) + dot if schema else "",
        "old": quoted_word(old.name, dialect),
        "new": quoted_word(new.name, dialect),
    }
    return ExecuteSQLOp(statements[old.kind].format(**names))


def _is_about(table: str, names: set[str], change: MigrateOperation) -> bool:
    """A unique constraint is an index there."""
    match change:
        case CreateIndexOp() | DropIndexOp():
            name = str(change.index_name)
        case CreateUniqueConstraintOp() | DropConstraintOp(constraint_type="unique"):
            name = str(change.constraint_name)
        case _:
            return False
    return name in names and qualified(str(change.table_name), change.schema) == table
