"""Rows made up from what the database says of its tables, so that migrations meet data."""

import re
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import groupby, islice, product
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from alembic.util import CommandError
from sqlalchemy.exc import CircularDependencyError, DBAPIError, SAWarning
from sqlalchemy.schema import sort_tables_and_constraints

from ....driver import reason
from ..history import OWN_TABLES
from ..schema import reflections
from ..schema.definitions import other_schemas
from .server import UNKNOWN, lacks
from .values import NoValueError, value

Row = dict[str, Any]
#: What columns hold that cannot be made up: {"users.age": lambda number: 20 + number}.
Given = Mapping[str, Callable[[int], Any]]

#: How many rows that satisfy a CHECK are looked for.
ATTEMPTS = 500


class Filler:
    """Adds rows to each table that is new, or another one than when it was filled last.

    Two that are alike as far as the table allows it, and one with all the NULLs that it may have:
    what a unique constraint, a NOT NULL or a foreign key that comes later has to cope with.
    """

    def __init__(self, connection: sa.Connection, given: Given) -> None:
        self._connection = connection
        self._given = given
        self._shapes: dict[str, str] = {}
        self._number = 0

    def fill(self) -> list[sa.Table]:
        """Those that have got rows."""
        before, self._shapes = self._shapes, reflections.shapes(self._connection)
        changed = [name for name, shape in self._shapes.items() if before.get(name) != shape]
        with _all_types(self._connection.dialect):
            tables = in_order(reflect(self._connection, only=changed)) if changed else []
        filled = [table for table in tables if table.fullname in changed]
        waiting = filled
        while waiting:
            # Beside a circle, one may come before what it refers to.
            errors = {table: error for table in waiting if (error := self._add_rows(table))}
            if len(errors) == len(waiting):
                raise _not_made_up(*next(iter(errors.items())))
            waiting = list(errors)
        return filled

    def _add_rows(self, table: sa.Table) -> str | None:
        """Why it has none."""
        error = self._insert(table, self._row(table))
        first = self._number
        if error and not has_rows(self._connection, table):
            return error
        self._insert(table, self._row(table, alike=first))
        self._add_nulls(table)
        self._add_choices(table)
        return None

    def _add_nulls(self, table: sa.Table) -> None:
        """In one row, or where a CHECK does not let them meet, in a row each."""
        row = self._row(table)
        nullable = [name for name in row if table.columns[name].nullable]
        if self._insert(table, row | dict.fromkeys(nullable)):
            for name in nullable:
                self._insert(table, self._row(table) | {name: None})

    def _add_choices(self, table: sa.Table) -> None:
        """A row for each value of an enum, also of one that is a CHECK: one day it may go."""
        for column in table.columns:
            if f"{table.fullname}.{column.name}" not in self._given:
                for choice in _choices(column):
                    self._try(table, self._row(table) | {column.name: choice})

    def _row(self, table: sa.Table, alike: int | None = None) -> Row:
        """Values by its number, but outside of keys by that of the row that it is to be like."""
        self._number += 1
        number, alike = self._number, alike or self._number
        distinct = _columns_of_keys(table)
        row = {}
        for column in table.columns:
            if not _is_given_by_server(column):
                is_given = f"{table.fullname}.{column.name}" in self._given
                own = number if is_given or column.name in distinct else alike
                row[column.name] = self._value(table, column, own)
        given = {
            name: found for name, found in row.items() if f"{table.fullname}.{name}" in self._given
        }
        settled = given
        # Of several on one column, those of more columns take what goes with the others.
        for constraint in sorted(table.foreign_key_constraints, key=lambda each: len(each.columns)):
            own = number if distinct.intersection(constraint.column_keys) else alike
            found = self._reference(constraint, row, own, settled)
            settled = settled | found | given
            row |= settled
        return {name: found for name, found in row.items() if found is not ...}

    def _value(self, table: sa.Table, column: sa.Column[Any], number: int) -> Any:
        if given := self._given.get(f"{table.fullname}.{column.name}"):
            return given(number)
        try:
            return value(column.name, column.type, number)
        except NoValueError:
            return ...  # The server may have a default, and says so if not.

    def _reference(
        self, constraint: sa.ForeignKeyConstraint, row: Row, number: int, settled: Row
    ) -> Row:
        columns = [element.column for element in constraint.elements]
        query = sa.select(*columns).order_by(*columns)
        rows = self._connection.execute(query)
        found = [dict(zip(constraint.column_keys, each, strict=True)) for each in rows]
        fitting = [each for each in found if each.items() <= (each | settled).items()]
        if found := fitting or found:
            return found[number % len(found)]
        may_be_null = [column.name for column in constraint.columns if column.nullable]
        if may_be_null or constraint.referred_table is not constraint.table:
            return dict.fromkeys(may_be_null or constraint.column_keys)
        # The first row can only refer to itself.
        key = {
            each.name: row.get(each.name, self._value(each.table, each, number)) for each in columns
        }
        return key | dict(zip(constraint.column_keys, key.values(), strict=True))

    def _insert(self, table: sa.Table, row: Row) -> str | None:
        """Correct what a CHECK refuses, one after the other; why it could not be done."""
        checks = [*_checks(table)]
        error = self._try(table, row)
        while error and (refusing := [check for check in checks if _refuses(check, error)]):
            check = refusing[0]
            checks.remove(check)
            for other in islice(self._others(table, row, check), ATTEMPTS):
                found = self._try(table, other)
                # What is too long, or there already, is no way on.
                if not found or any(_refuses(each, found) for each in checks):
                    row, error = other, found
                    break
        return error

    def _others(self, table: sa.Table, row: Row, check: sa.CheckConstraint) -> Iterator[Row]:
        """Rows with other values in the columns that the CHECK speaks of, taken from its text."""
        text = str(check.sqltext)
        names = [
            name
            for name in row
            if _names(text, name) and f"{table.fullname}.{name}" not in self._given
        ]
        choices = [
            [row[name], *_candidates(table.columns[name], row[name], text)] for name in names
        ]
        for chosen in product(*choices):
            yield row | dict(zip(names, chosen, strict=True))

    def _try(self, table: sa.Table, row: Row) -> str | None:
        # SQLAlchemy's are not released after an error, and each holds a lock of PostgreSQL's.
        self._connection.exec_driver_sql("SAVEPOINT made_up")
        try:
            self._connection.execute(table.insert().inline().values(row))
            why = lacks(self._connection, table)
        except DBAPIError as error:
            why = reason(error)
        if why:
            self._connection.exec_driver_sql("ROLLBACK TO SAVEPOINT made_up")
        self._connection.exec_driver_sql("RELEASE SAVEPOINT made_up")
        return why


