"""What Alembic compares, and how it writes down what it found."""

import sys
from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any, Literal

import sqlalchemy
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _repr_type
from alembic.operations import MigrateOperation, ops
from alembic.runtime.migration import MigrationContext
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import Column, Dialect, MetaData, TypeDecorator
from sqlalchemy.types import NullType, TypeEngine

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
    """Write a type of the application, or of several databases, as what it is in this one.

    A migration that imported it would change with it, or break when it is gone. What has no other
    name is imported.
    """
    if kind != "type":
        return False
    if isinstance(item, NullType):  # The server knows more: what it is, somebody has to say.
        return "sa.types.NullType()"
    dialect = context.migration_context.dialect
    written = _public(_underlying(item, dialect), dialect)
    if written is not item:
        return _repr_type(written, context)
    if not _is_of_sqlalchemy(type(item)):
        context.imports.add(f"import {type(item).__module__}")
    return False


def _underlying(item: Any, dialect: Dialect) -> Any:
    found = item._variant_mapping.get(dialect.name, item)
    while isinstance(found, TypeDecorator) and not _is_of_sqlalchemy(type(found)):
        found = found.load_dialect_impl(dialect)
        found = found._variant_mapping.get(dialect.name, found)
    if found._variant_mapping:
        found = copy(found)
        vars(found)["_variant_mapping"] = {}
    return found


def _is_of_sqlalchemy(kind: type) -> bool:
    return kind.__module__.startswith("sqlalchemy.")


def _public(found: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    """The application has types of its own, and a driver, too (`dialect.type_descriptor`).

    Each is of one that can be named; but what it is called in the database may be its own.
    """
    kinds = [kind for kind in type(found).__mro__ if issubclass(kind, TypeEngine)]
    for kind in filter(_is_of_sqlalchemy, kinds):
        package = sys.modules[kind.__module__.rpartition(".")[0] or kind.__module__]
        if kind in (getattr(each, kind.__name__, None) for each in (sqlalchemy, package)):
            named = found if kind is type(found) else found.adapt(kind)
            is_alike = named is found or named.compile(dialect) == found.compile(dialect)
            return named if is_alike else found
    return found


def drop_tables_whole(_: MigrationContext, __: Any, directives: list[ops.MigrationScript]) -> None:
    for script in directives:
        for container in (*script.upgrade_ops_list, *script.downgrade_ops_list):
            leave_out_indexes_of_dropped_tables(container.ops)


def leave_out_indexes_of_dropped_tables(operations: Sequence[MigrateOperation]) -> None:
    """A table takes them along. Alone, MySQL keeps one that a foreign key needs."""
    gone = {
        (each.schema, each.table_name) for each in operations if isinstance(each, ops.DropTableOp)
    }
    for each in operations:
        if isinstance(each, ops.ModifyTableOps) and (each.schema, each.table_name) in gone:
            each.ops = [part for part in each.ops if not isinstance(part, ops.DropIndexOp)]


def leave_out_info(operations: Sequence[MigrateOperation]) -> None:
    """It is for Python alone, and may hold what cannot be written."""
    for each in operations:
        if isinstance(each, ops.CreateTableOp):
            each.info = {}


def find_comments(tables: Iterable[MetaData], dialect: Dialect) -> None:
    """Alembic passes over `mysql_comment` and `mariadb_comment`, and would take them away again."""
    for table in (table for each in tables for table in each.tables.values()):
        table.comment = table.comment or table.dialect_kwargs.get(f"{dialect.name}_comment")


def leave_computed_alone(
    _: AutogenContext,
    operation: ops.AlterColumnOp,
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
