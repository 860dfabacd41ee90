"""How operations are written that Alembic knows and does not write by itself."""

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _alembic_autogenerate_prefix, _alter_column, renderers
from alembic.operations.ops import AlterColumnOp, CreatePrimaryKeyOp, RenameTableOp


def register() -> None:
    renderers.dispatch_for(RenameTableOp, replace=True)(_rename_table)
    renderers.dispatch_for(CreatePrimaryKeyOp, replace=True)(_create_primary_key)
    renderers.dispatch_for(AlterColumnOp, replace=True)(_alter_column_using)


def _rename_table(ctx: AutogenContext, operation: RenameTableOp) -> str:
    return _call(ctx, "rename_table", operation.table_name, operation.new_table_name)


def _create_primary_key(ctx: AutogenContext, operation: CreatePrimaryKeyOp) -> str:
    name = operation.constraint_name
    table = () if ctx._has_batch else (operation.table_name,)
    columns = list(map(str, operation.columns))
    return _call(ctx, "create_primary_key", name and str(name), *table, columns)


def _alter_column_using(ctx: AutogenContext, operation: AlterColumnOp) -> str:
    text: str = _alter_column(ctx, operation)
    using = operation.kw.get("postgresql_using")
    return f"{text.removesuffix(')')}, postgresql_using={using!r})" if using else text


def _call(ctx: AutogenContext, function: str, *arguments: str | list[str] | None) -> str:
    return f"{_alembic_autogenerate_prefix(ctx)}{function}({', '.join(map(repr, arguments))})"
