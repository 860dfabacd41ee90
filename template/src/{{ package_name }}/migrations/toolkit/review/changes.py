"""What a migration changes that may hurt, from its operations and from its own SQL."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import sqlalchemy as sa
from alembic.ddl.postgresql import CreateExcludeConstraintOp
from alembic.operations import MigrateOperation, ops

from ..schema.snapshot import qualified
from ..write.items import lacks_values, table_of

WIDE = 3


class Change(NamedTuple):
    #: Of the rule.
    code: str
    #: Whose, with a schema that is not the default one; empty if it is not known.
    table: str
    #: What the migration does.
    what: str
    #: What the table is called from then on.
    new_name: str = ""
    #: Those that it makes unique together.
    columns: tuple[str, ...] = ()


def of_operation(operation: MigrateOperation) -> Iterator[Change]:
    table = table_of(operation)
    match operation:
        case ops.DropTableOp():
            yield Change("drop-table", table, f"drops the table {table}")
        case ops.RenameTableOp(new_table_name=name, schema=schema):
            new_name = qualified(name, schema)
            yield Change("rename-table", table, f"renames the table {table} to {name}", new_name)
        case ops.AddColumnOp(column=column):
            yield from _added(table, column)
        case ops.DropColumnOp(column_name=column):
            yield Change("drop-column", table, f"drops the column {table}.{column}")
        case ops.AlterColumnOp():
            yield from _altered(table, operation)
        case ops.CreateIndexOp():
            yield from _indexed(table, operation)
        case ops.DropIndexOp(index_name=name, schema=schema):
            if not operation.kw.get("postgresql_concurrently"):
                what = f"drops the index {qualified(str(name), schema)}"
                yield Change("drop-index-not-concurrent", table, what)
        case ops.CreatePrimaryKeyOp():
            yield Change("add-primary-key", table, f"gives {table} a primary key")
        case ops.CreateUniqueConstraintOp(columns=columns):
            yield _unique(table, columns)
        case ops.CreateForeignKeyOp(local_cols=columns, referent_table=referent):
            other = qualified(referent, operation.kw.get("referent_schema"))
            what = f"lets {_listed(table, columns)} refer to {other}"
            yield Change("add-foreign-key", table, what)
        case ops.CreateCheckConstraintOp(constraint_name=name):
            yield Change("add-check", table, f"adds the CHECK {name or ''} to {table}")
        case CreateExcludeConstraintOp(constraint_name=name):
            yield Change("add-exclusion", table, f"adds the exclusion {name} to {table}")


def _added(table: str, column: "sa.Column[object]") -> Iterator[Change]:
    name = f"{table}.{column.name}"
    if lacks_values(column):
        what = f"adds the column {name}, which is NOT NULL and has no default"
        yield Change("not-null-without-default", table, what)
    if column.unique:
        yield _unique(table, [column.name])
    elif column.index:
        yield Change("index-not-concurrent", table, f"builds an index on {name}")
    if column.foreign_keys:
        yield Change("add-foreign-key", table, f"lets {name} refer to another table")


def _altered(table: str, operation: ops.AlterColumnOp) -> Iterator[Change]:
    name = f"{table}.{operation.column_name}"
    if operation.modify_name:
        what = f"renames the column {name} to {operation.modify_name}"
        yield Change("rename-column", table, what)
    old, new = operation.existing_type, operation.modify_type
    if new is not None and not is_wider(old, new):
        yield Change("change-type", table, f"makes {name} another type")
    if operation.modify_nullable is False and operation.existing_nullable is not False:
        yield Change("set-not-null", table, f"makes {name} NOT NULL")


def _indexed(table: str, operation: ops.CreateIndexOp) -> Iterator[Change]:
    columns = operation.columns
    where = _listed(table, columns)
    if operation.unique:
        yield _unique(table, columns)
    elif not operation.kw.get("postgresql_concurrently"):
        yield Change("index-not-concurrent", table, f"builds an index on {where}")
    if len(columns) > WIDE and not operation.unique:
        yield Change("wide-index", table, f"builds an index on {len(columns)} columns of {table}")


def _unique(table: str, columns: Iterable[object]) -> Change:
    what = f"makes {_listed(table, columns)} unique"
    return Change("add-unique", table, what, columns=tuple(map(str, columns)))


def _listed(table: str, columns: Iterable[object]) -> str:
    return f"{table} ({', '.join(map(str, columns))})"


def is_wider(old: object, new: object) -> bool:
    """Whether the new type takes all that the old one has, as it is."""
    if isinstance(new, sa.Enum) or not isinstance(new, sa.String) or not isinstance(old, sa.String):
        return False
    return new.length is None or (old.length is not None and old.length <= new.length)
