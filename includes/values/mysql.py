"""Values of types that only MySQL and MariaDB have."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine, UserDefinedType


def _bits(kind: Any, seed: int) -> bytes:
    length = kind.length or 1
    return int.to_bytes(seed // 100 % 2**length, (length + 7) // 8)


#: By the name of the type.
SPECIAL: dict[str, Callable[[Any, int], Any]] = {
    "BIT": _bits,
    "LONGTEXT": lambda _, seed: f'"{seed}"',  # MariaDB's JSON is one, too
    "POINT": lambda _, seed: sa.func.point(seed, seed),
    "SET": lambda kind, seed: kind.values[seed // 100 % len(kind.values)],
    "YEAR": lambda _, seed: 2000 + seed % 99,
}
#: Types that SQLAlchemy 2.1.9 does not know, by their names in the database.
UNKNOWN: dict[str, type[TypeEngine[Any]]] = {"point": type("POINT", (UserDefinedType,), {})}


def lacks(_: sa.Connection, __: sa.Table) -> str | None:
    """Nothing: foreign keys are on, and the server has refused a row without what it refers to."""
    return None
