"""What a downgrade would lose, which in production somebody must have named.

The functions of the migrations are called with operations that only note what they are told, and
with a connection that only tells which tables and columns there are. What they do to the database in
another way cannot be judged, and must be consented to as well.
"""

import logging
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from textwrap import shorten
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations, MigrateOperation, Operations, ops
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from alembic.util import CommandError
from sqlalchemy import event
from sqlalchemy.engine import Result
from sqlalchemy.engine.mock import MockConnection
from sqlalchemy.engine.result import null_result
from sqlalchemy.exc import DBAPIError
from sqlalchemy.inspection import _inspects

from .. import invocation
from ..connection import LENGTH
from ..status import listed

logger = logging.getLogger(__name__)

#: Rows are not counted any further.
MANY = 1_000_000
#: What `--lose` calls that which cannot be judged.
SQL = "sql"
HARMLESS = (
    ops.AddConstraintOp,
    ops.DropConstraintOp,
    ops.CreateIndexOp,
    ops.DropIndexOp,
    ops.CreateTableOp,
    ops.CreateTableCommentOp,
    ops.DropTableCommentOp,
    ops.AddColumnOp,
    ops.BulkInsertOp,
)
# One statement, which drops nothing that has rows, also not in passing, or renames what rows do not
# know of.
HARMLESS_SQL = re.compile(
    r"\s*((CREATE (?!OR REPLACE)|COMMENT ON |DROP (INDEX|TYPE|VIEW|TRIGGER|FUNCTION) )"
    r"(?!.*\bCASCADE\b)[^;]*"
    r"|ALTER (INDEX [^,;]+ RENAME TO|TABLE [^,;]+ RENAME (INDEX|CONSTRAINT)) [^,;]+);?\s*",
    re.IGNORECASE | re.DOTALL,
)

Name = tuple[str | None, str]


@dataclass(frozen=True)
class Consent:
    """The names of what may be lost."""

    names: frozenset[str]
    is_needed: bool
    #: Whether what is lost is of interest to anybody.
    matters: bool = True

    def check(self, downgrades: Sequence[Script], connection: sa.Connection, target: str) -> None:
        """Refuse what is lost and not named, and what is named and not lost."""
        notes = Notes(connection)
        for script in downgrades:
            notes.take(script)
        names = list(dict.fromkeys(notes.losses.values()))
        lost = ", ".join(notes.losses)
        strange = sorted(self.names - notes.dropped)
        if strange and SQL not in notes.dropped:
            raise CommandError(
                f"{strange[0]} is not lost by this downgrade: it loses {lost or 'nothing'}. Nothing was"
                " done: leave that name out, or correct it."
            )
        if self.is_needed and not self.names.issuperset(names):
            raise CommandError(
                f"This downgrade would lose {lost}. Nothing was done. If that is meant, run"
                f" `{invocation.line('downgrade', target, lose=names)}`."
            )
        if lost and self.matters:
            logger.warning("This downgrade loses %s.", lost)


class Looking(MockConnection):
    """In place of the connection: of statements there is a note, and no row."""

    def __init__(self, connection: sa.Connection, note: Callable[..., None]) -> None:
        super().__init__(connection.dialect, note)
        self.real = connection

    def execute(self, *arguments: Any, **options: Any) -> Result[Any]:
        super().execute(*arguments, **options)
        return null_result()


@_inspects(Looking)
def _inspect(looking: Looking) -> sa.Inspector:
    """For `sa.inspect`, and whatever else reflects."""
    return sa.inspect(looking.real)