def _not_made_up(table: sa.Table, error: str) -> CommandError:
    return CommandError(
        f"No row could be made up for the table {table.fullname}: {error.rstrip('.')}. Say what its"
        " columns hold, in a fixture `given_values` of tests/conftest.py:"
        f' {{"{table.fullname}.<column>": lambda number: ...}}.'
    )


@contextmanager
def _all_types(dialect: Any) -> Iterator[None]:
    """SQLAlchemy tells nothing of a type that it does not know."""
    known = dialect.ischema_names
    dialect.ischema_names = known | UNKNOWN
    try:
        yield
    finally:
        dialect.ischema_names = known


def reflect(
    connection: sa.Connection,
    each_column: Callable[..., None] | None = None,
    only: Collection[str] | None = None,
) -> sa.MetaData:
    """Every table but Alembic's and the toolkit's own, or some and those that they refer to."""
    metadata = sa.MetaData()
    if each_column:
        sa.event.listen(metadata, "column_reflect", each_column)
    with reflections.corrected(), warnings.catch_warnings(category=SAWarning, action="ignore"):
        chosen = (each for each in all_tables(connection) if only is None or each.fullname in only)
        for schema, tables in groupby(chosen, attrgetter("schema")):
            metadata.reflect(connection, schema, only=[table.name for table in tables])
    return metadata


