"""What a migration loses, and where it may fail on rows: said, and written into its file to answer.

    loses = {"users.nickname": "shown nowhere since May"}
    risks = {"users.age": "filled above, from the date of birth"}

Autogenerate leaves the reasons empty, and the project's tests refuse an empty one.
"""

from collections.abc import Iterable, Iterator, Sequence
from textwrap import fill, indent
from typing import Any

from alembic.operations import MigrateOperation, ops
from sqlalchemy import Dialect, Enum
from sqlalchemy.types import TypeEngine

from . import server
from .casts import can_cast
from .items import lacks_values, table_of
from .parts import COMES_BACK

ROWS = "Dropped with its rows"
VALUES = "Dropped with its values"
NO_WAY_BACK = (
    "Dropped with its values; and downgrade() adds it as NOT NULL without a default, which"
    f" {server.WITHOUT_DEFAULT}"
)
NOT_NULL = (
    f"NOT NULL without a default {server.WITHOUT_DEFAULT}: give it a server_default, or add it as"
    " nullable, fill it, and change that then"
)
NULLS = "NOT NULL from now on, which fails where there are NULLs: fill them before"
CAST = "From {} to {}, which fails or changes values: convert them explicitly"

Found = dict[str, str]


def losses(changes: Sequence[MigrateOperation]) -> Found:
    found = {}
    for change in changes:
        if isinstance(change, ops.DropTableOp):
            found[table_of(change)] = ROWS
        elif isinstance(change, ops.DropColumnOp) and COMES_BACK not in change.info:
            has_way_back = not lacks_values(change.to_column())
            found[_place(change, change.column_name)] = VALUES if has_way_back else NO_WAY_BACK
    return found


def risks(changes: Sequence[MigrateOperation], dialect: Dialect) -> Found:
    found = {}
    for change in changes:
        if isinstance(change, ops.AddColumnOp) and lacks_values(change.column):
            found[_place(change, change.column.name)] = NOT_NULL
        elif isinstance(change, ops.AlterColumnOp):
            place = _place(change, change.column_name)
            if not can_cast(change, dialect):
                found[place] = CAST.format(*map(_shown, (change.existing_type, change.modify_type)))
            elif change.modify_nullable is False:
                found[place] = NULLS
    return found


def _place(change: ops.AlterTableOp, column: str) -> str:
    return f"{table_of(change)}.{column}"


def _shown(kind: TypeEngine[Any] | None) -> str:
    return f"the enum {kind.name}" if isinstance(kind, Enum) and kind.name else str(kind)


def declare(script: ops.MigrationScript, lost: Found, risky: Found, left: Iterable[str]) -> None:
    """Among the imports, where each project's script.py.mako lets something be written."""
    # They are sorted: what begins with # comes first, and a name after `import`.
    remarks = [f"# Write this yourself: {line}." for line in left]
    lines = [*_declaration("loses", lost), *_declaration("risks", risky)]
    script.imports = {*script.imports, *remarks, *(["\n".join(lines)] if lines else [])}


def _declaration(name: str, found: Found) -> Iterator[str]:
    if found:
        yield f"{name} = {{"
        for what, why in found.items():
            yield indent(fill(f"{why}.", 90), "    # ")
            yield f'    "{what}": "",'
        yield "}"
