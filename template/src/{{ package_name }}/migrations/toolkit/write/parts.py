"""The operations of a new migration, with their way back, and what they do to a database."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import cast

import sqlalchemy
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _render_cmd_body
from alembic.operations import MigrateOperation, Operations, ops
from sqlalchemy import Connection, Dialect, Table, inspect

from ....driver import TRANSACTIONAL_DDL
from .. import throwaway
from ..schema.snapshot import qualified
from .items import table_of

#: In `info` of an operation: what it drops comes back in the same migration, and is not lost.
COMES_BACK = "comes back"


@dataclass
class Part:
    up: list[MigrateOperation] = field(default_factory=list)
    down: list[MigrateOperation] = field(default_factory=list)


def quoted(name: str, dialect: Dialect) -> str:
    """One that may have a schema before it."""
    return ".".join(quoted_word(word, dialect) for word in name.split("."))


def quoted_word(name: str, dialect: Dialect) -> str:
    """With single percent signs: some drivers need them doubled, and `text()` does that."""
    return dialect.identifier_preparer.quote(name).replace("%%", "%")


def reversible(operations: ops.UpgradeOps) -> Part:
    return Part(operations.ops, operations.reverse().ops)


def changes(operations: Iterable[MigrateOperation]) -> Iterator[MigrateOperation]:
    """Each by itself: Alembic has those of a table together."""
    for each in operations:
        yield from each.ops if isinstance(each, ops.ModifyTableOps) else [each]


def take_out(
    operations: list[MigrateOperation], is_unwanted: Callable[[MigrateOperation], bool]
) -> list[MigrateOperation]:
    taken = list(filter(is_unwanted, changes(operations)))
    for each in operations:
        if isinstance(each, ops.ModifyTableOps):
            each.ops = [change for change in each.ops if change not in taken]
    operations[:] = [each for each in operations if each not in taken and not _is_empty(each)]
    return taken


def _is_empty(operation: MigrateOperation) -> bool:
    return isinstance(operation, ops.ModifyTableOps) and not operation.ops


def put_in_order(operations: ops.UpgradeOps, connection: Connection) -> None:
    """So that nothing is named that is not there yet, or goes while it is named.

    And alike in each run: Alembic drops in the order of a set.
    """
    dropped = {
        table_of(each): each.schema for each in operations.ops if isinstance(each, ops.DropTableOp)
    }
    order = _children_first({*dropped.values()}, connection)
    places = {name: place for place, name in enumerate(order, 1) if name in dropped}
    # Each with its indexes, which the way back makes before another table refers to them.
    operations.ops.sort(key=lambda each: places.get(table_of(each), 0))
    for each in operations.ops:
        if isinstance(each, ops.ModifyTableOps):
            each.ops.sort(key=lambda change: (_turn(change), _name_of_dropped(change)))


def _children_first(schemas: Iterable[str | None], connection: Connection) -> Iterator[str]:
    inspector = inspect(connection)
    for schema in sorted(schemas, key=str):
        tables = inspector.get_sorted_table_and_fkc_names(schema)
        yield from (qualified(name, schema) for name, _ in reversed(tables) if name)


def _name_of_dropped(change: MigrateOperation) -> str:
    match change:
        case ops.DropColumnOp():
            return change.column_name
        case ops.DropConstraintOp(constraint_type="foreignkey"):
            return str(change.constraint_name)
    return ""


def put_references_first(operations: ops.UpgradeOps) -> None:
    """Of all tables, since what they need may be another table's."""
    operations.ops[:0] = take_out(operations.ops, lambda change: _turn(change) == 0)


def _turn(change: MigrateOperation) -> int:
    """References go before the index that they need, and all that names a column before it changes."""
    match change:
        case ops.DropConstraintOp(constraint_type="foreignkey"):
            return 0
        case ops.DropConstraintOp() | ops.DropIndexOp():
            return 1
        case ops.AddColumnOp() if change.column.computed is None:
            return 2
        case ops.DropColumnOp():
            return 4 if change.to_column().computed is None else 1
    return 3


def in_table(table: Table, *operations: MigrateOperation) -> Part:
    """Each must know its way back."""
    changes = ops.ModifyTableOps(table.name, operations, schema=table.schema)
    return reversible(ops.UpgradeOps([changes]))


def changes_of_columns(operations: Iterable[MigrateOperation]) -> Iterator[ops.AlterColumnOp]:
    return (change for change in changes(operations) if isinstance(change, ops.AlterColumnOp))


def put_together(script: ops.MigrationScript, parts: Iterable[Part]) -> None:
    parts = list(parts)
    script.upgrade_ops_list[-1].ops = [each for part in parts for each in part.up]
    script.downgrade_ops_list[-1].ops = [each for part in reversed(parts) for each in part.down]


class Trial:
    """Does to the throw-away database what the file will do: by what is written in it."""

    def __init__(self, context: AutogenContext) -> None:
        self._context = context
        self._is_batch = bool(context.opts["render_as_batch"])
        self._connection = cast(Connection, context.connection)
        # A type from elsewhere is written with its module.
        modules = {name: module for name, module in sys.modules.items() if "." not in name}
        self._names = modules | {"op": Operations(context.migration_context), "sa": sqlalchemy}

    def run(self, operations: Iterable[MigrateOperation]) -> list[str]:
        """What the database refuses, which is left out."""
        parts = operations if self._is_batch else changes(operations)
        return [refused for each in parts if (refused := self._try(each))]

    def _try(self, operation: MigrateOperation) -> str | None:
        code = _render_cmd_body(ops.UpgradeOps([operation]), self._context)
        lines = [*sorted(self._context.imports), code]
        try:
            # Where a change of a table commits, a savepoint would be gone.
            with self._connection.begin_nested() if TRANSACTIONAL_DDL else nullcontext():
                exec("\n".join(lines), dict(self._names))  # noqa: S102
        except Exception as error:  # noqa: BLE001
            return throwaway.reason(error).rstrip(".")
        return None
