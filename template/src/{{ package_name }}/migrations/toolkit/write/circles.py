"""Tables that refer to each other: the foreign keys that close the circle come after them all."""

from typing import TypeGuard

from alembic.operations import MigrateOperation, ops
from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.schema import SchemaItem

from .items import table_of
from .parts import Part


def untie(part: Part) -> None:
    """For databases that refuse to refer to what is not there yet."""
    _untie(part.up, part.down)
    _untie(part.down, part.up)


def _untie(creating: list[MigrateOperation], dropping: list[MigrateOperation]) -> None:
    tables = [each for each in creating if isinstance(each, ops.CreateTableOp)]
    closing: list[ForeignKeyConstraint] = []
    later = set(map(table_of, tables))
    for table in tables:
        later.remove(table_of(table))
        closing += [item for item in table.columns if _refers(item, later)]
        table.columns = [item for item in table.columns if not _refers(item, later)]
    creating += [ops.AddConstraintOp.from_constraint(each) for each in closing]
    dropping[:0] = [ops.DropConstraintOp.from_constraint(each) for each in closing]


def _refers(item: SchemaItem, tables: set[str]) -> TypeGuard[ForeignKeyConstraint]:
    return isinstance(item, ForeignKeyConstraint) and item.referred_table.fullname in tables
