"""A value for a column, made up from its type: another one for each column and number."""

import string
import zlib
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.sql import sqltypes
from sqlalchemy.types import TypeEngine

from .server import SPECIAL

Make = Callable[[str, Any, int], Any]


INTEGERS = {"TINYINT": 2**7, "SMALLINT": 2**15, "MEDIUMINT": 2**23}
DAYS = 9000


class NoValueError(Exception):
    """Nothing can be made up for such a type."""


def value(name: str, kind: TypeEngine[Any], number: int) -> Any:
    """The name is the column's, so that what was renamed is recognised by its values."""
    seed = number * 100 + zlib.crc32(name.encode()) % 100
    if special := SPECIAL.get(type(kind).__name__):
        return special(kind, seed)
    if domain := getattr(kind, "data_type", None):
        return value(name, domain, number)
    for family, make in FAMILIES:
        if isinstance(kind, family):
            return make(name, kind, seed)
    raise NoValueError(f"{name} is of type {kind}")


def _enum(_: str, kind: Any, seed: int) -> Any:
    return kind.enums[seed // 100 % len(kind.enums)]


def _integer(_: str, kind: Any, seed: int) -> int:
    if getattr(kind, "display_width", None) == 1:  # MySQL's and MariaDB's boolean
        return seed // 100 % 2
    return seed % (INTEGERS.get(type(kind).__name__, 2**31) - 1) + 1


def _numeric(_: str, kind: Any, seed: int) -> Decimal:
    precision, scale = kind.precision or 18, kind.scale or 0
    return Decimal(seed % (10**precision - 1)).scaleb(-scale)


def _float(name: str, kind: Any, seed: int) -> float:
    # MySQL's and MariaDB's may have a range, as FLOAT(5, 2).
    return seed % 2**20 + 0.5 if kind.scale is None else float(_numeric(name, kind, seed))


def _datetime(_: str, kind: Any, seed: int) -> datetime:
    moment = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=seed % DAYS, seconds=seed % 86400)
    return moment if kind.timezone else moment.replace(tzinfo=None)


def _date(_: str, __: Any, seed: int) -> date:
    return date(2000, 1, 1) + timedelta(days=seed % DAYS)


def _time(_: str, __: Any, seed: int) -> time:
    return (datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=seed % 86400)).time()


def _text(name: str, kind: Any, seed: int) -> str:
    length = kind.length or 255
    text = f"{seed // 100} {name}"
    return text if len(text) <= length else _short(seed, length)


def _short(seed: int, length: int) -> str:
    letters = string.ascii_lowercase
    return "".join(letters[seed // 26**place % 26] for place in range(length))


def _bytes(name: str, kind: Any, seed: int) -> bytes:
    return _text(name, kind, seed).encode()[: kind.length or 255]


def _array(name: str, kind: Any, seed: int) -> Any:
    item = value(name, kind.item_type, seed // 100)
    for _ in range(kind.dimensions or 1):
        item = [item]
    return item


# More special ones first.
FAMILIES: list[tuple[type[TypeEngine[Any]], Make]] = [
    (sa.Enum, _enum),
    (sa.Boolean, lambda _, __, seed: bool(seed // 100 % 2)),
    (sa.Uuid, lambda _, __, seed: UUID(int=seed + 1)),
    (sa.Integer, _integer),
    (sa.Float, _float),
    (sa.Numeric, _numeric),
    (sa.DateTime, _datetime),
    (sa.Date, _date),
    (sa.Time, _time),
    (sqltypes._AbstractInterval, lambda _, __, seed: timedelta(minutes=seed)),
    (sqltypes._Binary, _bytes),
    (sa.JSON, lambda _, __, seed: {"number": seed}),
    (sa.ARRAY, _array),
    (sa.String, _text),
]
