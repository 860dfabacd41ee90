"""CHECKs that come with the type of a column: of an Enum or a Boolean with `create_constraint`."""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any

from alembic.operations.ops import (
    AddColumnOp,
    AlterColumnOp,
    CreateCheckConstraintOp,
    MigrateOperation,
    ModifyTableOps,
)
from alembic.util.sqla_compat import _is_type_bound
from sqlalchemy import CheckConstraint, Table, types

from ..schema.snapshot import Facts, Thing, qualified
from .completion import Completion

Tables = Mapping[str, Table]


def leave_out_of_changes(operations: Sequence[MigrateOperation]) -> None:
    """Alembic would add one, under the name of the one that is there: it is a change of its own."""
    for each in _of_tables(operations):
        for change in each.ops:
            if isinstance(change, AlterColumnOp) and _has_check(change.modify_type):
                change.modify_type = copy(change.modify_type)
                vars(change.modify_type)["create_constraint"] = False


def drop_namesakes(
    operations: Sequence[MigrateOperation], tables: Tables, completion: Completion, found: Facts
) -> None:
    """The one of a column that goes may have the name of the one of a column that comes."""
    for each in _of_tables(operations):
        table = qualified(each.table_name, each.schema)
        for name in sorted(_brought(each, tables)):
            if Thing(table, "check", name) in found:
                each.ops.insert(0, completion.drop_check(table, name))


def leave_out_doubled(operations: Sequence[MigrateOperation], tables: Tables) -> None:
    """Alembic 1.20.1 adds them once more."""
    for each in _of_tables(operations):
        brought = _brought(each, tables)
        each.ops = [
            change
            for change in each.ops
            if not isinstance(change, CreateCheckConstraintOp)
            or str(change.constraint_name) not in brought
        ]


def _of_tables(operations: Sequence[MigrateOperation]) -> Iterator[ModifyTableOps]:
    return (each for each in operations if isinstance(each, ModifyTableOps))


def _has_check(kind: types.TypeEngine[Any] | None) -> bool:
    return isinstance(kind, types.Enum | types.Boolean) and kind.create_constraint


def _brought(changes: ModifyTableOps, tables: Tables) -> set[str]:
    table = tables.get(qualified(changes.table_name, changes.schema))
    added = {change.column.name for change in changes.ops if isinstance(change, AddColumnOp)}
    return {
        str(constraint.name)
        for constraint in (() if table is None else table.constraints)
        if isinstance(constraint, CheckConstraint)
        and _is_type_bound(constraint)
        and added.intersection(constraint.columns.keys())
    }
