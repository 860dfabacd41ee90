"""Indexes that foreign keys need.

Without one of the models' a foreign key has one under its own name, and that cannot be dropped as
long as there is no other.
"""

import re
from collections.abc import Iterator
from typing import cast

from alembic.operations import MigrateOperation, ops
from sqlalchemy import ForeignKeyConstraint

from ..schema.snapshot import Facts, Thing, named_otherwise
from .completion import Completion
from .items import adding, dropping
from .parts import Part, changes, changes_of_columns


def drop_with_references(operations: ops.UpgradeOps, completion: Completion) -> None:
    """A foreign key that goes leaves the index behind that the server has made for it."""
    operations.ops = [
        part for each in operations.ops for part in (each, *_left_behind(each, completion))
    ]


def create_before_drops(operations: ops.UpgradeOps, completion: Completion) -> None:
    """Of what is there already: one can be dropped when another is in its place."""
    for each in operations.ops:
        if isinstance(each, ops.ModifyTableOps):
            altered = {change.column_name for change in changes_of_columns(each.ops)}
            each.ops.sort(key=lambda change: not _comes_first(change, altered, completion.found))


def _comes_first(change: MigrateOperation, altered: set[str], found: Facts) -> bool:
    match change:
        case ops.CreateIndexOp():
            name, columns = str(change.index_name), change.to_index().columns.keys()
        case ops.CreateUniqueConstraintOp():
            name = str(change.constraint_name)
            columns = change.to_constraint().columns.keys()
        case _:
            return False
    table = str(change.table_name)
    needed = {Thing(table, "column", column) for column in columns if column not in altered}
    is_ready = len(needed) == len(columns) and needed <= found.keys()
    return is_ready and Thing(table, "index", name) not in found


def drop_on_way_back(operations: ops.UpgradeOps, completion: Completion) -> Part:
    """The server makes one for a foreign key that is added to columns that are there."""
    part = Part()
    found, wanted = completion.found, completion.wanted
    for change in changes(operations.ops):
        if isinstance(change, ops.CreateForeignKeyOp):
            name, table = str(change.constraint_name), change.source_table
            index = Thing(table, "index", name)
            columns = [Thing(table, "column", column) for column in change.local_cols]
            if index in wanted.keys() - found.keys() and found.keys() >= set(columns):
                part.down.append(ops.DropIndexOp(name, table))
    return part


def around(completion: Completion) -> tuple[Part, Part]:
    """A foreign key goes and comes back, with the server's own index, where it had that of the models.

    The server drops its own when there is another, and refuses to drop the other. And it refuses
    another type of a column, or to drop the only index, as long as there is a key.
    """
    first, last = Part(), Part()
    found, wanted = completion.found, completion.wanted
    renamed = {thing for pair in named_otherwise(found, wanted) for thing in pair}
    for key in sorted(found.keys() & wanted.keys()):
        index = key._replace(kind="index")
        is_either = (index in found) != (index in wanted) and index not in renamed
        if key.kind != "foreign key" or found[key] != wanted[key]:
            continue
        found_key = cast(ForeignKeyConstraint, completion.item(key))
        dropped = dropping(found_key)
        added = reference = cast(ops.CreateForeignKeyOp, adding(found_key))
        is_aside = _is_retyped(reference, found, wanted) or _is_replaced(reference, found, wanted)
        if is_either or is_aside:
            last.down.append(dropped)
            first.down.append(added)
        if (is_either and index in wanted) or is_aside:
            first.up.append(dropped)
            last.up.append(added)
        if is_either and index in wanted:
            # It goes by itself only if nobody has made it.
            last.down.append(ops.DropIndexOp(key.name, key.table))
    return first, last


def _is_retyped(key: ops.CreateForeignKeyOp, found: Facts, wanted: Facts) -> bool:
    ends = ((key.source_table, key.local_cols), (key.referent_table, key.remote_cols))
    columns = [Thing(table, "column", column) for table, names in ends for column in names]
    return any(_type(found.get(each, "")) != _type(wanted.get(each, "")) for each in columns)


def _is_replaced(key: ops.CreateForeignKeyOp, found: Facts, wanted: Facts) -> bool:
    """The index that it needs, by another of the same name, or by the primary key."""
    begin = "(" + ",".join(f"`{column}`" for column in key.local_cols)
    before, after = (
        {
            thing
            for thing, text in facts.items()
            if thing.kind == "index" and thing.table == key.source_table and begin in text
        }
        for facts in (found, wanted)
    )
    return bool(before) != bool(after) or any(
        found[each] != wanted[each] for each in before & after
    )


def _type(column: str) -> str:
    return re.split(r" (?:NOT NULL|NULL|DEFAULT|COMMENT|GENERATED)\b", column, maxsplit=1)[0]


def _left_behind(change: MigrateOperation, completion: Completion) -> Iterator[ops.DropIndexOp]:
    found, wanted = completion.found, completion.wanted
    if isinstance(change, ops.DropConstraintOp) and change.constraint_type == "foreignkey":
        name, table = str(change.constraint_name), change.table_name
        index = Thing(table, "index", name)
        if index in found and found[index] != wanted.get(index):
            columns = cast(ForeignKeyConstraint, change.to_constraint()).column_keys
            yield ops.DropIndexOp(name, table, _reverse=ops.CreateIndexOp(name, table, columns))
