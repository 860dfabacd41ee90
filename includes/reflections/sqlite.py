"""What SQLAlchemy's reflection leaves out of SQLite's tables."""

import re
from typing import Any

from sqlalchemy import Connection, MetaData, Table, text

SQL = text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name")
OPTIONS: dict[str, tuple[str, Any]] = {
    r"\bAUTOINCREMENT\b": ("sqlite_autoincrement", True),
    r"\)[^)]*\bWITHOUT\s+ROWID\b[^)]*$": ("sqlite_with_rowid", False),
    r"\)[^)]*\bSTRICT\b[^)]*$": ("sqlite_strict", True),
}


def complete(_: Connection, __: MetaData) -> None:
    """Correct the types of columns: they are as they were written."""


def options(connection: Connection, table: Table) -> dict[str, Any]:
    sql = connection.scalar(SQL, {"name": table.name}) or ""
    return dict(
        option for pattern, option in OPTIONS.items() if re.search(pattern, sql, re.IGNORECASE)
    )


def types(_: Connection) -> dict[str, str]:
    """The statements that make types, by the names of these: there are none."""
    return {}
