"""Batch operations that lose nothing.

SQLite changes little of a table in place. Alembic makes it anew, from what SQLAlchemy's reflection
sees of it, and that is not all. Here the new table is completed before it is made, its indexes and
triggers come back by their own text, and what would be lost nevertheless is refused.
"""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import copy
from functools import partial
from typing import Any, cast

from alembic.ddl import sqlite
from alembic.operations import Operations
from alembic.operations.batch import ApplyBatchImpl, BatchOperationsImpl
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Date,
    DateTime,
    DefaultClause,
    Dialect,
    Index,
    Interval,
    NullPool,
    Table,
    TextClause,
    Time,
    create_engine,
    literal_column,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.types import NullType, TypeEngine, UserDefinedType

from ..schema.omissions import without_warnings
from .rehearsal import AUTOINCREMENT, Description, Item, describe, faults, names, quote

logger = logging.getLogger("alembic.runtime.migration")

Columns = dict[str, Column[Any]]

SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"
SPELLED = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE"
GET_NUMBER = "SELECT seq FROM sqlite_sequence WHERE name = ?"
SET_NUMBER = "UPDATE sqlite_sequence SET seq = ? WHERE name = ?"
CASCADES = """
    SELECT m.name FROM pragma_foreign_keys k, sqlite_master m, pragma_foreign_key_list(m.name) f
    WHERE k.foreign_keys AND m.type = 'table' AND f.[table] = ? COLLATE NOCASE
"""
# What Alembic does not carry over to an index on the new name of a column.
NOT_PLAIN = {"where", "desc", "collate"}
REHEARSAL = "rehearsal"
WITHOUT = "Drop in the same operation what names it."
WHOLE = "Give it the whole table: op.batch_alter_table(..., copy_from=sa.Table(...))."


@contextmanager
def _rehearsal() -> Iterator[tuple[Connection, Operations]]:
    engine = create_engine("sqlite://", poolclass=NullPool)
    with engine.connect() as connection, without_warnings():
        connection.info[REHEARSAL] = True
        # Alembic announces each context.
        was_disabled, logger.disabled = logger.disabled, True
        try:
            yield connection, Operations(MigrationContext.configure(connection))
        finally:
            logger.disabled = was_disabled


class SQLiteImpl(sqlite.SQLiteImpl):
    """Alembic takes the class that was last defined for a dialect."""

    __dialect__ = "sqlite"

    _new_table: "NewTable | None" = None

    def __init__(self, dialect: Dialect, *arguments: Any) -> None:
        super().__init__(dialect, *arguments)
        vars(dialect).update(get_pk_constraint=partial(_primary_key, dialect))

    def requires_recreate_in_batch(self, batch_op: BatchOperationsImpl) -> bool:
        """SQLite renames columns in place, also where others name them."""
        # A foreign key may refer to a table that is not there.
        batch_op.reflect_kwargs.setdefault("resolve_fks", False)
        others = copy(batch_op)
        others.batch = [operation for operation in batch_op.batch if not _renames(*operation)]
        return super().requires_recreate_in_batch(others)

    def cast_for_batch_migrate(
        self, existing: Column[Any], existing_transfer: dict[str, Any], new_type: TypeEngine[Any]
    ) -> None:
        """A date stays the text that it is: cast to a moment, SQLite makes a number of its year."""
        if not isinstance(new_type, Date | DateTime | Time | Interval):
            super().cast_for_batch_migrate(existing, existing_transfer, new_type)

    def prep_table_for_batch(self, batch_impl: ApplyBatchImpl, table: Table) -> None:
        if self.connection is None or self.as_sql or table.schema not in (None, "main"):
            return
        self._new_table = NewTable(self.connection, batch_impl)
        self._new_table.complete()
        if REHEARSAL not in self.connection.info:
            self._new_table.check()

    def rename_table(self, old_table_name: str, new_table_name: str, schema: Any = None) -> None:
        """In a batch operation, this puts the new table in its place."""
        if self._new_table is None or self.connection is None:
            super().rename_table(old_table_name, new_table_name, schema)
            return
        # Views and triggers of other tables name the table, which is not there just now.
        self.connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")
        try:
            super().rename_table(old_table_name, new_table_name, schema)
        finally:
            self.connection.exec_driver_sql("PRAGMA legacy_alter_table = OFF")
        self._new_table.finish()
        self._new_table = None


def _primary_key(
    dialect: Dialect, connection: Connection, table_name: str, *arguments: Any, **options: Any
) -> Any:
    """Of the table that a foreign key means, which may spell it with other capitals."""
    name = connection.exec_driver_sql(SPELLED, (table_name,)).scalar() or table_name
    return type(dialect).get_pk_constraint(dialect, connection, name, *arguments, **options)


