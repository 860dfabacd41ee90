"""Indexes and constraints that another name alone tells apart: they get it, and stay what they are.

To make one anew takes long, and what a foreign key needs cannot be dropped.
"""

from collections.abc import Callable, Mapping

from alembic.operations import MigrateOperation, ops
from sqlalchemy import Dialect

from ..schema.snapshot import Thing, named_otherwise
from .completion import Completion
from .items import thing_of
from .parts import Part, quoted, quoted_word, take_out

KINDS = ("index", "unique constraint")
#: By kind, the statement that gives a new name.
Statements = Mapping[str, str]


def changed(
    operations: ops.UpgradeOps, completion: Completion, statements: Statements
) -> list[Part]:
    """Instead of operations that drop the one or make the other, which are taken out."""
    return [
        renamed(old, new, completion.connection.dialect, statements)
        for old, new in named_otherwise(completion.found, completion.wanted)
        if old.kind in statements and take_out(operations.ops, _is_about(old, new))
    ]


def renamed(old: Thing, new: Thing, dialect: Dialect, statements: Statements) -> Part:
    there = _rename(old, new, dialect, statements)
    back = _rename(new, old, dialect, statements)
    return Part([there], [back])


def _rename(old: Thing, new: Thing, dialect: Dialect, statements: Statements) -> ops.ExecuteSQLOp:
    schema, dot, _ = old.table.rpartition(".")
    names = {
        "table": quoted(old.table, dialect),
        "schema": quoted(schema, dialect) + dot if schema else "",
        "old": quoted_word(old.name, dialect),
        "new": quoted_word(new.name, dialect),
    }
    return ops.ExecuteSQLOp(statements[old.kind].format(**names))


def _is_about(old: Thing, new: Thing) -> Callable[[MigrateOperation], bool]:
    """A unique constraint is an index there."""
    either = {each._replace(kind=kind) for each in (old, new) for kind in KINDS}
    return lambda change: thing_of(change) in either
