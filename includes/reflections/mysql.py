"""What SQLAlchemy's reflection takes otherwise than MySQL and MariaDB had it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import (
    JSON,
    Connection,
    Dialect,
    Index,
    Inspector,
    MetaData,
    Table,
    event,
    inspect,
    literal_column,
    text,
)
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.types import TypeEngine

from .snapshot import Thing

CHECKS = """
SELECT table_name, check_clause FROM information_schema.check_constraints
WHERE constraint_schema = DATABASE()
"""
EXPRESSIONS = text(
    "SELECT expression FROM information_schema.statistics WHERE table_schema = DATABASE()"
    " AND table_name = :table AND index_name = :name ORDER BY seq_in_index"
)
COUNTER = re.compile(r" AUTO_INCREMENT=\d+")
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
    """MySQL has indexes on expressions."""
    for table in list(metadata.tables.values()):
        _complete_indexes(connection, table)


def _complete_indexes(connection: Connection, table: Table) -> None:
    """SQLAlchemy 2.1.9 leaves out expressions."""
    for index in list(table.indexes):
        if not index.expressions:
            rows = connection.execute(EXPRESSIONS, {"table": table.name, "name": index.name})
            # The server tells them with quotes escaped.
            expressions = [each.replace("\\'", "'") for (each,) in rows]
            table.indexes.discard(index)
            whole = Index(
                index.name,
                *(literal_column(f"({expression})") for expression in expressions),
                unique=index.unique,
            )
            Table(table.name, table.metadata, whole, extend_existing=True)


def as_written(expression: str) -> str:
    return expression


def collated(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """To be changed to: where none is given, it is the usual one."""
    return kind


def options(connection: Connection, table: Table) -> dict[str, Any]:
    """Not what is as usual, which another server may have otherwise."""
    usual = ("InnoDB", connection.exec_driver_sql(COLLATION).scalar())
    return {
        name: value
        for name, value in table.dialect_kwargs.items()
        if name.endswith(("_engine", "_collate")) and value not in usual
    }


def types(_: Connection) -> dict[str, str]:
    """The statements that make types, by the names of these: there are none."""
    return {}


def shapes(connection: Connection) -> dict[str, str]:
    """What rows have to fit, by the names of the tables."""
    return {name: _shape(connection, name) for name in inspect(connection).get_table_names()}


def _shape(connection: Connection, table: str) -> str:
    quoted = connection.dialect.identifier_preparer.quote(table)
    _, statement = connection.exec_driver_sql(f"SHOW CREATE TABLE {quoted}").one()
    return COUNTER.sub("", statement)


def advice(thing: Thing, wanted: str, _: Dialect) -> str:
    """How to write by hand what is not written."""
    if thing.kind != "table" or not wanted:
        return ""
    return f'Say `op.execute("ALTER TABLE {thing.name} {wanted}")`'
