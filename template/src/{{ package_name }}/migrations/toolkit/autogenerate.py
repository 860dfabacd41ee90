"""What Alembic compares, and how it writes down what it found."""

from collections.abc import Sequence
from typing import Any, Literal, cast

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.compare.server_defaults import (
    _dialect_impl_compare_server_default as ask,
)
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
from sqlalchemy import Column, Connection, Identity, String, TypeDecorator
from sqlalchemy.exc import ProgrammingError

from . import history

OWN = Plugin(__name__)
PLUGINS = ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname", OWN.name]


def include_name(name: str | None, kind: str, _: Any) -> bool:
    """Leave the toolkit's own tables alone, which are in no model."""
    return kind != "table" or name not in history.OWN_TABLES


def render_item(kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:
    """Write a type of the application as what it is in the database.

    A migration that imported it would change with it, or break when it is gone.
    """
    is_own = isinstance(item, TypeDecorator) and not type(item).__module__.startswith("sqlalchemy.")
    if kind == "type" and is_own:
        return _repr_type(item.load_dialect_impl(context.migration_context.dialect), context)
    return False


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


def ask_carefully(
    context: AutogenContext,
    operation: AlterColumnOp,
    schema: str | None,
    table: str,
    name: str,
    found: Column[Any],
    wanted: Column[Any],
) -> PriorityDispatchResult:
    """Alembic 1.20.1 asks PostgreSQL whether two are equal, with quotes unescaped.

    Nor have all types a `=`: json, xml and point have none. Then the texts are compared, and
    `write/compare.py` knows whether they only differ in how they are spelled.
    """
    default: Any = getattr(wanted.server_default, "arg", None)
    is_literal = isinstance(default, str)
    if not is_literal or "'" not in default:
        try:
            with cast(Connection, context.connection).begin_nested():
                ask(context, operation, schema, table, name, found, wanted)
        except ProgrammingError:
            pass
        else:
            return PriorityDispatchResult.STOP
    operation.existing_server_default = found.server_default
    text = str(getattr(found.server_default, "arg", ""))
    written = "'{}'".format(default.replace("'", "''")) if is_literal else str(default)
    if written not in {text, text.rpartition("::")[0]}:
        operation.modify_server_default = wanted.server_default
    return PriorityDispatchResult.STOP


# What is for one kind of database comes before what is for all.
for _backend, _compare, _priority in [
    *(
        (backend, leave_computed_alone, DispatchPriority.FIRST)
        for backend in ("sqlite", "postgresql", "mysql", "mariadb")
    ),
    ("postgresql", ask_carefully, DispatchPriority.LAST),
]:
    OWN.add_autogenerate_comparator(
        _compare, "column", "server_default", qualifier=_backend, priority=_priority
    )


def compare_default(
    context: MigrationContext,
    _: Column[Any],
    column: Column[Any],
    found: str | None,
    default: Any,
    wanted: str | None,
) -> bool | None:
    """False where the database only spells it another way, None where Alembic compares well."""
    if isinstance(default, Identity):
        # Where there are no identity columns, a key counts up by other means.
        return None if context.dialect.supports_identity_columns else False
    if found is None or wanted is None or isinstance(column.type, String):
        return None
    return False if _meaning(found) == _meaning(wanted) else None


def _meaning(default: str) -> str | float:
    """MySQL and MariaDB tell now() as current_timestamp(), true as 1 and 0 as 0.00."""
    text = default.strip("()'\" ").lower()
    text = {"now": "current_timestamp", "true": "1", "false": "0"}.get(text, text)
    try:
        return float(text)
    except ValueError:
        return text
