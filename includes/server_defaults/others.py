"""Whether two defaults are alike: by their texts, which the database may spell in another way."""

from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Identity, String

#: Of Alembic's: none is needed.
PLUGINS: list[str] = []


def _compare(
    _context: MigrationContext,
    _found: Column[Any],
    column: Column[Any],
    found: str | None,
    default: Any,
    wanted: str | None,
) -> bool | None:
    """False where the database only spells it another way, None where Alembic compares well."""
    if isinstance(default, Identity):
        return False  # There are no identity columns: a key counts up by other means.
    if found is None or wanted is None or isinstance(column.type, String):
        return None
    return False if _meaning(found) == _meaning(wanted) else None


def _meaning(default: str) -> str | float:
    """MySQL and MariaDB tell now() as current_timestamp(), true as 1 and 0 as 0.00."""
    text = default.strip("()'\" ").lower()
    text = {"now": "current_timestamp", "true": "1", "false": "0"}.get(text, text)
    try:
        return float(text)
    except ValueError:
        return text


#: For Alembic's `compare_server_default`.
COMPARE = _compare
