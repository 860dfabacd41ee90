"""What SQLAlchemy's reflection takes otherwise than MySQL and MariaDB had it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Dialect,
    Index,
    Inspector,
    MetaData,
    RowMapping,
    Table,
    event,
    inspect,
    literal_column,
)
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.types import TypeEngine

from .snapshot import Thing

CHECKS = """
SELECT table_name, check_clause FROM information_schema.check_constraints
WHERE constraint_schema = DATABASE()
"""
COUNTER = re.compile(r" AUTO_INCREMENT=(\d+)")
SEEN = re.compile(r"ALTER TABLE [^;]+? RENAME INDEX [^;]+", re.IGNORECASE)
COLLATION = "SELECT @@collation_database"


@contextmanager
def corrected() -> Iterator[None]:
    """MariaDB's JSON is text with a CHECK."""
    event.listen(Table, "column_reflect", _correct)
    try:
        yield
    finally:
        event.remove(Table, "column_reflect", _correct)


def _correct(inspector: Inspector, table: Table, column: ReflectedColumn) -> None:
    if not getattr(inspector.dialect, "is_mariadb", False):
        return
    if CHECKS not in inspector.info_cache:
        connection = cast(Connection, inspector.bind)
        inspector.info_cache[CHECKS] = set(map(tuple, connection.exec_driver_sql(CHECKS)))
    if (table.name, f"json_valid(`{column['name']}`)") in inspector.info_cache[CHECKS]:
        column["type"] = JSON()


def complete(connection: Connection, metadata: MetaData) -> None:
    for table in list(metadata.tables.values()):
        _complete_indexes(connection, table)


def _complete_indexes(connection: Connection, table: Table) -> None:
    """SQLAlchemy 2.1.9 leaves out expressions, which MySQL has, and DESC."""
    name = connection.dialect.identifier_preparer.format_table(table)
    rows = connection.exec_driver_sql(f"SHOW INDEX FROM {name}").mappings().all()
    for index in list(table.indexes):
        own = [row for row in rows if row["Key_name"] == index.name]
        if any(row["Column_name"] is None or row["Collation"] == "D" for row in own):
            table.indexes.discard(index)
            parts = [_part(table, row) for row in own]
            whole = Index(index.name, *parts, unique=index.unique, **index.dialect_kwargs)
            Table(table.name, table.metadata, whole, extend_existing=True)


def _part(table: Table, row: RowMapping) -> ColumnElement[Any]:
    if row["Column_name"] is not None:
        column: ColumnElement[Any] = table.columns[row["Column_name"]]
        return column.desc() if row["Collation"] == "D" else column
    # The server tells it with quotes escaped.
    expression = row["Expression"].replace("\\'", "'")
    return literal_column(f"({expression})" + " DESC" * (row["Collation"] == "D"))


def as_written(expression: str) -> str:
    return expression


def collated(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """To be changed to: where none is given, it is the usual one."""
    return kind


def options(connection: Connection, table: Table) -> dict[str, Any]:
    """Not what is as usual, which another server may have otherwise."""
    usual = ("InnoDB", connection.exec_driver_sql(COLLATION).scalar())
    found = {
        name: value
        for name, value in table.dialect_kwargs.items()
        if name.endswith(("_engine", "_collate")) and value not in usual
    }
    # SQLAlchemy 2.1.9 leaves out where a table without rows begins to count.
    if begin := COUNTER.search(_definition(connection, table.name)):
        found[f"{connection.dialect.name}_auto_increment"] = begin[1]
    return found


def types(_: Connection) -> dict[str, str]:
    """What tables need, and how it is dropped, in SQL: there is nothing."""
    return {}


def is_seen(sql: str) -> bool:
    """Whether all that the SQL does is seen in the schema: another name of an index."""
    return SEEN.fullmatch(sql) is not None


def shapes(connection: Connection) -> dict[str, str]:
    """What rows have to fit, by the names of the tables."""
    return {name: _shape(connection, name) for name in inspect(connection).get_table_names()}


def _shape(connection: Connection, table: str) -> str:
    return COUNTER.sub("", _definition(connection, table))


def _definition(connection: Connection, table: str) -> str:
    quoted = connection.dialect.identifier_preparer.quote(table)
    _, statement = connection.exec_driver_sql(f"SHOW CREATE TABLE {quoted}").one()
    return str(statement)


def advice(thing: Thing, wanted: str, _: Dialect) -> str:
    """How to write by hand what is not written."""
    if thing.kind == "column" and "AUTO_INCREMENT" in wanted:
        kind = re.split(r"\W", wanted)[0].upper()
        return (
            "It numbers the rows, also those that are there, if it is made as the key:"
            f' `op.add_column("{thing.table}", sa.Column("{thing.name}", sa.{kind}(),'
            " primary_key=True), inline_primary_key=True)`. And downgrade() drops it with the column alone"
        )
    if thing.kind != "table":
        return ""
    alter = f"ALTER TABLE {thing.name}"
    found = re.search(r"COLLATE ((\w+?)_\w+)$", wanted)
    characters = f"{found[2]} COLLATE {found[1]}" if found else "DEFAULT"
    # A comment is written.
    rest = re.sub(r"COMMENT='([^']|'')*'|COLLATE \w+$", "", wanted).strip()
    return (
        (f'Say `op.execute("{alter} {rest}")`. ' if rest else "")
        + "If its characters are to be others, with those of its columns:"
        f' `op.execute("{alter} CONVERT TO CHARACTER SET {characters}")`'
    )