def _renames(operation: str, _: Any, options: dict[str, Any]) -> bool:
    """Whether it gives a column another name, and does nothing else."""
    return (
        operation == "alter_column"
        and options["name"] is not None
        and options["nullable"] is options["type_"] is options.get("autoincrement") is None
        and options["server_default"] is options["comment"] is False
    )


class BatchError(SQLAlchemyError, CommandError):
    """A batch operation is refused, as by the database: said with the migration and its line."""


class Declared(UserDefinedType[Any]):
    """A type as it was written."""

    cache_ok = True

    def __init__(self, text: str) -> None:
        self.text = text

    def get_col_spec(self, **_: Any) -> str:
        return self.text


class NewTable:
    """What a batch operation is about to put in the place of a table."""

    def __init__(self, connection: Connection, batch: ApplyBatchImpl) -> None:
        self._connection = connection
        self._batch = batch
        self._name = str(batch.table.name)
        self._reflected, self._table = batch.table, cast(Table, batch.new_table)
        #: The columns that stay, by their old names.
        self._kept: Columns = {
            name: batch.columns[name]
            for name, transfer in batch.column_transfers.items()
            if "expr" in transfer
        }
        self._schema = [Item(*row) for row in connection.exec_driver_sql(SCHEMA)]
        self._item = next(item for item in self._schema if self._is_table(item))
        self._old = self._describe(self._item.sql, WHOLE)

    def _is_table(self, item: Item) -> bool:
        return item.kind == "table" and item.name.casefold() == self._name.casefold()

    def complete(self) -> None:
        """Give it what reflection does not see."""
        # With copy_from the migration says itself what the table is.
        if self._batch.reflected:
            self._keep_checks()
            for name, column in self._kept.items():
                self._complete_column(column, self._reflected.c[name])
            keys = list(self._table.primary_key.columns)
            if AUTOINCREMENT in self._old.parts and len(keys) == 1 and keys[0].key in self._kept:
                self._table.dialect_options["sqlite"]["autoincrement"] = True
        self._leave_out_generated()
        self._computing = self._indexes_on_expressions()
        self._others = self._other_items()
        self._number = self._last_number()

    def check(self) -> None:
        """Refuse what would be lost, or would not work afterwards."""
        self._refuse_cascade()
        self._refuse_emptiness()
        if self._batch.reflected:
            self._refuse_losses()
        self._refuse_faults()

    def finish(self) -> None:
        """Make the rest, once it is in its place."""
        for item in self._others:
            if item.table == self._item.name:
                self._connection.exec_driver_sql(item.sql)
        for index in self._computing:
            self._connection.execute(CreateIndex(index))
        if self._number is not None:
            self._connection.exec_driver_sql(SET_NUMBER, (self._number, self._name))

    def _refuse_cascade(self) -> None:
        child = self._connection.exec_driver_sql(CASCADES, (self._name,)).scalar()
        if child:
            raise self._refusal(
                f"would delete the rows of {child} that refer to it, because foreign keys are on:"
                " say PRAGMA foreign_keys = OFF on the connection before its transaction begins."
            )

    def _refuse_emptiness(self) -> None:
        """Alembic finds nothing to copy then."""
        if not any("expr" in transfer for transfer in self._batch.column_transfers.values()):
            raise self._refusal(
                "would keep no column that has values: add the new columns in one operation, and drop"
                " the old ones in the next; or drop the table, and create it anew."
            )

    def _keep_checks(self) -> None:
        """Alembic leaves out those that have no name; a colon in the others begins no parameter."""
        found = [item for item in self._reflected.constraints if isinstance(item, CheckConstraint)]
        texts = {str(check.sqltext) for check in found}
        for item in self._table.constraints:
            if isinstance(item, CheckConstraint) and str(item.sqltext) in texts:
                item.sqltext = literal_column(str(item.sqltext))
        given = [item for item in self._batch.table_args if isinstance(item, CheckConstraint)]
        known = [str(check.sqltext) for check in given]
        for text in sorted(str(check.sqltext) for check in found if not check.name):
            if text not in known and self._stays(text, is_restated=bool(given)):
                self._table.append_constraint(CheckConstraint(literal_column(text)))

    def _stays(self, check: str, *, is_restated: bool) -> bool:
        columns = {name for name in self._old.columns if name.casefold() in names(check)}
        changed = {name for name in columns if self._is_changed(name)}
        if changed and columns & self._kept.keys() and not is_restated:
            raise self._refusal(
                f"changes {', '.join(sorted(changed))}, and CHECK ({check}) has no name by which"
                " to drop it: say with table_args=[sa.CheckConstraint(...)] what becomes of it."
            )
        return not changed

    def _is_changed(self, name: str) -> bool:
        new, old = self._kept.get(name), self._reflected.c[name]
        return new is None or new.name != old.name or repr(new.type) != repr(old.type)

    def _complete_column(self, new: Column[Any], old: Column[Any]) -> None:
        declared, collation = self._old.columns[old.name]
        given = self._write(new.type)
        if repr(new.type) != repr(old.type):
            declared = given
        if collation != "BINARY" and "COLLATE" not in declared.upper():
            declared += f" COLLATE {quote(collation)}"
        # Other types stay, because SQLAlchemy makes AUTOINCREMENT only of its own INTEGER.
        if not declared or declared.casefold() != given.casefold():
            new.type = Declared(declared)
        default = getattr(old.server_default, "arg", None)
        if default is getattr(new.server_default, "arg", None) and isinstance(default, TextClause):
            # As it is: a colon in it begins no parameter.
            new.server_default = DefaultClause(literal_column(default.text))
        if new.computed is not None and old.name in self._old.expressions:
            new.computed.sqltext = literal_column(self._old.expressions[old.name])

    def _write(self, type_: TypeEngine[Any]) -> str:
        return "" if isinstance(type_, NullType) else type_.compile(self._connection.dialect)

    def _refuse_losses(self) -> None:
        """What neither the new table has nor one that is made without any change."""
        parts = self._old.parts - self._unchanged().parts - self._new().parts
        lost = [part.text for part in parts if self._kept.keys() >= set(part.columns)]
        if lost:
            raise self._refusal(f"would lose {'; '.join(lost)}. {WHOLE}")

    def _unchanged(self) -> Description:
        """Make the table anew in a database of its own, in memory."""
        with _rehearsal() as (connection, operations):
            for item in self._schema:
                # Also tables that it refers to; there are some that SQLite makes itself.
                if item.kind == "table":
                    with suppress(DBAPIError):
                        connection.exec_driver_sql(item.sql)
            try:
                with operations.batch_alter_table(
                    self._item.name, recreate="always", reflect_kwargs={"resolve_fks": False}
                ):
                    pass
            except SQLAlchemyError as error:
                raise self._impossible(error, WHOLE) from None
            items = (Item(*row) for row in connection.exec_driver_sql(SCHEMA))
            return self._describe(next(item.sql for item in items if self._is_table(item)), WHOLE)

    def _new(self) -> Description:
        return self._describe(self._create(), WITHOUT)

    def _create(self) -> str:
        given, self._table.name = self._table.name, self._reflected.name
        try:
            return str(CreateTable(self._table).compile(dialect=self._connection.dialect))
        finally:
            self._table.name = given

    def _describe(self, sql: str, advice: str) -> Description:
        try:
            return describe(self._item.name, sql)
        except sqlite3.Error as error:
            raise self._impossible(error, advice) from None

    def _leave_out_generated(self) -> None:
        """Alembic would copy their values, which SQLite does not take."""
        for name, column in self._kept.items():
            if column.computed is not None:
                del self._batch.column_transfers[name]["expr"]

    def _indexes_on_expressions(self) -> list[Index]:
        """New ones: Alembic 1.20.1 makes those of columns."""
        new = self._batch.new_indexes
        names = [
            name
            for name, index in new.items()
            if not all(isinstance(each, Column) for each in index.expressions)
        ]
        return [new.pop(name) for name in names]

    def _other_items(self) -> list[Item]:
        """What of the schema is to stay as it is written."""
        indexes = self._batch.indexes
        dropped = {str(index.name) for index in self._reflected.indexes} - indexes.keys()
        renamed = {name.casefold() for name, column in self._kept.items() if column.name != name}
        others = []
        for item in self._schema:
            words = names(item.sql)
            is_adapted = item.name in indexes and words & renamed and not words & NOT_PLAIN
            is_gone = item.kind == "index" and (item.name in dropped or is_adapted)
            if item is not self._item and not is_gone:
                indexes.pop(item.name, None)
                others.append(item)
        return others

    def _refuse_faults(self) -> None:
        table = Item("table", self._name, self._name, self._create())
        found = faults([table, *self._others])
        known = faults(self._schema) if found else {}
        new = [fault for attempt, fault in found.items() if attempt not in known]
        if new:
            raise self._refusal(
                f"would leave what does not work any more: {', '.join(new)}. Drop it"
                " earlier in this migration, and make it anew afterwards."
            )

    def _last_number(self) -> int | None:
        """What AUTOINCREMENT has given last, so that none is given again."""
        if AUTOINCREMENT not in self._old.parts or AUTOINCREMENT not in self._new().parts:
            return None
        last = self._connection.exec_driver_sql(GET_NUMBER, (self._item.name,))
        return cast(int | None, last.scalar())

    def _impossible(self, error: Exception, advice: str) -> BatchError:
        reason = getattr(error, "orig", error)
        return self._refusal(f"cannot make the table anew: {reason}. {advice}")

    def _refusal(self, reason: str) -> BatchError:
        return BatchError(f'op.batch_alter_table("{self._name}") {reason}')
