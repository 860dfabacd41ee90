"""What a column has where it says nothing, on MySQL and MariaDB."""

from collections.abc import Sequence
from typing import Any

from alembic.operations import MigrateOperation, ops
from sqlalchemy import Column, Computed, DefaultClause, text

from ..schema.snapshot import Facts, Thing
from .parts import Part, changes, changes_of_columns, take_out


def leave_null(operations: Sequence[MigrateOperation]) -> None:
    """With no default at all, a row must name even a column that may be NULL."""
    for change in changes_of_columns(operations):
        if _takes_default(change):
            change.modify_server_default = DefaultClause(text("NULL"))


def keep_counting(part: Part, counting: Facts) -> None:
    """A key that is changed gives no numbers any more, unless that is said."""
    for up, down in zip(changes_of_columns(part.up), changes_of_columns(part.down), strict=True):
        if "AUTO_INCREMENT" in counting.get(Thing(up.table_name, "column", up.column_name), ""):
            up.kw["autoincrement"] = down.kw["autoincrement"] = True


def _takes_default(change: ops.AlterColumnOp) -> bool:
    nullable = change.modify_nullable
    is_nullable = change.existing_nullable if nullable is None else nullable
    return change.modify_server_default is None and bool(is_nullable)


def leave_computed_alone(operations: ops.UpgradeOps) -> None:
    """Alembic 1.20.1 cannot alter a computed column there: it is made anew, by `Completion`."""
    computed = [
        change
        for change in changes_of_columns(operations.ops)
        if isinstance(change.existing_server_default, Computed)
    ]
    take_out(operations.ops, computed.__contains__)


def leave_computed_open(operations: Sequence[MigrateOperation]) -> None:
    """MariaDB takes no NOT NULL of a computed column, and no model has to say so."""
    for change in changes(operations):
        if isinstance(change, ops.AddColumnOp):
            change.column = _open(change.column)
        elif isinstance(change, ops.CreateTableOp):
            change.columns = [
                _open(item) if isinstance(item, Column) else item for item in change.columns
            ]


def _open(column: Column[Any]) -> Column[Any]:
    if column.computed is None:
        return column
    copy = column._copy()
    vars(copy)["nullable"] = None
    return copy
