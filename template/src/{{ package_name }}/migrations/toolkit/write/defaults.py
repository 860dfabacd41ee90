"""A default that is taken away, on MySQL."""

from collections.abc import Sequence

from alembic.operations.ops import AlterColumnOp, MigrateOperation, ModifyTableOps
from sqlalchemy import DefaultClause, text


def leave_null(operations: Sequence[MigrateOperation]) -> None:
    """With no default at all, a row must name even a column that may be NULL."""
    for each in operations:
        for change in each.ops if isinstance(each, ModifyTableOps) else ():
            if isinstance(change, AlterColumnOp) and _takes_default(change):
                change.modify_server_default = DefaultClause(text("NULL"))


def _takes_default(change: AlterColumnOp) -> bool:
    nullable = change.modify_nullable
    is_nullable = change.existing_nullable if nullable is None else nullable
    return change.modify_server_default is None and bool(is_nullable)
