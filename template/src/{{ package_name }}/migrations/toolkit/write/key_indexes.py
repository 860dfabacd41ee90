"""Indexes that foreign keys need.

Without one of the models' a foreign key has one under its own name, and that cannot be dropped as
long as there is no other.
"""

from collections.abc import Iterator
from typing import cast

from alembic.operations.ops import (
    CreateForeignKeyOp,
    CreateIndexOp,
    DropConstraintOp,
    DropIndexOp,
    MigrateOperation,
    UpgradeOps,
)
from sqlalchemy import ForeignKeyConstraint

from ..schema.snapshot import Thing
from .completion import Completion
from .parts import Part, changes


def drop_with_references(operations: UpgradeOps, completion: Completion) -> None:
    """A foreign key that goes leaves the index behind that the server has made for it."""
    operations.ops = [
        part for each in operations.ops for part in (each, *_left_behind(each, completion))
    ]


def drop_on_way_back(operations: UpgradeOps, completion: Completion) -> Part:
    """The server makes one for a foreign key that is added to columns that are there."""
    part = Part()
    found, wanted = completion.found, completion.wanted
    for change in changes(operations.ops):
        if isinstance(change, CreateForeignKeyOp):
            name, table = str(change.constraint_name), change.source_table
            index = Thing(table, "index", name)
            columns = [Thing(table, "column", column) for column in change.local_cols]
            if index in wanted.keys() - found.keys() and found.keys() >= set(columns):
                part.down.append(DropIndexOp(name, table))
    return part


def _left_behind(change: MigrateOperation, completion: Completion) -> Iterator[DropIndexOp]:
    found, wanted = completion.found, completion.wanted
    if isinstance(change, DropConstraintOp) and change.constraint_type == "foreignkey":
        name, table = str(change.constraint_name), change.table_name
        index = Thing(table, "index", name)
        if index in found and found[index] != wanted.get(index):
            columns = cast(ForeignKeyConstraint, change.to_constraint()).column_keys
            yield DropIndexOp(name, table, _reverse=CreateIndexOp(name, table, columns))
