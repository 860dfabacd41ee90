"""The schema of a database, as operations of one migration that makes it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _indent, render_op
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy.schema import sort_tables_and_constraints

from .. import autogenerate
from ..refusal import RefusedError
from ..rows.fill import reflect
from ..schema import reflections
from ..write import render


@dataclass(frozen=True)
class Creation:
    """Python code."""

    upgrade: str
    downgrade: str
    imports: str


def creation(connection: sa.Connection, first: Iterable[str]) -> Creation:
    """The first statements stay as they are."""
    context = MigrationContext.configure(connection)
    render.prepare(context)
    metadata = reflect(connection, context.impl.autogen_column_reflect)
    reflections.complete(connection, metadata)
    types = reflections.types(connection)
    options = {
        "sqlalchemy_module_prefix": "sa.",
        "alembic_module_prefix": "op.",
        "user_module_prefix": None,
        "render_as_batch": False,
        "render_item": autogenerate.render_item,
    }
    rendering = AutogenContext(context, metadata, opts=options, autogenerate=False)

    def code(operations: Iterable[ops.MigrateOperation]) -> str:
        lines = [line for each in operations for line in render_op(rendering, each)]
        return _indent("\n".join(lines)) or "pass"

    return Creation(
        code([*map(ops.ExecuteSQLOp, first), *_creations(connection, metadata, types)]),
        code(_drops(connection, metadata, types)),
        "\n".join(sorted(rendering.imports)),
    )


def _creations(
    connection: sa.Connection, metadata: sa.MetaData, types: dict[str, str]
) -> Iterator[ops.MigrateOperation]:
    for statement in types:
        yield ops.ExecuteSQLOp(statement)
    for table, references in _in_order(connection, metadata):
        if table is not None:
            _keep_names(table)
            yield _create_table(connection, table, references)
            for index in sorted(table.indexes, key=lambda each: str(each.name)):
                yield ops.CreateIndexOp.from_index(index)
        else:
            for reference in references:
                yield ops.CreateForeignKeyOp.from_constraint(reference)


def _create_table(
    connection: sa.Connection, table: sa.Table, references: Iterable[Any]
) -> ops.CreateTableOp:
    for column in table.columns:
        if isinstance(column.type, sa.types.NullType):
            raise RefusedError(
                f"The type of {table.fullname}.{column.name} is none that SQLAlchemy knows, so that it"
                " cannot be squashed. Nothing was done: squash up to a migration before it comes."
            )
    operation = ops.CreateTableOp.from_table(table)
    later = table.foreign_key_constraints.difference(references)
    operation.columns = [each for each in operation.columns if each not in later]
    operation.kw = reflections.options(connection, table)
    return operation


def _drops(
    connection: sa.Connection, metadata: sa.MetaData, types: dict[str, str]
) -> Iterator[ops.MigrateOperation]:
    for table, references in reversed(_in_order(connection, metadata)):
        if table is None:
            for reference in references:
                yield ops.DropConstraintOp.from_constraint(reference)
        else:
            yield ops.DropTableOp(table.name, schema=table.schema)
    for statement in reversed(types.values()):
        yield ops.ExecuteSQLOp(statement)


def _in_order(
    connection: sa.Connection, metadata: sa.MetaData
) -> list[tuple[sa.Table | None, Iterable[Any]]]:
    """Each table with its foreign keys, and at last those that go round in a circle.

    Where these cannot be added later (SQLite), they may name a table that is not there yet.
    """
    sort: Any = sort_tables_and_constraints
    found = sort(metadata.tables.values())
    if connection.dialect.supports_alter:
        return list(found)
    return [(table, table.foreign_key_constraints) for table, _ in found if table is not None]


def _keep_names(table: sa.Table) -> None:
    """What has a name already gets none by convention."""
    named: list[Any] = [*table.constraints, *table.indexes]
    for each in named:
        if each.name:
            each.name = sa.sql.elements.conv(str(each.name))
