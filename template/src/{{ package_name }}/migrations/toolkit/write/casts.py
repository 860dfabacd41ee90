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
    before, after = change.existing_type, change.modify_type
    if before is None or after is None:
        return True
    if isinstance(before, types.Enum) and isinstance(after, types.Enum):
        # Where enums have names, another one is another type.
        has_name = _is_own_type(after, dialect) and before.name not in {None, after.name}
        return set(before.enums) <= set(after.enums) and not has_name
    if isinstance(after, types.Enum) and _is_own_type(after, dialect):
        return False
    old, new = before._type_affinity, after._type_affinity
    return new in {old, types.String} | WAYS.get(old or types.NullType, set())


def _is_own_type(kind: types.Enum, dialect: Dialect) -> bool:
    """Else it is a text."""
    return kind.native_enum and dialect.supports_native_enum
