"""Types of their own, as PostgreSQL has them: made before a column needs one, dropped after."""

import re
import sys
from collections.abc import Iterator
from typing import Any

from alembic.operations import MigrateOperation, ops
from sqlalchemy import Dialect, Enum
from sqlalchemy.types import TypeEngine

from ..schema.snapshot import Facts, qualified
from .completion import Completion
from .parts import Part, changes, quoted

Kinds = type[MigrateOperation] | tuple[type[MigrateOperation], ...]

VALUES = re.compile(r"E?'(?:[^']|'')*'")
GOES = (ops.DropTableOp, ops.DropColumnOp, ops.AlterColumnOp)


def around(operations: ops.UpgradeOps, completion: Completion) -> tuple[list[Part], list[Part]]:
    """A table of the models brings its types along, and one that is dropped leaves them behind."""
    found, dialect = completion.found, completion.connection.dialect
    if "alembic_postgresql_enum" in sys.modules:
        return [], []  # A library that writes them, once it is imported.
    # Where nobody knows, none comes or goes.
    wanted = completion.wanted if completion.wanted or not completion.models else found
    brought, gone = (set(_names(operations.ops, kinds)) for kinds in (ops.CreateTableOp, GOES))
    more = [
        Part([ops.ExecuteSQLOp(f"ALTER TYPE {quoted(thing.name, dialect)} {addition}")])
        for thing in sorted(found.keys() & wanted.keys())
        if thing.kind == "type"
        for addition in _additions(found[thing], wanted[thing])
    ]
    new = [
        Part([] if name in brought else [create], [drop])
        for name, create, drop in _only_in(wanted, found, dialect)
    ]
    last = [
        Part([drop], [create])
        for name, create, drop in _only_in(found, wanted, dialect)
        if name in gone
    ]
    return [*more, *new], last


def _additions(found: str, wanted: str) -> Iterator[str]:
    """Of values. PostgreSQL can take none away: there is no way back."""
    old, new = VALUES.findall(found), VALUES.findall(wanted)
    if found.startswith("ENUM") and [value for value in new if value in old] == old:
        for at, value in enumerate(new):
            if value not in old:
                place = f"AFTER {new[at - 1]}" if at else f"BEFORE {new[1]}"
                yield f"ADD VALUE IF NOT EXISTS {value} {place}"


def _only_in(
    these: Facts, those: Facts, dialect: Dialect
) -> Iterator[tuple[str, ops.ExecuteSQLOp, ops.ExecuteSQLOp]]:
    """Their names, and what makes and drops them."""
    for thing, text in these.items():
        if thing.kind == "type" and thing not in those and text.startswith("ENUM"):
            name = quoted(thing.name, dialect)
            create = ops.ExecuteSQLOp(f"CREATE TYPE {name} AS {text}")
            yield thing.name, create, ops.ExecuteSQLOp(f"DROP TYPE {name}")


def _names(operations: list[MigrateOperation], kinds: Kinds) -> Iterator[str]:
    """Of the types in these changes."""
    for change in changes(operations):
        for kind in _types(change) if isinstance(change, kinds) else ():
            item = getattr(kind, "item_type", kind)  # Of an array.
            if isinstance(item, Enum) and item.name:
                yield qualified(item.name, item.schema)


def _types(change: MigrateOperation) -> list[TypeEngine[Any] | None]:
    match change:
        case ops.CreateTableOp() | ops.DropTableOp():
            return [column.type for column in change.to_table().columns]
        case ops.DropColumnOp():
            return [change.to_column().type]
        case ops.AlterColumnOp() if change.modify_type is not None:
            return [change.existing_type]
    return []
