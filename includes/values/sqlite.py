"""Values of types that only SQLite has: there are none."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.types import TypeEngine

#: By the name of the type.
SPECIAL: dict[str, Callable[[Any, int], Any]] = {}
#: Types that SQLAlchemy does not know, by their names in the database.
UNKNOWN: dict[str, type[TypeEngine[Any]]] = {}
