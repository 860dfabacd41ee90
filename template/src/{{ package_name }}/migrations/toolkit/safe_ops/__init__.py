"""Changes of tables that are in use, for migrations to call.

They are kept as they are for ever: migrations that were written with them are.
"""

from .batches import batched_update
from .server import (
    create_check,
    create_foreign_key,
    create_index,
    create_unique,
    drop_index,
    set_not_null,
)

__all__ = [
    "batched_update",
    "create_check",
    "create_foreign_key",
    "create_index",
    "create_unique",
    "drop_index",
    "set_not_null",
]
