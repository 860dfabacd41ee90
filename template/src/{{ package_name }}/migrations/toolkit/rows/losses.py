"""What has become of the rows: compared before and after a migration."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

#: A table's columns, with their values in the order of the rows.
Columns = Mapping[str, list[str]]
Contents = Mapping[str, Columns]

#: No text that a row would have.
NULL = "\0"


def read(connection: sa.Connection, tables: Iterable[sa.TableClause]) -> Contents:
    return {table.fullname: _read_table(connection, table) for table in tables}


def _read_table(connection: sa.Connection, table: sa.TableClause) -> Columns:
    name = connection.dialect.identifier_preparer.format_table(table)
    found = connection.exec_driver_sql(f"SELECT * FROM {name}")
    names, rows = list(found.keys()), found.all()
    return {name: [_plain(row[at]) for row in rows] for at, name in enumerate(names)}


def _plain(value: Any) -> str:
    """The same text for what is equal but of another type."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int | float | Decimal):
        return format(Decimal(str(value)).normalize(), "f")
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat().removesuffix("T00:00:00")
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, default=str)
    return str(value).rstrip()  # CHAR fills up with spaces


def broken_views(connection: sa.Connection) -> list[str]:
    """SQLite, MySQL and MariaDB let a view stay when a table or a column goes that it is made of."""
    return [
        name for name in sa.inspect(connection).get_view_names() if not _works(connection, name)
    ]


def _works(connection: sa.Connection, view: str) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(sa.select(sa.text("*")).select_from(sa.table(view)).limit(0))
    except DBAPIError:
        return False
    return True


def losses(before: Contents, after: Contents) -> Iterator[tuple[str, str]]:
    """A table, or table.column, and how it is lost; a NULL in which something is written is none."""
    for table, columns in before.items():
        if after.get(table) == columns:
            continue  # As most are.
        name = table if table in after else _renamed(columns, before, after)
        found = after.get(name)
        if found is None:
            yield table, f"drops the table {table} with its rows"
        elif _count(found) < _count(columns):
            yield table, f"deletes rows of {table}"
        else:
            yield from _lost_values(name, columns, found, _new_columns(before, after))


def _lost_values(
    table: str, columns: Columns, found: Columns, new: list[list[str]]
) -> Iterator[tuple[str, str]]:
    intact = []
    for name, values in columns.items():
        if name not in found:
            if sorted(values) not in new:
                yield f"{table}.{name}", f"drops {table}.{name} with its values"
        elif changed := Counter(values) - Counter(found[name]):
            if changed.keys() - {NULL}:
                yield f"{table}.{name}", f"changes values of {table}.{name}"
        else:
            intact.append(name)
    if _rows(columns, intact) - _rows(found, intact):
        yield table, f"mixes up the rows of {table}"


def _renamed(columns: Columns, before: Contents, after: Contents) -> str:
    """A new table with the same rows, in most of its columns: more may have changed as well."""
    new = (table for table in after if table not in before)
    return next((table for table in new if _keeps(columns, after[table])), "")


def _keeps(columns: Columns, found: Columns) -> bool:
    common = [name for name in columns if name in found]
    is_like = 2 * len(common) > len(columns)
    return is_like and not _rows(columns, common) - _rows(found, common)


def _new_columns(before: Contents, after: Contents) -> list[list[str]]:
    """The values of each, in order: whatever table they are in, what was there is kept."""
    return [
        sorted(values)
        for table, columns in after.items()
        for name, values in columns.items()
        if name not in before.get(table, {})
    ]


def _count(columns: Columns) -> int:
    return len(next(iter(columns.values()), []))


def _rows(columns: Columns, names: Any) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(columns[name] for name in names), strict=True))
