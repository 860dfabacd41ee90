"""How operations are written that Alembic knows and does not write by itself."""

import re
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _alembic_autogenerate_prefix, renderers
from alembic.ddl.impl import DefaultImpl
from alembic.operations import ops
from sqlalchemy import ClauseElement, TextClause

#: What `text()` would take for a parameter.
PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w)")


def write_text_to_be_read(impl: DefaultImpl) -> None:
    """By `text()`, which takes a colon for the beginning of a parameter.

    Alembic 1.20.1 writes percent signs as some drivers take them, doubled, and these double them
    again.
    """
    render = impl.render_ddl_sql_expr

    def write(expression: ClauseElement, *, is_index: bool = False, **options: Any) -> str:
        if isinstance(expression, TextClause) and any(
            parameter.required for parameter in expression._bindparams.values()
        ):
            # As the server tells it.
            written = expression.text
        else:
            written = render(expression, is_index=is_index, **options)
            if "format" in impl.dialect.paramstyle:
                written = written.replace("%%", "%")
        return written if is_index else without_parameters(written)

    vars(impl)["render_ddl_sql_expr"] = write


@renderers.dispatch_for(ops.ExecuteSQLOp, replace=True)
def _execute_sql(ctx: AutogenContext, operation: ops.ExecuteSQLOp) -> str:
    sql = without_parameters(str(operation.sqltext))
    return f"{_alembic_autogenerate_prefix(ctx)}execute({sql!r})"


def without_parameters(sql: str) -> str:
    return PARAMETER.sub(r"\:", sql)


@renderers.dispatch_for(ops.RenameTableOp, replace=True)
def _rename_table(ctx: AutogenContext, operation: ops.RenameTableOp) -> str:
    names = operation.table_name, operation.new_table_name
    return _call(ctx, "rename_table", *names, schema=operation.schema)


@renderers.dispatch_for(ops.CreatePrimaryKeyOp, replace=True)
def _create_primary_key(ctx: AutogenContext, operation: ops.CreatePrimaryKeyOp) -> str:
    name = operation.constraint_name
    table = () if ctx._has_batch else (operation.table_name,)
    columns, schema = list(map(str, operation.columns)), operation.schema
    return _call(ctx, "create_primary_key", name and str(name), *table, columns, schema=schema)


def _call(
    ctx: AutogenContext, function: str, *arguments: str | list[str] | None, schema: str | None
) -> str:
    words = [*map(repr, arguments), *([f"schema={schema!r}"] if schema else [])]
    return f"{_alembic_autogenerate_prefix(ctx)}{function}({', '.join(words)})"
