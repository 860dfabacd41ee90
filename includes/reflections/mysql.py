"""What SQLAlchemy's reflection takes otherwise than MySQL and MariaDB had it."""

import re
from typing import Any

from sqlalchemy import JSON, Connection, Index, MetaData, Table, inspect, literal_column, text
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


def complete(connection: Connection, metadata: MetaData) -> None:
    """MariaDB's JSON is text with a CHECK; and MySQL has indexes on expressions."""
    if getattr(connection.dialect, "is_mariadb", False):
        for name, check in connection.exec_driver_sql(CHECKS):
            for column in metadata.tables[name].columns if name in metadata.tables else ():
                if check == f"json_valid(`{column.name}`)":
                    column.type = JSON()
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
    quoted = connection.dialect.identifier_preparer.quote(table).replace("%", "%%")
    _, statement = connection.exec_driver_sql(f"SHOW CREATE TABLE {quoted}").one()
    return COUNTER.sub("", statement)


def advice(thing: Thing, wanted: str) -> str:
    """How to write by hand what is not written."""
    if thing.kind != "table" or not wanted:
        return ""
    return f'Say `op.execute("ALTER TABLE {thing.name} {wanted}")`'
