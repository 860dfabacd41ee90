"""The schema of a database, as operations of one migration that makes it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _indent, render_op
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext

from .. import autogenerate
from ..refusal import RefusedError
from ..rows.fill import in_order, reflect
from ..schema import reflections
from ..schema.snapshot import snapshot
from ..write import render, server
from ..write.parts import Part, reversible


@dataclass(frozen=True)
class Creation:
    """Python code."""

    upgrade: str
    downgrade: str
    imports: str


def creation(connection: sa.Connection, first: Iterable[str]) -> Creation:
    """The first statements stay as they are."""
    context = MigrationContext.configure(connection)
    render.write_text_to_be_read(context.impl)
    metadata = reflect(connection, context.impl.autogen_column_reflect)
    reflections.complete(connection, metadata)
    creating = [each for table in in_order(metadata) for each in _create(connection, table)]
    part = reversible(ops.UpgradeOps(creating))
    autogenerate.leave_out_indexes_of_dropped_tables(part.down)
    server.complete(part, connection.dialect)
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
        code([*map(ops.ExecuteSQLOp, [*first, *types]), *part.up, *_exclude(connection)]),
        code([*part.down, *map(ops.ExecuteSQLOp, reversed(types.values()))]),
        "\n".join(sorted(rendering.imports)),
    )


def _create(connection: sa.Connection, table: sa.Table) -> Iterator[ops.MigrateOperation]:
    """With its indexes, each under the name that it has."""
    for column in table.columns:
        if isinstance(column.type, sa.types.NullType):
            raise RefusedError(
                f"The type of {table.fullname}.{column.name} is none that SQLAlchemy knows, so that it"
                " cannot be squashed. Nothing was done: squash up to a migration before it comes."
            )
    _keep_names(table)
    operation = ops.CreateTableOp.from_table(table)
    operation.kw = reflections.options(connection, table)
    yield operation
    indexes = sorted(table.indexes, key=lambda each: str(each.name))
    creating = [ops.CreateIndexOp.from_index(each) for each in indexes]
    yield ops.ModifyTableOps(table.name, creating, schema=table.schema)


def _exclude(connection: sa.Connection) -> Iterator[ops.MigrateOperation]:
    """What SQLAlchemy tells nothing of."""
    for thing, wanted in snapshot(connection).items():
        if thing.kind == "exclusion":
            yield from (server.part(thing, None, wanted, connection) or Part()).up


def _keep_names(table: sa.Table) -> None:
    """What has a name already gets none by convention."""
    named: list[Any] = [*table.constraints, *table.indexes]
    for each in named:
        if each.name:
            each.name = sa.sql.elements.conv(str(each.name))
