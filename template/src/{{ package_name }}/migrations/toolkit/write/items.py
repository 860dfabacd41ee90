"""What is in a table: how it is called in a snapshot, and the operations that make and drop it."""

from collections.abc import Iterator
from typing import Any

from alembic.operations import MigrateOperation, ops
from sqlalchemy import Column, Connection, Constraint, Index, Table
from sqlalchemy.sql.naming import conv

from ..schema import reflections
from ..schema.snapshot import Thing, qualified

Item = Column[Any] | Constraint | Index

#: By Alembic's words for them.
CONSTRAINTS = {
    "check": "check",
    "foreignkey": "foreign key",
    "primary": "primary key",
    "unique": "unique constraint",
}


def table_of(operation: Any) -> str:
    """Empty if it is about none."""
    if isinstance(operation, ops.CreateForeignKeyOp):
        return qualified(operation.source_table, operation.kw.get("source_schema"))
    name = getattr(operation, "table_name", None)
    return qualified(name, operation.schema) if name else ""


def thing_of(operation: MigrateOperation) -> Thing | None:
    """Nothing for what is about a table as a whole."""
    match operation:
        case ops.AddColumnOp():
            kind, name = "column", operation.column.name
        case ops.AlterColumnOp() | ops.DropColumnOp():
            kind, name = "column", operation.column_name
        case ops.CreateIndexOp() | ops.DropIndexOp():
            kind, name = "index", str(operation.index_name)
        case ops.AddConstraintOp() | ops.DropConstraintOp():
            constraint: Any = operation
            kind = CONSTRAINTS.get(constraint.constraint_type, "constraint")
            name = str(constraint.constraint_name)
        case _:
            return None
    return Thing(table_of(operation), kind, name)


def item_of(table: Table, thing: Thing) -> Item | None:
    if thing.kind == "column":
        return table.columns.get(thing.name)
    if thing.kind == "primary key":  # Of which a snapshot has no name.
        return table.primary_key if table.primary_key.columns else None
    of_columns = (each for column in table.columns for each in column.constraints)
    constraints: list[Constraint | Index] = [*table.constraints, *of_columns]
    # On MySQL a foreign key has an index of its name, and what is unique is an index, too.
    is_index = thing.kind == "index"
    items = [*table.indexes, *constraints] if is_index else [*constraints, *table.indexes]
    return next((each for each in items if each.name == thing.name), None)


def lacks_values(column: Column[Any]) -> bool:
    """Where it is added to rows that are there."""
    is_given = column.server_default or column.computed or column.identity
    return not column.nullable and not is_given


def adding(item: Item) -> MigrateOperation:
    match item:
        case Column(table=Table() as table):
            return ops.AddColumnOp.from_column_and_tablename(table.schema, table.name, item)
        case Index():
            return ops.CreateIndexOp.from_index(item)
        case _:
            return ops.AddConstraintOp.from_constraint(item)


def dropping(item: Item) -> MigrateOperation:
    match item:
        case Column(table=Table() as table):
            return ops.DropColumnOp.from_column_and_tablename(table.schema, table.name, item)
        case Index():
            return ops.DropIndexOp.from_index(item)
        case _:
            return ops.DropConstraintOp.from_constraint(item)


def creating(table: Table, connection: Connection) -> Iterator[MigrateOperation]:
    """The table as the database has it, and its indexes."""
    creation = ops.CreateTableOp.from_table(table)
    creation.kw = reflections.options(connection, table)
    yield creation
    indexes = sorted(table.indexes, key=lambda each: str(each.name))
    yield ops.ModifyTableOps(table.name, list(map(adding, indexes)), schema=table.schema)


def keep_names(table: Table) -> None:
    """What has a name already gets none by convention."""
    named: list[Any] = [*table.constraints, *table.indexes]
    for each in named:
        each.name = each.name and conv(str(each.name))
