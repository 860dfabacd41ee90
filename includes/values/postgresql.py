"""Values of types that only PostgreSQL has."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine, UserDefinedType


def _bits(kind: Any, seed: int) -> str:
    length = kind.length or (32 if kind.varying else 1)
    return f"{seed // 100 % 2**length:0{length}b}"


def _range(kind: Any, seed: int) -> str:
    name = type(kind).__name__
    text = f"[{seed},{seed + 1})"
    if name.startswith(("DATE", "TS")):
        day = date(2000, 1, 1) + timedelta(days=seed % 9000)
        text = f"[{day},{day + timedelta(days=1)})"
    return "{" + text + "}" if "MULTI" in name else text


#: By the name of the type.
SPECIAL: dict[str, Callable[[Any, int], Any]] = {
    "BIT": _bits,
    "CIDR": lambda _, seed: f"10.{seed // 256 % 256}.{seed % 256}.0/24",
    "HSTORE": lambda _, seed: {"number": str(seed)},
    "INET": lambda _, seed: f"10.0.{seed // 256 % 256}.{seed % 256}",
    "JSONPATH": lambda _, seed: f"$.number{seed}",
    "MACADDR": lambda _, seed: f"08:00:2b:01:{seed // 256 % 256:02x}:{seed % 256:02x}",
    "MACADDR8": lambda _, seed: f"08:00:2b:01:02:03:{seed // 256 % 256:02x}:{seed % 256:02x}",
    "MONEY": lambda _, seed: str(seed),
    "OID": lambda _, seed: seed,
    "PG_LSN": lambda _, seed: f"0/{seed:X}",
    "POINT": lambda _, seed: sa.func.point(seed, seed),
    "TSQUERY": lambda _, seed: f"word{seed}",
    "TSVECTOR": lambda _, seed: f"word{seed}",
    "XML": lambda _, seed: f"<number>{seed}</number>",
}
SPECIAL |= {
    f"{kind}{multi}RANGE": _range
    for kind in ("INT4", "INT8", "NUM", "DATE", "TS", "TSTZ")
    for multi in ("", "MULTI")
}
#: Types that SQLAlchemy 2.1.9 does not know, by their names in the database.
UNKNOWN: dict[str, type[TypeEngine[Any]]] = {
    name.lower(): type(
        name, (UserDefinedType,), {"get_col_spec": lambda kind, **_: type(kind).__name__}
    )
    for name in ("JSONPATH", "PG_LSN", "POINT", "XML")
}


def lacks(_: sa.Connection, __: sa.Table) -> str | None:
    """Nothing: foreign keys are on, and the server has refused a row without what it refers to."""
    return None
