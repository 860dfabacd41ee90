"""The operations of a new migration, with their way back, and what they do to a database."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import cast

from alembic.operations import Operations
from alembic.operations.ops import (
    AddColumnOp,
    DropColumnOp,
    DropConstraintOp,
    DropTableOp,
    MigrateOperation,
    MigrationScript,
    ModifyTableOps,
    UpgradeOps,
)
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, DefaultClause, Table
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ....driver import TRANSACTIONAL_DDL, reason

#: In `info` of an operation: what it drops comes back in the same migration, and is not lost.
COMES_BACK = "comes back"

Run = Callable[[], object]


@dataclass
class Part:
    up: list[MigrateOperation] = field(default_factory=list)
    down: list[MigrateOperation] = field(default_factory=list)


def reversible(operations: UpgradeOps) -> Part:
    return Part(operations.ops, operations.reverse().ops)


def put_in_order(operations: UpgradeOps) -> None:
    """So that nothing is named that is not there yet, or goes while it is named."""
    operations.ops.sort(key=lambda each: isinstance(each, DropTableOp))
    for each in operations.ops:
        if isinstance(each, ModifyTableOps):
            each.ops.sort(key=_turn)


def _turn(change: MigrateOperation) -> int:
    """A reference goes before the table that it is to, and before the index that it needs."""
    match change:
        case DropConstraintOp(constraint_type="foreignkey"):
            return 0
        case DropConstraintOp(constraint_type="check"):
            return 1
        case AddColumnOp() if change.column.computed is None:
            return 2
        case DropColumnOp() if change.to_column().computed is None:
            return 4
    return 3


def in_table(table: Table, *operations: MigrateOperation) -> Part:
    """Each must know its way back."""
    changes = ModifyTableOps(table.name, operations, schema=table.schema)
    return reversible(UpgradeOps([changes]))


def put_together(script: MigrationScript, parts: Iterable[Part]) -> None:
    parts = list(parts)
    script.upgrade_ops_list[-1].ops = [each for part in parts for each in part.up]
    script.downgrade_ops_list[-1].ops = [each for part in reversed(parts) for each in part.down]


class Trial:
    """Does to the throw-away database what the migration will do."""

    def __init__(self, context: MigrationContext) -> None:
        self._operations = Operations(context)
        self._is_batch = bool(context.opts["render_as_batch"])
        self._connection = cast(Connection, context.connection)

    def run(self, part: Part) -> list[str]:
        """What the database refuses, which is left out."""
        return [refused for each in self._runs(part) if (refused := self._try(each))]

    def _runs(self, part: Part) -> Iterator[Run]:
        for each in part.up:
            if not isinstance(each, ModifyTableOps):
                yield partial(self._operations.invoke, each)
            elif self._is_batch:
                yield partial(self._run_batch, each)
            else:
                for change in each.ops:
                    yield partial(self._operations.invoke, _as_rendered(change))

    def _run_batch(self, table: ModifyTableOps) -> None:
        with self._operations.batch_alter_table(table.table_name) as batch:
            for change in table.ops:
                batch.invoke(_as_rendered(change))

    def _try(self, run: Run) -> str | None:
        try:
            # Where a change of a table commits, a savepoint would be gone.
            with self._connection.begin_nested() if TRANSACTIONAL_DDL else nullcontext():
                run()
        except DBAPIError as error:
            return reason(error)
        except (SQLAlchemyError, CommandError, ValueError, NotImplementedError) as error:
            return str(error)
        return None


def _as_rendered(change: MigrateOperation) -> MigrateOperation:
    """What a file says of it, which is less than its objects say."""
    rendered = copy(change)
    if isinstance(rendered, AddColumnOp):
        # Its index and its constraint are operations of their own.
        rendered.column = rendered.column._copy()
        rendered.column.index = rendered.column.unique = None
    default = getattr(rendered, "modify_server_default", None)
    if isinstance(default, DefaultClause):
        # A batch operation of Alembic 1.20.1 does not take the one that its comparison gives.
        vars(rendered)["modify_server_default"] = default.arg
    return rendered
