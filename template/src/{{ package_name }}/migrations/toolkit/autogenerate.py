"""What Alembic compares, and how it writes down what it found."""

import sys
from collections.abc import Sequence
from typing import Any, Literal

import sqlalchemy
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _repr_type
from alembic.operations.ops import (
    AlterColumnOp,
    DropIndexOp,
    DropTableOp,
    MigrateOperation,
    MigrationScript,
    ModifyTableOps,
)
from alembic.runtime.migration import MigrationContext
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import Column, TypeDecorator
from sqlalchemy.types import TypeEngine

from . import history, server_defaults

OWN = Plugin(__name__)
PLUGINS = [
    "alembic.autogenerate.*",
    "alembic.ext.checkconstraint_byname",
    OWN.name,
    *server_defaults.PLUGINS,
]


def include_name(name: str | None, kind: str, _: Any) -> bool:
    """Leave the toolkit's own tables alone, which are in no model."""
    return kind != "table" or name not in history.OWN_TABLES


def render_item(kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:
    """Write a type of the application as what it is in the database.

    A migration that imported it would change with it, or break when it is gone.
    """
    if kind != "type" or not _is_own(item):
        return False
    while _is_own(item):
        item = item.load_dialect_impl(context.migration_context.dialect)
    return _repr_type(_public(item), context)


def _is_own(item: Any) -> bool:
    return isinstance(item, TypeDecorator) and not type(item).__module__.startswith("sqlalchemy.")


def _public(found: TypeEngine[Any]) -> TypeEngine[Any]:
    """A driver has types of its own (`dialect.type_descriptor`), of ones that can be named."""
    kinds = type(found).__mro__ if type(found).__module__.startswith("sqlalchemy.") else ()
    for kind in kinds:
        package = sys.modules[kind.__module__.rpartition(".")[0] or kind.__module__]
        if kind in (getattr(each, kind.__name__, None) for each in (sqlalchemy, package)):
            return found if kind is type(found) else found.adapt(kind)
    return found


def drop_tables_whole(_: MigrationContext, __: Any, directives: list[MigrationScript]) -> None:
    for script in directives:
        for container in (*script.upgrade_ops_list, *script.downgrade_ops_list):
            leave_out_indexes_of_dropped_tables(container.ops)


def leave_out_indexes_of_dropped_tables(operations: Sequence[MigrateOperation]) -> None:
    """A table takes them along. Alone, MySQL keeps one that a foreign key needs."""
    gone = {(each.schema, each.table_name) for each in operations if isinstance(each, DropTableOp)}
    for each in operations:
        if isinstance(each, ModifyTableOps) and (each.schema, each.table_name) in gone:
            each.ops = [part for part in each.ops if not isinstance(part, DropIndexOp)]


def leave_computed_alone(
    _: AutogenContext,
    operation: AlterColumnOp,
    schema: str | None,
    table: str,
    name: str,
    found: Column[Any],
    wanted: Column[Any],
) -> PriorityDispatchResult:
    """Alembic 1.20.1 cannot show an expression to `compare_default`; `write/compare.py` sees it."""
    if found.computed is None and wanted.computed is None:
        return PriorityDispatchResult.CONTINUE
    operation.existing_server_default = found.server_default
    return PriorityDispatchResult.STOP


# What is for one kind of database comes before what is for all.
for _backend in ("sqlite", "postgresql", "mysql", "mariadb"):
    OWN.add_autogenerate_comparator(
        leave_computed_alone,
        "column",
        "server_default",
        qualifier=_backend,
        priority=DispatchPriority.FIRST,
    )
