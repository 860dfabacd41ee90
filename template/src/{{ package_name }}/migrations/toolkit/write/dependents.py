"""What names a column, and so keeps MySQL from renaming it."""

import re
from collections.abc import Iterator

from alembic.operations import MigrateOperation, ops

from ..schema.snapshot import Facts, Thing
from .completion import Completion
from .parts import COMES_BACK, Part, changes_of_columns, take_out

DROPS = (ops.DropConstraintOp, ops.DropIndexOp, ops.DropColumnOp)
#: Kinds, and how those of them read that compute: an index on a column alone takes its new name.
COMPUTES = {"check": "", "column": r"GENERATED ALWAYS", "index": r"[(,]\("}


def put_aside(renamed: Part, completion: Completion) -> Part:
    """It goes before the column is renamed, and comes back as the models have it."""
    up, down = renamed.up, renamed.down
    for change in changes_of_columns(renamed.up):
        for thing in _naming(change, completion.found):
            # What the models have no more, or by another name, only goes.
            part = completion.part(thing) or completion.drop(thing)
            up, down = _around(up, part.up), _around(down, part.down)
    return Part(up, down)


def _naming(change: ops.AlterColumnOp, found: Facts) -> Iterator[Thing]:
    quoted = "`" + change.column_name.replace("`", "``") + "`"
    for thing, text in found.items():
        computes = thing.kind in COMPUTES and re.search(COMPUTES[thing.kind], text)
        is_beside = thing.table == change.table_name and thing.name != change.column_name
        if computes and is_beside and quoted in text:
            yield thing


def _around(
    renames: list[MigrateOperation], changes: list[MigrateOperation]
) -> list[MigrateOperation]:
    gone = take_out(changes, lambda change: isinstance(change, DROPS))
    for change in gone:
        change.info[COMES_BACK] = True
    return [*gone, *renames, *changes]
