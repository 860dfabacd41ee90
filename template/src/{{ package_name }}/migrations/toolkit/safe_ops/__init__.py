"""Changes of tables that are in use, for migrations to call.

They are kept as they are for ever: migrations that were written with them are.
"""

from .batches import batched_update as batched_update
from .server import create_check as create_check
from .server import create_foreign_key as create_foreign_key
from .server import create_index as create_index
from .server import create_unique as create_unique
from .server import drop_index as drop_index
from .server import set_not_null as set_not_null
