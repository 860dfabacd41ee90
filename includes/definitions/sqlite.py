"""What SQLAlchemy's inspector does not tell of an SQLite schema."""

import re
from collections.abc import Iterable

from sqlalchemy import Connection, inspect

#: Kept in the text of CREATE TABLE only.
OPTIONS = re.compile(r"\bAUTOINCREMENT\b|\bSTRICT\b|\bWITHOUT\s+ROWID\b|\bCOLLATE\s+\S+", re.I)


def tables(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names()


def definitions(connection: Connection) -> Iterable[tuple[str, str]]:
    rows = connection.exec_driver_sql(
        "SELECT type, name, sql FROM sqlite_master"
        " WHERE name NOT LIKE 'sqlite_%' AND sql IS NOT NULL AND type <> 'view'"
    )
    for kind, name, sql in rows:
        if kind == "table":
            options = (option.upper() for option in OPTIONS.findall(sql))
            yield f"options of {name}", " ".join(sorted(options))
        else:
            yield f"{kind} {name}", sql