def in_order(metadata: sa.MetaData) -> list[sa.Table]:
    """Each after those that it refers to. In a circle, one that may refer to none comes first."""
    sort: Any = sort_tables_and_constraints
    tables = metadata.tables.values()
    try:
        found = sort(tables, filter_fn=_may_wait)
    except CircularDependencyError:
        found = sort(tables)
    return [table for table, _ in found if table is not None]


def _may_wait(constraint: sa.ForeignKeyConstraint) -> bool | None:
    """SQLAlchemy's words: None if need be, False never."""
    return None if any(column.nullable for column in constraint.columns) else False


def all_tables(connection: sa.Connection) -> list[sa.TableClause]:
    """But Alembic's and the toolkit's own; schema by schema."""
    inspector = sa.inspect(connection)
    tables = [
        _table(name, schema)
        for schema in (None, *other_schemas(connection))
        for name in inspector.get_table_names(schema)
    ]
    return [table for table in tables if table.fullname not in OWN_TABLES]


@cache  # It is asked for at each step of a walk.
def _table(name: str, schema: str | None) -> sa.TableClause:
    return sa.table(name, schema=schema)


def has_rows(connection: sa.Connection, table: sa.TableClause) -> bool:
    query = sa.select(sa.text("1")).select_from(table)
    return connection.execute(query).first() is not None


def _columns_of_keys(table: sa.Table) -> set[str]:
    keys: Iterable[Any] = (
        table.primary_key,
        *(item for item in table.constraints if isinstance(item, sa.UniqueConstraint)),
        *(index for index in table.indexes if index.unique),
    )
    return {column.name for key in keys for column in key.columns}


def _is_given_by_server(column: sa.Column[Any]) -> bool:
    if column.computed is not None or column.identity is not None:
        return True
    counts_up = column is column.table.autoincrement_column and not column.foreign_keys
    return counts_up and (column.server_default is not None or column.autoincrement is True)


def _checks(table: sa.Table) -> Iterator[sa.CheckConstraint]:
    """Its own, and those of its columns' domains."""
    yield from (item for item in table.constraints if isinstance(item, sa.CheckConstraint))
    for column in table.columns:
        if (check := getattr(column.type, "check", None)) is not None:
            text = re.sub(r"\bVALUE\b", column.name, str(check))
            yield sa.CheckConstraint(text, name=getattr(column.type, "constraint_name", None))


def _refuses(check: sa.CheckConstraint, error: str) -> bool:
    return str(check.name or check.sqltext) in error


def _choices(column: sa.Column[Any]) -> Iterator[str]:
    yield from getattr(column.type, "enums", ())
    for check in _checks(column.table):
        text = str(check.sqltext)
        if isinstance(column.type, sa.String) and _names(text, column.name):
            yield from _texts(text)


def _names(text: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", text) is not None


def _texts(check: str) -> list[str]:
    return [found.replace("''", "'") for found in re.findall(r"'((?:[^']|'')*)'", check)]


def _candidates(column: sa.Column[Any], made_up: Any, text: str) -> Iterator[Any]:
    may_be_null = column.nullable and "NULL" in text.upper()
    if may_be_null and column.foreign_keys:
        yield None
        return  # Others refer to nothing.
    numbers = [int(found) for found in re.findall(r"(?<![\w.])-?\d+(?![\w.])", text)]
    if isinstance(made_up, str):
        for choice in _texts(text):
            yield choice
            yield re.sub("[%_]", "x", choice)
        yield from ("x" * length for length in numbers if 0 <= length <= 1000)
    elif isinstance(made_up, bool):
        yield not made_up
    elif isinstance(made_up, int | float) or hasattr(made_up, "scaleb"):
        for found in numbers:
            yield from (found, found + 1, found - 1)
    for number in (1, 90):
        try:
            yield value(column.name, column.type, number)
        except NoValueError:
            break
    if may_be_null:
        yield None
