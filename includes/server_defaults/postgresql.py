"""Whether two defaults are alike: PostgreSQL answers that itself."""

from typing import Any, cast

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.compare.server_defaults import (
    _dialect_impl_compare_server_default as ask,
)
from alembic.operations.ops import AlterColumnOp
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import Column, Connection
from sqlalchemy.exc import DataError, ProgrammingError

OWN = Plugin(__name__)
PLUGINS = [OWN.name]

#: For Alembic's `compare_server_default`.
COMPARE = True


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

    Nor have all types a `=`: json, xml and point have none, and an enum may not have the value yet.
    Then the texts are compared, and `write/compare.py` knows whether they only differ in how they are
    spelled.
    """
    default: Any = getattr(wanted.server_default, "arg", None)
    is_literal = isinstance(default, str)
    if not is_literal or "'" not in default:
        try:
            with cast(Connection, context.connection).begin_nested():
                ask(context, operation, schema, table, name, found, wanted)
        except (DataError, ProgrammingError):
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
OWN.add_autogenerate_comparator(
    ask_carefully,
    "column",
    "server_default",
    qualifier="postgresql",
    priority=DispatchPriority.LAST,
)
