"""A schema as flat facts, all in the server's own words: two databases are compared by them.

Comparing a database with Python would need to know how the server spells each default, check
and expression. Two databases on one server spell them alike.
"""

from collections.abc import Iterable, Iterator
from textwrap import shorten
from typing import NamedTuple

import sqlalchemy as sa

from ..history import OWN_TABLES
from .definitions import definitions, other_schemas

WIDTH = 300
#: What may have indexes and triggers.
RELATIONS = {"table", "view", "materialized view"}


class Thing(NamedTuple):
    """A table, or what belongs to one, or stands by itself (table is then empty)."""

    table: str
    kind: str
    name: str

    def __str__(self) -> str:
        if self.kind == "column":
            return f"column {self.table}.{self.name}"
        words = [self.kind, self.name, f"of {self.table}" if self.table else ""]
        return " ".join(word for word in words if word)


Facts = dict[Thing, str]


def snapshot(connection: sa.Connection, schemas: Iterable[str] | None = None) -> Facts:
    """What makes up the connection's default schema, and others: all that its user has, or these."""
    found = dict(_in_schema(connection, None))
    for schema in other_schemas(connection) if schemas is None else schemas:
        if schema != connection.dialect.default_schema_name:
            found |= _in_schema(connection, schema)
    return found


def qualified(name: str, schema: str | None) -> str:
    """As SQLAlchemy's `Table.fullname` has it."""
    return f"{schema}.{name}" if schema else name


def _in_schema(connection: sa.Connection, schema: str | None) -> Iterator[tuple[Thing, str]]:
    for kind, name, table, text in definitions(connection, schema):
        if table:
            thing = Thing(qualified(table, schema), kind, name)
        else:
            thing = Thing("", kind, qualified(name, schema))
        if thing.table not in OWN_TABLES and thing.name not in OWN_TABLES:
            yield thing, " ".join(text.split())


def others(found: Facts, wanted: Facts) -> set[Thing]:
    """Tables, views and the like that only the first has."""
    return {thing for thing in found if not thing.table and thing not in wanted}


def without(facts: Facts, things: set[Thing]) -> Facts:
    tables = _tables(things)
    return {
        thing: text
        for thing, text in facts.items()
        if thing not in things and thing.table not in tables
    }


def differences(found: Facts, wanted: Facts) -> Iterator[str]:
    """A line for each thing that is missing, surplus or another one; for a whole table, one."""
    whole = _tables(others(found, wanted) | others(wanted, found))
    named = dict(named_otherwise(found, wanted))
    for thing in sorted(found.keys() | wanted.keys()):
        here, there = found.get(thing), wanted.get(thing)
        if here == there or thing.table in whole or thing in named.values():
            continue
        if thing in named:
            yield f"{thing} should be named {named[thing].name}: {_shown(here)}"
        else:
            yield _line(thing, here, there)


def named_otherwise(found: Facts, wanted: Facts) -> Iterator[tuple[Thing, Thing]]:
    """Constraints and indexes that differ in nothing but their names; columns have a meaning."""
    missing = {
        (thing.table, thing.kind, _nameless(thing, text)): thing
        for thing, text in wanted.items()
        if thing not in found and thing.table and thing.kind != "column"
    }
    for thing, text in found.items():
        same = (thing.table, thing.kind, _nameless(thing, text))
        if thing not in wanted and same in missing:
            yield thing, missing.pop(same)


def _nameless(thing: Thing, text: str) -> str:
    """Its name is in a whole statement only; elsewhere it may be a column's."""
    return text.replace(thing.name, "", 1) if text.startswith("CREATE ") else text


def _tables(things: Iterable[Thing]) -> set[str]:
    return {thing.name for thing in things if thing.kind in RELATIONS}


def _line(thing: Thing, here: str | None, there: str | None) -> str:
    if here is None:
        return f"{thing} is missing{f': {_shown(there)}' if there else ''}"
    if there is None:
        return f"{thing} should not be there{f': {_shown(here)}' if here else ''}"
    return f"{thing} is {_shown(here)}, and should be {_shown(there)}"


def _shown(text: str | None) -> str:
    return shorten(text, WIDTH) if text else "without options"
