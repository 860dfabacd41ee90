"""From one type to another: what keeps every value, and what must be converted."""

from collections.abc import Mapping, Sequence

from alembic.operations.ops import AlterColumnOp, MigrateOperation, ModifyTableOps
from alembic.runtime.migration import MigrationContext
from sqlalchemy import types

#: By what values are: there is a way from each to itself, to a text, and to these.
WAYS: Mapping[type, set[type]] = {
    types.Integer: {types.Numeric},
    types.Date: {types.DateTime},
}


def can_cast(change: AlterColumnOp) -> bool:
    if change.existing_type is None or change.modify_type is None:
        return True
    old, new = change.existing_type._type_affinity, change.modify_type._type_affinity
    if isinstance(change.modify_type, types.Enum):
        return isinstance(change.existing_type, types.Enum)
    return new in {old, types.String} | WAYS.get(old or types.NullType, set())


def add(operations: Sequence[MigrateOperation], context: MigrationContext) -> None:
    """PostgreSQL refuses such a change, even of an empty table, unless it is told how."""
    if context.dialect.name == "postgresql":
        for each in operations:
            if isinstance(each, ModifyTableOps):
                for change in each.ops:
                    if isinstance(change, AlterColumnOp) and not can_cast(change):
                        change.kw["postgresql_using"] = _using(change, context)


def _using(change: AlterColumnOp, context: MigrationContext) -> str:
    name = context.dialect.identifier_preparer.quote(change.column_name)
    kind = change.modify_type.compile(context.dialect) if change.modify_type else ""
    return f"{name}::{kind}"