class Notes:
    """Of what downgrades drop."""

    def __init__(self, connection: sa.Connection) -> None:
        #: The names of all that is dropped, also if an interrupted run has done so already.
        self.dropped: set[str] = set()
        #: The names of what is there and has neither rows nor values.
        self.empty: set[str] = set()
        self._losses: dict[str, str] = {}
        # In words; each is there once.
        self._unjudged: dict[str, None] = {}
        self._connection = connection
        self._inspector = sa.inspect(connection)
        # Judged when the function has ended: this reads, and so may the function.
        self._noted: list[Callable[[], None]] = []
        self._has_changes = False
        # What is renamed before it is dropped, by its new name.
        self._tables: dict[Name, Name] = {}
        self._columns: dict[tuple[Name, str], str] = {}

    @property
    def losses(self) -> dict[str, str]:
        """What is there and would be lost, in words, with the name of each."""
        if not self._unjudged:
            return self._losses
        return self._losses | {f"what cannot be told beforehand: {listed([*self._unjudged])}": SQL}

    def take(self, script: Script) -> None:
        unknown = partial(self._cannot_judge, f"what {script.revision} makes of what it reads")

        def see_read(*_: Any) -> None:
            # Nothing was really changed, so it reads what will not be there any more.
            if self._has_changes:
                self._noted.append(unknown)

        event.listen(self._connection, "before_cursor_execute", see_read)
        try:
            with self._operations():
                script.module.downgrade()
        except NotImplementedError:
            pass  # There is no way back, as the migration will say itself.
        except Exception:  # noqa: BLE001
            self._noted.append(unknown)
        finally:
            event.remove(self._connection, "before_cursor_execute", see_read)
        for judge in self._noted:
            judge()
        self._noted.clear()

    @contextmanager
    def _operations(self) -> Iterator[None]:
        """For the functions of migrations."""
        context = MigrationContext.configure(
            dialect=self._connection.dialect, opts={"as_sql": True}
        )
        vars(context.impl).update(static_output=self._note_sql)
        looking = Looking(self._connection, lambda statement, _: context.impl.execute(statement))
        # Those of the migrations themselves, where another process has moved the database meanwhile.
        others: Any = vars(op).get("_proxy")
        try:
            with Operations.context(context) as operations:
                vars(operations).update(
                    get_bind=lambda: looking,
                    invoke=partial(self._note, context),
                    batch_alter_table=partial(self._batch, context),
                )
                yield
        finally:
            if others:
                others._install_proxy()

    @contextmanager
    def _batch(
        self,
        context: MigrationContext,
        table_name: str,
        schema: str | None = None,
        recreate: str = "auto",
        **options: Any,
    ) -> Iterator[BatchOperations]:
        batch: Any = SimpleNamespace(table_name=table_name, schema=schema)
        operations = BatchOperations(context, impl=batch)
        vars(operations).update(invoke=partial(self._note, context))
        names = options.get("reflect_kwargs", {}).get("include_columns")
        if (copied := options.get("copy_from")) is not None:
            names = [column.name for column in copied.columns]
        makes_anew = {"always", "auto"} if context.dialect.name == "sqlite" else {"always"}
        if names is not None and recreate in makes_anew:
            self._add(partial(self._keep_only, schema, table_name, names))
        yield operations

    def _add(self, judge: Callable[[], None]) -> None:
        self._has_changes = True
        self._noted.append(judge)

    def _note(self, context: MigrationContext, operation: MigrateOperation) -> Any:
        """In place of `Operations.invoke`."""
        self._add(partial(self._judge, operation))
        return operation.to_table(context) if isinstance(operation, ops.CreateTableOp) else None

    def _note_sql(self, text: str) -> None:
        """In place of the output."""
        statement = text.removesuffix(";")
        if statement not in {"BEGIN", "COMMIT"}:
            self._add(partial(self._take_sql, statement))

    def _judge(self, operation: MigrateOperation) -> None:
        match operation:
            case ops.DropTableOp():
                self._drop_table(self._table(operation.schema, operation.table_name))
            case ops.DropColumnOp():
                table = self._table(operation.schema, operation.table_name)
                self._drop_column(table, operation.column_name)
            case ops.RenameTableOp():
                table = self._table(operation.schema, operation.table_name)
                self._tables[operation.schema, operation.new_table_name] = table
            case ops.AlterColumnOp():
                table = self._table(operation.schema, operation.table_name)
                if operation.modify_name:
                    old = self._column(table, operation.column_name)
                    self._columns[table, operation.modify_name] = old
            case ops.ExecuteSQLOp():
                self._take_sql(str(operation.sqltext))
            case _ if not isinstance(operation, HARMLESS):
                self._cannot_judge(type(operation).__name__)

    def _keep_only(self, schema: str | None, name: str, kept: Collection[str]) -> None:
        table = self._table(schema, name)
        old_names = {self._column(table, column).casefold() for column in kept}
        for column in self._column_names(table) if self._is_there(table) else []:
            if column.casefold() not in old_names:
                self._drop_column(table, column)

    def _table(self, schema: str | None, name: str) -> Name:
        return self._tables.get((schema, name), (schema, name))

    def _column(self, table: Name, name: str) -> str:
        return self._columns.get((table, name), name)

    def _drop_table(self, table: Name) -> None:
        name = _dotted(table)
        self.dropped.add(name)
        if self._is_there(table):
            self._lose(f"the table {name}", name, "row", sa.select(1).select_from(_as_table(table)))

    def _drop_column(self, table: Name, new_name: str) -> None:
        column = self._column(table, new_name)
        name = f"{_dotted(table)}.{column}"
        self.dropped.add(name)
        if self._is_there(table) and column in self._column_names(table):
            has_value = sa.column(column).is_not(None)
            values = sa.select(1).select_from(_as_table(table)).where(has_value)
            self._lose(f"the column {name}", name, "value", values)

    def _take_sql(self, statement: str) -> None:
        if not HARMLESS_SQL.fullmatch(statement):
            self._cannot_judge(f"`{shorten(statement, LENGTH)}`")

    def _cannot_judge(self, what: str) -> None:
        self.dropped.add(SQL)
        self._unjudged[what] = None

    def _is_there(self, table: Name) -> bool:
        schema, name = table
        return self._inspector.has_table(name, schema=schema)

    def _column_names(self, table: Name) -> set[str]:
        schema, name = table
        return {column["name"] for column in self._inspector.get_columns(name, schema=schema)}

    def _lose(self, what: str, name: str, unit: str, query: sa.Select[Any]) -> None:
        count = self._count(query)
        if count == 0:
            self.empty.add(name)
        self._losses[f"{what} ({_amount(count, unit)})"] = name

    def _count(self, query: sa.Select[Any]) -> int | None:
        limited = query.limit(MANY + 1).subquery()
        try:
            with self._connection.begin_nested():
                return self._connection.scalar(sa.select(sa.func.count()).select_from(limited))
        except DBAPIError:
            return None


def _amount(count: int | None, unit: str) -> str:
    if count is None:
        return f"{unit}s not counted"
    if count > MANY:
        return f"more than {MANY} {unit}s"
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _dotted(table: Name) -> str:
    return ".".join(filter(None, table))


def _as_table(table: Name) -> sa.TableClause:
    schema, name = table
    return sa.table(name, schema=schema)
