"""What a downgrade would lose, which in production somebody must have named.

The functions of the migrations are called with operations that only note what they are told. What
they do to the database in another way cannot be judged, and must be consented to as well.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import StringIO
from textwrap import shorten
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from alembic.operations import BatchOperations, MigrateOperation, Operations, ops
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from .. import invocation
from ..connection import LENGTH

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
    ops.CreateTableCommentOp,
    ops.DropTableCommentOp,
    ops.AddColumnOp,
    ops.BulkInsertOp,
)
# One statement, which drops nothing that has rows, also not in passing.
HARMLESS_SQL = re.compile(
    r"\s*(CREATE (?!OR REPLACE)|COMMENT ON |DROP (INDEX|TYPE|VIEW|TRIGGER|FUNCTION) )"
    r"(?!.*\bCASCADE\b)[^;]*;?\s*",
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
        for name in sorted(self.names - notes.dropped):
            raise CommandError(
                f"{name} is not lost by this downgrade: it loses {lost or 'nothing'}. Nothing was"
                " done: leave that name out, or correct it."
            )
        if self.is_needed and not self.names.issuperset(names):
            raise CommandError(
                f"This downgrade would lose {lost}. Nothing was done. If that is meant, run"
                f" `{invocation.line('downgrade', target, lose=names)}`."
            )
        if lost and self.matters:
            logger.warning("This downgrade loses %s.", lost)


class Notes:
    """Of what downgrades drop."""

    def __init__(self, connection: sa.Connection) -> None:
        #: What is there and would be lost, in words, with the name of each.
        self.losses: dict[str, str] = {}
        #: The names of all that is dropped, also if an interrupted run has done so already.
        self.dropped: set[str] = set()
        #: The names of what is there and has neither rows nor values.
        self.empty: set[str] = set()
        self._connection = connection
        self._inspector = sa.inspect(connection)
        # What is renamed before it is dropped, by its new name.
        self._tables: dict[Name, Name] = {}
        self._columns: dict[tuple[Name, str], str] = {}

    def take(self, script: Script) -> None:
        written = StringIO()
        context = MigrationContext.configure(
            dialect=self._connection.dialect, opts={"as_sql": True, "output_buffer": written}
        )
        with Operations.context(context) as operations:
            vars(operations).update(
                invoke=partial(self._note, context), batch_alter_table=partial(self._batch, context)
            )
            try:
                script.module.downgrade()
            except NotImplementedError:
                pass  # There is no way back, as the migration will say itself.
            except Exception:  # noqa: BLE001
                self._cannot_judge(f"what {script.revision} makes of what it reads")
        for statement in written.getvalue().split(";\n"):
            if statement.strip() not in {"", "BEGIN", "COMMIT"}:
                self._take_sql(statement)

    @contextmanager
    def _batch(
        self, context: MigrationContext, table_name: str, schema: str | None = None, **_: Any
    ) -> Iterator[BatchOperations]:
        batch: Any = SimpleNamespace(table_name=table_name, schema=schema)
        operations = BatchOperations(context, impl=batch)
        vars(operations).update(invoke=partial(self._note, context))
        yield operations

    def _note(self, context: MigrationContext, operation: MigrateOperation) -> Any:
        """In place of `Operations.invoke`."""
        match operation:
            case ops.CreateTableOp():
                return operation.to_table(context)
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
        return None

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
        self.losses[f"what cannot be told beforehand: {what}"] = SQL

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
        self.losses[f"{what} ({_amount(count, unit)})"] = name

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
