"""One migration while it runs in a throw-away database: what it says, and in which line of its file."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from alembic.operations import MigrateOperation, ops
from alembic.operations.base import AbstractOperations
from sqlalchemy import Connection, event

from ..write.items import table_of

#: SQL that the migration has written, or what an operation makes, or a helper that is safe.
Origin = Literal["sql", "operation", "safe_ops"]

# Through these modules a statement or an operation is no longer the migration's own word.
BATCH = "alembic.operations.batch"
REFLECTION = "sqlalchemy.engine.reflection"


@dataclass(frozen=True)
class Cost:
    """What the server says of a statement, as far as it is about tables that were there before."""

    #: The kind of lock, and the table.
    locks: tuple[tuple[str, str], ...] = ()
    rewrites: tuple[str, ...] = ()
    #: Tables that are read in full, or constraints for whose sake they are.
    scans: tuple[str, ...] = ()
    #: The rule that it breaks.
    code: str | None = None
    #: Whether the transaction has changed something.
    is_change: bool = True


@dataclass
class Statement:
    line: int
    sql: str
    origin: Origin
    #: Committed by itself.
    is_alone: bool
    cost: Cost = field(default_factory=Cost)

    @property
    def is_shown(self) -> bool:
        """Not what an operation reads for itself."""
        return self.origin == "sql" or not self.sql.startswith(("SELECT", "PRAGMA"))


class Operation(NamedTuple):
    line: int
    operation: MigrateOperation
    origin: Origin


@dataclass
class Recording:
    connection: Connection
    path: str
    statements: list[Statement] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    #: The statement that is being executed, if it is the migration's.
    current: Statement | None = None
    _under_way: MigrateOperation | None = None

    @property
    def empty_columns(self) -> set[tuple[str, object]]:
        """Table and name of those that it has added, and that have no value in any row."""
        added = [each.operation for each in self.operations]
        return {
            (table_of(each), each.column.name)
            for each in added
            if isinstance(each, ops.AddColumnOp)
            and each.column.nullable
            and not (each.column.server_default or each.column.computed)
        }

    @contextmanager
    def within(self, operation: MigrateOperation) -> Iterator[None]:
        """It may begin while another one is carried out, of which it is a part."""
        before, self._under_way = self._under_way, operation
        line, through = self._place()
        if line and before is None and BATCH not in through:
            origin: Origin = "safe_ops" if _is_safe(through) else "operation"
            self.operations.append(Operation(line, operation, origin))
        try:
            yield
        finally:
            self._under_way = before

    def execute(self, sql: str) -> None:
        line, through = self._place()
        self.current = None
        if not line or REFLECTION in through:
            return
        origin: Origin = "sql"
        if _is_safe(through):
            origin = "safe_ops"
        elif BATCH in through or not isinstance(self._under_way, ops.ExecuteSQLOp | None):
            origin = "operation"
        if self.connection.dialect.paramstyle in {"format", "pyformat"}:
            sql = sql.replace("%%", "%")
        level = self.connection.get_execution_options().get("isolation_level")
        self.current = Statement(line, sql.strip(), origin, is_alone=level == "AUTOCOMMIT")
        self.statements.append(self.current)

    def _place(self) -> tuple[int, set[str]]:
        """The line of the migration that is being executed, and the modules that it goes through."""
        through: set[str] = set()
        frame = inspect.currentframe()
        while frame is not None and frame.f_code.co_filename != self.path:
            through.add(frame.f_globals.get("__name__", ""))
            frame = frame.f_back
        return (frame.f_lineno if frame else 0), through


def _is_safe(through: set[str]) -> bool:
    return any(".toolkit.safe_ops" in module for module in through)


@contextmanager
def recorded(
    connection: Connection, path: str, after: Callable[[Statement], None]
) -> Iterator[Recording]:
    """While the migration of this file runs; after each statement, the server is asked about it."""
    recording = Recording(connection, path)
    invoke = AbstractOperations.invoke

    def note(self: AbstractOperations, operation: MigrateOperation) -> Any:
        with recording.within(operation):
            return invoke(self, operation)

    def execute(_connection: Connection, _cursor: Any, sql: str, *_: Any) -> None:
        recording.execute(sql)

    def executed(*_: Any) -> None:
        if recording.current:
            after(recording.current)

    setattr(AbstractOperations, "invoke", note)  # noqa: B010
    event.listen(connection, "before_cursor_execute", execute)
    event.listen(connection, "after_cursor_execute", executed)
    try:
        yield recording
    finally:
        event.remove(connection, "after_cursor_execute", executed)
        event.remove(connection, "before_cursor_execute", execute)
        setattr(AbstractOperations, "invoke", invoke)  # noqa: B010
