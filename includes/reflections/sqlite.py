"""What SQLAlchemy's reflection leaves out of SQLite's tables."""

import re
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from typing import Any

from sqlalchemy import Connection, Dialect, Index, MetaData, String, Table, literal_column, text
from sqlalchemy.types import TypeEngine

from ..apply.rehearsal import describe
from .definitions import collations
from .snapshot import Thing

SQL = text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name")
SHAPES = """
SELECT tbl_name, group_concat(sql, ' ') FROM sqlite_master WHERE sql IS NOT NULL GROUP BY tbl_name
"""
INDEXES = text(
    "SELECT name, sql FROM sqlite_master"
    " WHERE type = 'index' AND tbl_name = :table AND sql IS NOT NULL"
)
INDEX = re.compile(
    r"CREATE (?P<unique>UNIQUE )?INDEX .*? ON .*? ?\((?P<columns>.*?)\)( WHERE (?P<where>.*))?",
    re.DOTALL | re.IGNORECASE,
)
SORTED = re.compile(r"\b(DESC|COLLATE)\b", re.IGNORECASE)
OPTIONS: dict[str, tuple[str, Any]] = {
    r"\bAUTOINCREMENT\b": ("sqlite_autoincrement", True),
    r"\)[^)]*\bWITHOUT\s+ROWID\b[^)]*$": ("sqlite_with_rowid", False),
    r"\)[^)]*\bSTRICT\b[^)]*$": ("sqlite_strict", True),
}


def corrected() -> AbstractContextManager[None]:
    """No type is reflected as another one."""
    return nullcontext()


def complete(connection: Connection, metadata: MetaData) -> None:
    """Columns' collations and expressions, and indexes on expressions and with DESC."""
    for table in list(metadata.tables.values()):
        sql = connection.scalar(SQL, {"name": table.name}) or ""
        for name, collation in collations(table.name, sql).items():
            if isinstance(column_type := table.columns[name].type, String):
                column_type.collation = collation
        for column in table.columns:
            if column.computed is not None:
                # SQLAlchemy 2.1.9 takes what follows for a part of the expression.
                column.computed.sqltext = text(describe(table.name, sql).expressions[column.name])
        known = {str(index.name): index for index in table.indexes}
        for name, definition in connection.execute(INDEXES, {"table": table.name}).all():
            found = INDEX.fullmatch(definition)
            if found and (name not in known or SORTED.search(found["columns"])):
                table.indexes.discard(known.get(name))
                index = Index(
                    name,
                    literal_column(found["columns"]),
                    unique=found["unique"] is not None,
                    sqlite_where=found["where"] and literal_column(found["where"]),
                )
                Table(table.name, metadata, index, extend_existing=True)


def as_written(expression: str) -> str:
    return expression


def collated(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """To be changed to: a batch operation keeps the collation where none is given."""
    if not isinstance(kind, String) or kind.collation:
        return kind
    other = copy(kind)
    other.collation = "BINARY"
    return other


def options(connection: Connection, table: Table) -> dict[str, Any]:
    sql = connection.scalar(SQL, {"name": table.name}) or ""
    return dict(
        option for pattern, option in OPTIONS.items() if re.search(pattern, sql, re.IGNORECASE)
    )


def types(_: Connection) -> dict[str, str]:
    """What tables need, and how it is dropped, in SQL: there is nothing."""
    return {}


def is_seen(_: str) -> bool:
    """Whether all that the SQL does is seen in the schema: none is taken over."""
    return False


def shapes(connection: Connection) -> dict[str, str]:
    """What rows have to fit, by the names of the tables."""
    return {name: str(shape) for name, shape in connection.exec_driver_sql(SHAPES)}


def advice(thing: Thing, wanted: str, _: Dialect) -> str:
    """How to write by hand what is not written."""
    table = thing.table or thing.name
    whole = f'copy_from=sa.Table("{table}", sa.MetaData(), ...)'
    key = 'table_kwargs={"sqlite_autoincrement": True}'
    how = key if thing.kind == "table" and wanted == "AUTOINCREMENT" else whole
    return f'Make it anew: `with op.batch_alter_table("{table}", recreate="always", {how}): pass`'
