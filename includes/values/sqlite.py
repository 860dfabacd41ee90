"""Values of types that only SQLite has: there are none."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.exc import OperationalError
from sqlalchemy.types import TypeEngine

#: By the name of the type.
SPECIAL: dict[str, Callable[[Any, int], Any]] = {}
#: Types that SQLAlchemy does not know, by their names in the database.
UNKNOWN: dict[str, type[TypeEngine[Any]]] = {}


def lacks(connection: Connection, table: Table) -> str | None:
    """Where a row refers to nothing: foreign keys are off while migrations run."""
    name = connection.dialect.identifier_preparer.quote(table.name)
    with suppress(OperationalError):  # One that refers to what is not unique never holds.
        broken = connection.exec_driver_sql(f"PRAGMA foreign_key_check({name})").first()
        if broken:
            return f"it would lack the one in {broken.parent} that it refers to"
    return None
