"""What Alembic does not write of a difference, written where it is simple."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from alembic.operations.ops import (
    AddColumnOp,
    AddConstraintOp,
    AlterColumnOp,
    CreateCheckConstraintOp,
    CreateIndexOp,
    CreateTableOp,
    DropColumnOp,
    DropConstraintOp,
    DropIndexOp,
    MigrateOperation,
    ModifyTableOps,
    UpgradeOps,
)
from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Constraint,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    text,
)
from sqlalchemy.sql.naming import conv
from sqlalchemy.types import NullType

from ..schema import reflections
from ..schema.snapshot import Facts, Thing, qualified
from .parts import Part, changes, changes_of_columns, in_table, reversible

EXPRESSION = re.compile(r"GENERATED ALWAYS AS \((.*)\)[^)]*$")


@dataclass
class Completion:
    """By what the database has now, and what the models would make."""

    connection: Connection
    models: Mapping[str, Table]
    found: Facts
    wanted: Facts
    _reflected: dict[str, Table] = field(default_factory=dict)

    def part(self, thing: Thing) -> Part | None:
        if thing.table not in self.models:
            return None
        old, new = self.reflect(thing.table), self.models[thing.table]
        counter = new.autoincrement_column
        match thing.kind:
            case "column" if counter is not None and counter.name == thing.name:
                return None  # It numbers the rows if it is made as the key.
            case "column" if thing.name in new.columns:
                found = self.found.get(thing, "")
                return _column(old.columns[thing.name], new.columns[thing.name], found)
            case "primary key":
                return _constraint(new, old.primary_key, new.primary_key)
            case "index":
                return _index(old, new, thing.name)
            case "check" | "unique constraint" | "foreign key":
                return self.constraint(thing.table, thing.name, thing.name)
        return None

    def recompute(self, operations: UpgradeOps, unlike: Sequence[Thing]) -> None:
        """Where a column goes, what is computed otherwise from now on goes before, and comes back."""
        for each in operations.ops:
            if isinstance(each, ModifyTableOps) and _drops_column(each):
                place = qualified(each.table_name, each.schema)
                here = [thing for thing in unlike if thing.table == place]
                parts = [self.part(thing) for thing in here if self._is_computed(thing)]
                each.ops = [*each.ops, *(op for part in parts if part for op in changes(part.up))]

    def _is_computed(self, thing: Thing) -> bool:
        """In the database, and by the models."""
        tables = (self.reflect(thing.table), self.models[thing.table])
        columns = (table.columns.get(thing.name) for table in tables)
        is_computed = all(column is not None and column.computed for column in columns)
        return thing.kind == "column" and is_computed

    def constraint(self, table: str, old: str, new: str) -> Part | None:
        """In the place of the one that has the old name, if there is one."""
        model = self.models[table]
        return _constraint(model, _named(self.reflect(table), old), _named(model, new))

    def restore(self, operations: list[MigrateOperation]) -> None:
        """What was taken away comes back as the database has it now, and not as Alembic sees it."""
        operations += list(self._unseen_indexes(operations))
        for change in changes(operations):
            match change:
                case CreateTableOp():
                    self._restore_table(change)
                case AddColumnOp():
                    table = self.reflect(qualified(change.table_name, change.schema))
                    change.column = table.columns[change.column.name]
                case CreateCheckConstraintOp():
                    change.condition = reflections.as_written(str(change.condition))
                case CreateIndexOp():
                    self._restore_index(change)

    def _unseen_indexes(self, operations: Sequence[MigrateOperation]) -> Iterator[ModifyTableOps]:
        """Of tables that come back: SQLAlchemy reflects none on an expression from SQLite."""
        known = {
            (change.schema, change.index_name)
            for change in changes(operations)
            if isinstance(change, CreateIndexOp)
        }
        for each in operations:
            if isinstance(each, CreateTableOp):
                table = self.reflect(qualified(each.table_name, each.schema))
                left = [index for index in table.indexes if (table.schema, index.name) not in known]
                if left:
                    creating = [CreateIndexOp.from_index(index) for index in left]
                    yield ModifyTableOps(table.name, creating, schema=table.schema)

    def _restore_table(self, change: CreateTableOp) -> None:
        change.kw |= reflections.options(self.connection, change.to_table())
        table = self.reflect(qualified(change.table_name, change.schema))
        for item in change.columns:
            if isinstance(item, Column):
                found = table.columns[item.name].type
                item.type = found if getattr(found, "collation", None) else item.type
            elif isinstance(item, CheckConstraint):
                item.sqltext = text(reflections.as_written(str(item.sqltext)))

    def _restore_index(self, change: CreateIndexOp) -> None:
        change.kw |= {
            key: text(reflections.as_written(value))
            for key, value in change.kw.items()
            if key.endswith("_where") and isinstance(value, str)
        }
        # SQLAlchemy reflects no expressions from MySQL, and from most no DESC.
        table = self.reflect(qualified(str(change.table_name), change.schema))
        [index] = (each for each in table.indexes if each.name == change.index_name)
        change.columns = list(index.expressions)

    def name_types(self, operations: Sequence[MigrateOperation]) -> None:
        """By the models: SQLAlchemy reflects none that only an extension has."""
        for change in changes_of_columns(operations):
            model = self.models.get(qualified(change.table_name, change.schema))
            if model is not None and isinstance(change.existing_type, NullType):
                change.existing_type = model.columns[change.column_name].type

    def drop(self, thing: Thing) -> Part:
        """What SQLAlchemy does not reflect, or not as it is, or what is in the way."""
        table = self.reflect(thing.table)
        match thing.kind:
            case "check":
                dropped: MigrateOperation = self.drop_check(thing)
            case "column":
                column = table.columns[thing.name]
                dropped = DropColumnOp.from_column_and_tablename(table.schema, table.name, column)
            case _:
                [index] = (each for each in table.indexes if each.name == thing.name)
                dropped = DropIndexOp.from_index(index)
        return reversible(UpgradeOps([dropped]))

    def anew(self, key: Thing) -> tuple[DropConstraintOp, MigrateOperation]:
        """Dropped, and added as it is."""
        found = _named(self.reflect(key.table), key.name)
        assert found is not None  # noqa: S101
        return DropConstraintOp.from_constraint(found), AddConstraintOp.from_constraint(found)

    def drop_check(self, check: Thing) -> DropConstraintOp:
        [found] = (
            each for each in self.reflect(check.table).constraints if each.name == check.name
        )
        return DropConstraintOp.from_constraint(found)

    def reflect(self, name: str) -> Table:
        """Its names are whole: no naming convention is to complete them."""
        if name not in self._reflected:
            schema, _, plain = name.rpartition(".")
            metadata = MetaData()
            table = Table(plain, metadata, schema=schema or None, autoload_with=self.connection)
            reflections.complete(self.connection, metadata)
            items: list[Constraint | Index] = [*table.constraints, *table.indexes]
            for item in items:
                item.name = conv(str(item.name)) if item.name else None
            self._reflected[name] = table
        return self._reflected[name]


def indexes_dropped(operations: Sequence[MigrateOperation]) -> set[Thing]:
    return {
        Thing(qualified(str(each.table_name), each.schema), "index", str(each.index_name))
        for each in changes(operations)
        if isinstance(each, DropIndexOp)
    }


def _drops_column(changed: ModifyTableOps) -> bool:
    return any(isinstance(change, DropColumnOp) for change in changed.ops)


def _named(table: Table, name: str) -> Constraint | None:
    of_columns = (each for column in table.columns for each in column.constraints)
    constraints = chain(table.constraints, of_columns)
    return next((each for each in constraints if each.name == name), None)


def _constraint(table: Table, old: Constraint | None, new: Constraint | None) -> Part | None:
    """MySQL knows no names of primary keys; there is one, so any will do."""
    if new is None:
        return None
    operations: list[MigrateOperation] = []
    if old is not None and not _is_empty_key(old):
        old.name = old.name or new.name
        operations.append(DropConstraintOp.from_constraint(old))
    operations.append(AddConstraintOp.from_constraint(new))
    return in_table(table, *operations)


def _is_empty_key(constraint: Constraint) -> bool:
    return isinstance(constraint, PrimaryKeyConstraint) and not constraint.columns


def _index(old: Table, new: Table, name: str) -> Part | None:
    before = next((each for each in old.indexes if each.name == name), None)
    after = next((each for each in new.indexes if each.name == name), None)
    if after is None:
        return None
    dropped = [DropIndexOp.from_index(before)] if before is not None else []
    return in_table(old, *dropped, CreateIndexOp.from_index(after))


def _column(old: Column[Any], new: Column[Any], found: str) -> Part:
    table = old.table
    if old.computed is not None and new.computed is not None:
        expression = EXPRESSION.search(found)
        if expression:  # SQLAlchemy 2.1.9 does not read it right from SQLite.
            old.computed.sqltext = text(expression[1])
        return in_table(
            table,
            *(DropIndexOp.from_index(index) for index in _indexes(old)),
            DropColumnOp.from_column_and_tablename(table.schema, table.name, old),
            AddColumnOp.from_column_and_tablename(table.schema, table.name, new),
            *(CreateIndexOp.from_index(index) for index in _indexes(new)),
        )
    change = AlterColumnOp(
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
    return [index for index in column.table.indexes if column.name in index.columns]
