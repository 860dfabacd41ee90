"""Schemas beside the default one, as PostgreSQL has them: made before a table is put into one."""

from collections.abc import Iterable

from alembic.operations import ops
from sqlalchemy import Connection, Table, inspect

from .parts import Part


def of(tables: Iterable[Table]) -> list[str]:
    return sorted({table.schema for table in tables if table.schema})


def made(connection: Connection, tables: Iterable[Table]) -> list[Part]:
    """Those that the migrations do not make. One that no model uses any more stays: it may hold more."""
    there = inspect(connection).get_schema_names()
    quote = connection.dialect.identifier_preparer.quote_schema
    names = [quote(schema) for schema in of(tables) if schema not in there]
    return [
        Part([ops.ExecuteSQLOp(f"CREATE SCHEMA {name}")], [ops.ExecuteSQLOp(f"DROP SCHEMA {name}")])
        for name in names
    ]
