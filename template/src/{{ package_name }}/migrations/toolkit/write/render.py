"""How operations are written that Alembic knows and does not write by itself."""

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import (
    _alembic_autogenerate_prefix,
    _alter_column,
    _render_server_default,
    renderers,
)
from alembic.ddl.impl import DefaultImpl
from alembic.operations.ops import AlterColumnOp, CreatePrimaryKeyOp, RenameTableOp
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Identity


def prepare(context: MigrationContext) -> None:
    _write_percent_signs_once(context.impl)
    renderers.dispatch_for(RenameTableOp, replace=True)(_rename_table)
    renderers.dispatch_for(CreatePrimaryKeyOp, replace=True)(_create_primary_key)
    renderers.dispatch_for(AlterColumnOp, replace=True)(_alter_column_whole)


def _write_percent_signs_once(impl: DefaultImpl) -> None:
    """Alembic 1.20.1 writes them as some drivers take them, doubled, and these double them again."""
    if "format" in impl.dialect.paramstyle:
        render = impl.render_ddl_sql_expr
        vars(impl)["render_ddl_sql_expr"] = lambda *arguments, **options: render(
            *arguments, **options
        ).replace("%%", "%")


def _rename_table(ctx: AutogenContext, operation: RenameTableOp) -> str:
    names = operation.table_name, operation.new_table_name
    return _call(ctx, "rename_table", *names, schema=operation.schema)


def _create_primary_key(ctx: AutogenContext, operation: CreatePrimaryKeyOp) -> str:
    name = operation.constraint_name
    table = () if ctx._has_batch else (operation.table_name,)
    columns, schema = list(map(str, operation.columns)), operation.schema
    return _call(ctx, "create_primary_key", name and str(name), *table, columns, schema=schema)


def _alter_column_whole(ctx: AutogenContext, operation: AlterColumnOp) -> str:
    text: str = _alter_column(ctx, operation).removesuffix(")")
    existing = operation.existing_server_default
    if isinstance(existing, Identity) and isinstance(operation.modify_server_default, Identity):
        text += f", existing_server_default={_render_server_default(existing, ctx)}"
    if using := operation.kw.get("postgresql_using"):
        text += f", postgresql_using={using!r}"
    return f"{text})"


def _call(
    ctx: AutogenContext, function: str, *arguments: str | list[str] | None, schema: str | None
) -> str:
    words = [*map(repr, arguments), *([f"schema={schema!r}"] if schema else [])]
    return f"{_alembic_autogenerate_prefix(ctx)}{function}({', '.join(words)})"
