"""An SQLite schema: each thing in it, and what it is."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Dialect, Inspector, inspect
from sqlalchemy.types import NullType

from ..apply.rehearsal import describe, quote
from .omissions import without_warnings

#: For other databases: what lets a user make one for a moment.
ALLOW = ""

#: Kept in the text of CREATE TABLE only.
OPTIONS = re.compile(
    r"\bAUTOINCREMENT\b|\bSTRICT\b|\bWITHOUT\s+ROWID\b|\bON\s+CONFLICT\s+\w+", re.I
)
QUOTED = re.compile(r'["`\[](\w+)["`\]]')
SYNONYMS = {"now()": "current_timestamp", "true": "1", "false": "0"}


def tables(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names()


def other_schemas(_: Connection) -> list[str]:
    """Which migrations may have made: there are none."""
    return []


def definitions(
    connection: Connection, _: str | None = None
) -> Iterable[tuple[str, str, str, str]]:
    """Kind, name, table, text."""
    inspector = inspect(connection)
    rows = connection.exec_driver_sql(
        "SELECT type, name, tbl_name, sql FROM sqlite_master"
        " WHERE name NOT LIKE 'sqlite_%' AND sql IS NOT NULL"
    )
    for kind, name, table, sql in rows:
        if kind == "table":
            options = (option.upper() for option in OPTIONS.findall(sql))
            yield "table", name, "", " ".join(sorted(options))
            with without_warnings():  # of indexes on expressions, which are in sqlite_master
                yield from list(_columns(inspector, name, sql, connection.dialect))
                yield from list(_constraints(inspector, name))
        else:
            yield kind, name, "" if kind == "view" else table, _plain(sql)


def _columns(
    inspector: Inspector, table: str, sql: str, dialect: Dialect
) -> Iterator[tuple[str, str, str, str]]:
    sorting = collations(table, sql)
    for column in inspector.get_columns(table):
        kind, default, computed = column["type"], column["default"], column.get("computed")
        # SQLAlchemy 2.1.9 takes what follows for a part of the expression.
        expression = describe(table, sql).expressions[column["name"]] if computed else ""
        words = [
            "" if isinstance(kind, NullType) else kind.compile(dialect),
            f"COLLATE {sorting[column['name']]}" if column["name"] in sorting else "",
            "NULL" if column["nullable"] else "NOT NULL",
            f"DEFAULT {_meaning(default)}" if default is not None else "",
            f"GENERATED ALWAYS AS ({expression})" if computed else "",
            "STORED" if computed and computed["persisted"] else "",
        ]
        yield "column", column["name"], table, " ".join(filter(None, words))


def collations(table: str, sql: str) -> dict[str, str]:
    """Of the columns that have one: neither SQLAlchemy 2.1.9 nor SQLite tells it."""
    if "COLLATE" not in sql.upper():
        return {}
    columns = describe(table, sql).columns
    return {name: found for name, (_, found) in columns.items() if found != "BINARY"}


def _constraints(inspector: Inspector, table: str) -> Iterator[tuple[str, str, str, str]]:
    if key := inspector.get_pk_constraint(table)["constrained_columns"]:
        yield "primary key", "", table, _list(key)
    for unique in inspector.get_unique_constraints(table):
        columns = _list(unique["column_names"])
        yield "unique constraint", unique["name"] or columns, table, columns
    for reference in inspector.get_foreign_keys(table):
        columns = _list(reference["constrained_columns"])
        target = f"{reference['referred_table']} {_list(reference['referred_columns'])}"
        options = " ".join(f"{name} {value}" for name, value in _options(reference))
        yield (
            "foreign key",
            reference["name"] or columns,
            table,
            f"{columns} REFERENCES {target} {options}",
        )
    for check in inspector.get_check_constraints(table):
        # A rename to what needs quotes, and back, leaves them there.
        text = QUOTED.sub(r"\1", " ".join(check["sqltext"].split()))
        yield "check", check["name"] or text, table, text


def _options(reference: Any) -> list[tuple[str, Any]]:
    """ON DELETE and the like."""
    names = {"ondelete": "ON DELETE", "onupdate": "ON UPDATE"}
    given = sorted(reference.get("options", {}).items())
    return [(names.get(name, name.upper()), value) for name, value in given if value is not None]


def _list(columns: Iterable[str | None]) -> str:
    return f"({', '.join(map(str, columns))})"


def _meaning(default: str) -> str:
    """SQLite keeps a default as it was written: '0' and 0, now() and CURRENT_TIMESTAMP."""
    text = default.strip()
    while text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    if re.fullmatch(r"'-?\d+(\.\d+)?'", text):
        return text.strip("'")
    return text if text.startswith("'") else SYNONYMS.get(text.lower(), text.lower())


def _plain(sql: str) -> str:
    """Without quotes around names, and with one form of spaces."""
    text = QUOTED.sub(r"\1", " ".join(sql.split()))
    return re.sub(r"\s*([(),])\s*", r"\1", text)


def empty(connection: Connection) -> None:
    """In place, since a process that has the file open would go on with one that is deleted."""
    rows = connection.exec_driver_sql(
        "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'table')"
        " AND name NOT LIKE 'sqlite_%' ORDER BY type DESC"
    )
    for kind, name in rows.all():
        # The tables of an index for searching go with it.
        connection.exec_driver_sql(f"DROP {kind} IF EXISTS {quote(name)}")


def make_alike(connection: Connection, model: Connection, _: str) -> None:
    """Give an empty database what no migration makes: nothing."""
