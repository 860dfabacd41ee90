"""Schemas beside the default one, as PostgreSQL has them: made before a table is put into one."""

from collections.abc import Sequence

from alembic.operations.ops import ExecuteSQLOp
from alembic.util import to_list
from sqlalchemy import Connection, MetaData, inspect

from .parts import Part


def of_models(tables: Sequence[MetaData]) -> list[str]:
    return sorted(
        {table.schema for each in tables for table in each.tables.values() if table.schema}
    )


def made(connection: Connection, tables: MetaData | Sequence[MetaData]) -> Part:
    """Those that the migrations do not make. One that no model uses any more stays: it may hold more."""
    there = inspect(connection).get_schema_names()
    quote = connection.dialect.identifier_preparer.quote_schema
    part = Part()
    for schema in of_models(to_list(tables)):
        if schema not in there:
            part.up.append(ExecuteSQLOp(f"CREATE SCHEMA {quote(schema)}"))
            part.down.append(ExecuteSQLOp(f"DROP SCHEMA {quote(schema)}"))
    return part
