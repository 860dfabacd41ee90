"""What Alembic does not write of a difference, written where it is simple."""

import re
from collections.abc import Iterator, Sequence
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
    ExecuteSQLOp,
    MigrateOperation,
    ModifyTableOps,
    RenameTableOp,
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

from ..schema import reflections
from ..schema.snapshot import Thing, qualified
from .parts import Part, changes, in_table, quoted, quoted_word, reversible

EXPRESSION = re.compile(r"GENERATED ALWAYS AS \((.*)\)[^)]*$")
VALUES = re.compile(r"E?'(?:[^']|'')*'")


class Completion:
    """By what the database has, and what the models say."""

    def __init__(self, connection: Connection, tables: dict[str, Table]) -> None:
        self._connection = connection
        self._models = tables
        self._reflected: dict[str, Table] = {}

    def part(self, thing: Thing, found: str | None, wanted: str) -> Part | None:
        if thing.kind == "type":
            return _more_values(quoted(thing.name, self._connection.dialect), found or "", wanted)
        if thing.table not in self._models:
            return None
        old, new = self._reflect(thing.table), self._models[thing.table]
        match thing.kind:
            case "column":
                return _column(old.columns[thing.name], new.columns[thing.name], found or "")
            case "primary key":
                return _constraint(new, old.primary_key, new.primary_key)
            case "index":
                return _index(old, new, thing.name)
            case "exclusion":
                return self._exclusion(thing, found, wanted)
            case "check" | "unique constraint" | "foreign key":
                return _constraint(new, _named(old, thing.name), _named(new, thing.name))
        return None

    def restore(self, operations: list[MigrateOperation]) -> None:
        """What was taken away comes back as the database has it now, and not as Alembic sees it."""
        operations += list(self._unseen_indexes(operations))
        for change in changes(operations):
            match change:
                case CreateTableOp():
                    self._restore_table(change)
                case AddColumnOp():
                    table = self._reflect(qualified(change.table_name, change.schema))
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
                table = self._reflect(qualified(each.table_name, each.schema))
                left = [index for index in table.indexes if (table.schema, index.name) not in known]
                if left:
                    creating = [CreateIndexOp.from_index(index) for index in left]
                    yield ModifyTableOps(table.name, creating, schema=table.schema)

    def _restore_table(self, change: CreateTableOp) -> None:
        change.kw |= reflections.options(self._connection, change.to_table())
        table = self._reflect(qualified(change.table_name, change.schema))
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
        table = self._reflect(qualified(str(change.table_name), change.schema))
        [index] = (each for each in table.indexes if each.name == change.index_name)
        change.columns = list(index.expressions)

    def drop(self, thing: Thing, found: str) -> Part:
        """What `Judge.unseen` has found."""
        if thing.kind == "exclusion":
            drop, add = self._exclude(thing, found)
            return Part([drop], [add])
        [index] = (each for each in self._reflect(thing.table).indexes if each.name == thing.name)
        return reversible(UpgradeOps([DropIndexOp.from_index(index)]))

    def rename_reference(self, old: Thing, new: Thing) -> Part:
        """Made anew, since no server of MySQL's kind can give it a name."""
        table, model = self._reflect(old.table), self._models[old.table]
        return _constraint(model, _named(table, old.name), _named(model, new.name)) or Part()

    def rename_key(self, renamed: RenameTableOp) -> Part:
        """As the models call it."""
        place = qualified(renamed.new_table_name, renamed.schema)
        key = self._reflect(qualified(renamed.table_name, renamed.schema)).primary_key
        names = (key.name, self._models[place].primary_key.name)
        if None in names or names[0] == names[1]:
            return Part()
        old, new = (quoted_word(str(name), self._connection.dialect) for name in names)
        rename = (
            f"ALTER TABLE {quoted(place, self._connection.dialect)} RENAME CONSTRAINT {{}} TO {{}}"
        )
        return Part(
            [ExecuteSQLOp(rename.format(old, new))], [ExecuteSQLOp(rename.format(new, old))]
        )

    def drop_check(self, check: Thing) -> DropConstraintOp:
        [found] = (
            each for each in self._reflect(check.table).constraints if each.name == check.name
        )
        return DropConstraintOp.from_constraint(found)

    def _exclusion(self, thing: Thing, found: str | None, wanted: str) -> Part:
        drop, add = self._exclude(thing, wanted)
        if found is None:
            return Part([add], [drop])
        drop, add_old = self._exclude(thing, found)
        return Part([drop, add], [drop, add_old])

    def _exclude(self, thing: Thing, definition: str) -> tuple[ExecuteSQLOp, ExecuteSQLOp]:
        """SQLAlchemy reflects none, and PostgreSQL tells all of it."""
        dialect = self._connection.dialect
        table, name = quoted(thing.table, dialect), quoted_word(thing.name, dialect)
        return (
            ExecuteSQLOp(f"ALTER TABLE {table} DROP CONSTRAINT {name}"),
            ExecuteSQLOp(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"),
        )

    def _reflect(self, name: str) -> Table:
        """Its names are whole: no naming convention is to complete them."""
        if name not in self._reflected:
            schema, _, plain = name.rpartition(".")
            metadata = MetaData()
            table = Table(plain, metadata, schema=schema or None, autoload_with=self._connection)
            reflections.complete(self._connection, metadata)
            items: list[Constraint | Index] = [*table.constraints, *table.indexes]
            for item in items:
                item.name = conv(str(item.name)) if item.name else None
            self._reflected[name] = table
        return self._reflected[name]


def _named(table: Table, name: str) -> Constraint | None:
    return next((each for each in table.constraints if each.name == name), None)


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


def _more_values(name: str, found: str, wanted: str) -> Part | None:
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
