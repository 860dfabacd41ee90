"""Types of their own, as PostgreSQL has them: made before a column needs one, dropped after."""

import re
import sys
from collections.abc import Iterator
from typing import Any

from alembic.operations.ops import (
    AlterColumnOp,
    CreateTableOp,
    DropColumnOp,
    DropTableOp,
    ExecuteSQLOp,
    MigrateOperation,
    UpgradeOps,
)
from sqlalchemy import Enum
from sqlalchemy.types import TypeEngine

from ..schema.snapshot import Facts, qualified
from .completion import Completion
from .parts import Part, changes, quoted

Kinds = type[MigrateOperation] | tuple[type[MigrateOperation], ...]

VALUES = re.compile(r"E?'(?:[^']|'')*'")
GOES = (DropTableOp, DropColumnOp, AlterColumnOp)


def around(operations: UpgradeOps, completion: Completion) -> tuple[Part, Part]:
    """A table that is made brings its types along, and one that is dropped leaves them behind."""
    first, last, dialect = Part(), Part(), completion.connection.dialect
    if "alembic_postgresql_enum" in sys.modules:
        return first, last  # A library that writes them, once it is imported.
    found = completion.found
    # Where nobody knows, none comes or goes.
    wanted = completion.wanted if completion.wanted or not completion.models else found
    for thing in sorted(found.keys() & wanted.keys()):
        if thing.kind == "type" and found[thing] != wanted[thing]:
            more = more_values(quoted(thing.name, dialect), found[thing], wanted[thing])
            first.up += more.up if more else []
    brought, gone = (set(_names(operations.ops, kinds)) for kinds in (CreateTableOp, GOES))
    for name, text in _only_in(wanted, found):
        if name not in brought:
            first.up.append(_create(quoted(name, dialect), text))
        first.down.append(_drop(quoted(name, dialect)))
    brought_back = set(_names(operations.ops, DropTableOp))
    for name, text in _only_in(found, wanted):
        if name in gone:
            last.up.append(_drop(quoted(name, dialect)))
            if name not in brought_back:
                last.down.append(_create(quoted(name, dialect), text))
    return first, last


def more_values(name: str, found: str, wanted: str) -> Part | None:
    """PostgreSQL can add values to a type, and take none away: there is no way back."""
    old, new = VALUES.findall(found), VALUES.findall(wanted)
    if not found.startswith("ENUM") or [value for value in new if value in old] != old:
        return None
    part = Part()
    for at, value in enumerate(new):
        if value not in old:
            place = f"AFTER {new[at - 1]}" if at else f"BEFORE {new[1]}"
            statement = f"ALTER TYPE {name} ADD VALUE IF NOT EXISTS {value} {place}"
            part.up.append(ExecuteSQLOp(statement))
    return part


def _only_in(these: Facts, those: Facts) -> Iterator[tuple[str, str]]:
    for thing, text in these.items():
        if thing.kind == "type" and thing not in those and text.startswith("ENUM"):
            yield thing.name, text


def _names(operations: list[MigrateOperation], kinds: Kinds) -> Iterator[str]:
    """Of the types in these changes."""
    for change in changes(operations):
        for kind in _types(change) if isinstance(change, kinds) else ():
            item = getattr(kind, "item_type", kind)  # Of an array.
            if isinstance(item, Enum) and item.name:
                yield qualified(item.name, item.schema)


def _types(change: MigrateOperation) -> list[TypeEngine[Any] | None]:
    match change:
        case CreateTableOp() | DropTableOp():
            return [column.type for column in change.to_table().columns]
        case DropColumnOp():
            return [change.to_column().type]
        case AlterColumnOp() if change.modify_type is not None:
            return [change.existing_type]
    return []


def _create(name: str, text: str) -> ExecuteSQLOp:
    return ExecuteSQLOp(f"CREATE TYPE {name} AS {text}")


def _drop(name: str) -> ExecuteSQLOp:
    return ExecuteSQLOp(f"DROP TYPE {name}")
