"""The schema of a database, as operations of one migration that makes it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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
from ..write.items import creating, keep_names
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
    made = [each for table in in_order(metadata) for each in _create(connection, table)]
    part = reversible(ops.UpgradeOps(made))
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
    for column in table.columns:
        if isinstance(column.type, sa.types.NullType):
            raise RefusedError(
                f"The type of {table.fullname}.{column.name} is none that SQLAlchemy knows, so that it"
                " cannot be squashed. Nothing was done: squash up to a migration before it comes."
            )
    keep_names(table)
    yield from creating(table, connection)


def _exclude(connection: sa.Connection) -> Iterator[ops.MigrateOperation]:
    """What SQLAlchemy tells nothing of."""
    for thing, wanted in snapshot(connection).items():
        if thing.kind == "exclusion":
            yield from (server.part(thing, None, wanted, connection) or Part()).up
