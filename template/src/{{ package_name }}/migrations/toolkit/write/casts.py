"""From one type to another: what keeps every value, and what must be converted."""

from collections.abc import Mapping

from alembic.operations import ops
from sqlalchemy import Dialect, types

#: By what values are: there is a way from each to itself, to a text, and to these.
WAYS: Mapping[type, set[type]] = {
    types.Integer: {types.Numeric},
    types.Date: {types.DateTime},
}


def can_cast(change: ops.AlterColumnOp, dialect: Dialect) -> bool:
    if change.existing_type is None or change.modify_type is None:
        return True
    old, new = change.existing_type._type_affinity, change.modify_type._type_affinity
    if isinstance(change.modify_type, types.Enum) and _is_own_type(change.modify_type, dialect):
        old_type = change.existing_type
        # Where enums have names, another one is another type.
        return isinstance(old_type, types.Enum) and old_type.name in {None, change.modify_type.name}
    return new in {old, types.String} | WAYS.get(old or types.NullType, set())


def _is_own_type(kind: types.Enum, dialect: Dialect) -> bool:
    """Else it is a text."""
    return kind.native_enum and dialect.supports_native_enum
