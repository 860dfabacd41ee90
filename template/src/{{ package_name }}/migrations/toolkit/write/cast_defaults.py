"""A column's default goes while the column gets a type that it cannot be cast to, and comes back."""

from collections.abc import Iterator
from typing import Any

from alembic.operations import MigrateOperation, ops
from sqlalchemy import DefaultClause, Dialect, Enum

from .casts import can_cast
from .completion import Completion
from .items import table_of


def put_aside(operations: ops.UpgradeOps, completion: Completion) -> None:
    for each in operations.ops:
        if isinstance(each, ops.ModifyTableOps):
            each.ops = [step for change in each.ops for step in _steps(change, completion)]


def _steps(change: MigrateOperation, completion: Completion) -> Iterator[MigrateOperation]:
    dialect = completion.connection.dialect
    if not isinstance(change, ops.AlterColumnOp) or _goes_along(change, dialect):
        yield change
        return
    old, new = change.existing_server_default, change.modify_server_default
    change.existing_server_default = change.modify_server_default = False
    if old:
        yield _set_default(change, change.existing_type, old, None)
    yield change
    if new is False:
        # The server tells it with the type that it had: '0'::character varying.
        new = completion.models[table_of(change)].columns[change.column_name].server_default
    if new:
        yield _set_default(change, change.modify_type, None, new)


def _goes_along(change: ops.AlterColumnOp, dialect: Dialect) -> bool:
    """There and back; one that names an enum would keep it."""
    if change.modify_type is None or not _has_default(change):
        return True
    ways = (change, change.reverse())
    return all(can_cast(way, dialect) and not isinstance(way.existing_type, Enum) for way in ways)


def _has_default(change: ops.AlterColumnOp) -> bool:
    """And not what makes the value of each row."""
    found = [
        each for each in (change.existing_server_default, change.modify_server_default) if each
    ]
    return bool(found) and all(isinstance(each, DefaultClause) for each in found)


def _set_default(change: ops.AlterColumnOp, kind: Any, old: Any, new: Any) -> ops.AlterColumnOp:
    return ops.AlterColumnOp(
        change.table_name,
        change.column_name,
        schema=change.schema,
        existing_type=kind,
        existing_server_default=old,
        modify_server_default=new,
    )
