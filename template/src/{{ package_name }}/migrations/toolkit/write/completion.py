"""What Alembic does not write of a difference, written where it is simple."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alembic.operations import MigrateOperation, ops
from sqlalchemy import Column, Connection, Index, MetaData, Table, event
from sqlalchemy.types import NullType

from ..schema import reflections
from ..schema.snapshot import Facts, Thing
from .items import Item, adding, creating, dropping, item_of, keep_names, table_of, thing_of
from .parts import Part, changes, changes_of_columns, in_table, reversible, take_out


@dataclass
class Completion:
    """By what the database has now, and what the models would make."""

    connection: Connection
    #: Alembic's, for a column that is reflected.
    correct: Callable[..., None]
    models: Mapping[str, Table]
    found: Facts
    wanted: Facts
    _reflected: dict[str, Table] = field(default_factory=dict)

    def part(self, thing: Thing, before: Thing | None = None) -> Part | None:
        """What makes it, in the place of the one before, which by default has the same name."""
        model = self.models.get(thing.table)
        new = None if model is None else item_of(model, thing)
        if model is None or new is None:
            return None
        old = self.item(before or thing)
        if isinstance(new, Column):
            # One that counts up has to be made as the key.
            is_counter = new is model.autoincrement_column
            return _column(old, new) if isinstance(old, Column) and not is_counter else None
        gone = []
        if old is not None:
            # MySQL knows no names of primary keys; there is one, so any will do.
            old.name = old.name or new.name
            gone.append(dropping(old))
        return in_table(model, *gone, adding(new))

    def recompute(self, operations: ops.UpgradeOps, unlike: Sequence[Thing]) -> None:
        """Where a column goes, what is computed otherwise from now on goes before, and comes back."""
        for each in operations.ops:
            if isinstance(each, ops.ModifyTableOps) and _drops_column(each):
                here = [thing for thing in unlike if thing.table == table_of(each)]
                parts = [self.part(thing) for thing in here if self._is_computed(thing)]
                each.ops = [*each.ops, *(op for part in parts if part for op in changes(part.up))]

    def _is_computed(self, thing: Thing) -> bool:
        """In the database, and by the models."""
        both = (self.item(thing), item_of(self.models[thing.table], thing))
        return all(isinstance(each, Column) and each.computed for each in both)

    def restore(self, operations: list[MigrateOperation]) -> None:
        """What was taken away comes back as the database has it now, and not as Alembic sees it."""
        tables = {table_of(each) for each in operations if isinstance(each, ops.CreateTableOp)}
        take_out(
            operations,
            lambda change: isinstance(change, ops.CreateIndexOp) and table_of(change) in tables,
        )
        operations[:] = [made for each in operations for made in self._made_again(each)]

    def _made_again(self, operation: MigrateOperation) -> Iterable[MigrateOperation]:
        match operation:
            case ops.CreateTableOp():
                return creating(self.reflect(table_of(operation)), self.connection)
            case ops.ModifyTableOps():
                operation.ops = [made for each in operation.ops for made in self._made_again(each)]
            case ops.AddColumnOp() | ops.AddConstraintOp() | ops.CreateIndexOp():
                thing = thing_of(operation)
                item = thing and self.item(thing)
                return [operation if item is None else adding(item)]
        return [operation]

    def name_types(self, operations: Sequence[MigrateOperation]) -> None:
        """By the models: SQLAlchemy reflects none that only an extension has."""
        for change in changes_of_columns(operations):
            model = self.models.get(table_of(change))
            if model is not None and isinstance(change.existing_type, NullType):
                change.existing_type = model.columns[change.column_name].type

    def drop(self, thing: Thing) -> Part:
        """What SQLAlchemy does not reflect, or not as it is, or what is in the way."""
        item = self.item(thing)
        return reversible(ops.UpgradeOps([] if item is None else [dropping(item)]))

    def item(self, thing: Thing) -> Item | None:
        """As the database has it."""
        return item_of(self.reflect(thing.table), thing)

    def reflect(self, name: str) -> Table:
        """Its names are whole: no naming convention is to complete them."""
        if name not in self._reflected:
            schema, _, plain = name.rpartition(".")
            metadata = MetaData()
            event.listen(metadata, "column_reflect", self.correct)
            table = Table(plain, metadata, schema=schema or None, autoload_with=self.connection)
            reflections.complete(self.connection, metadata)
            keep_names(table)
            self._reflected[name] = table
        return self._reflected[name]


def _drops_column(changed: ops.ModifyTableOps) -> bool:
    return any(isinstance(change, ops.DropColumnOp) for change in changed.ops)


def _column(old: Column[Any], new: Column[Any]) -> Part:
    table = old.table
    if old.computed is not None and new.computed is not None:
        gone: list[Item] = [*_indexes(old), old]
        made: list[Item] = [new, *_indexes(new)]
        return in_table(table, *map(dropping, gone), *map(adding, made))
    change = ops.AlterColumnOp(
        table.name,
        old.name,
        schema=table.schema,
        existing_type=reflections.collated(old.type),
        existing_nullable=old.nullable,
        existing_server_default=old.server_default or False,
        existing_comment=old.comment,
        modify_type=reflections.collated(new.type),
    )
    return in_table(table, change)


def _indexes(column: Column[Any]) -> list[Index]:
    """They go with it."""
    found = (index for index in column.table.indexes if column.name in index.columns)
    return sorted(found, key=lambda index: str(index.name))
