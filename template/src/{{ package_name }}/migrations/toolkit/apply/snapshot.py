"""A schema as flat facts, all in the server's own words: two databases are compared by them.

Comparing a database with Python would need to know how the server spells each default, check
and expression. Two databases on one server spell them alike.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from .definitions import definitions

Facts = dict[str, str]

#: The toolkit's and Alembic's own tables, and what belongs to them.
OWN = re.compile(r"\balembic_(version|history|journal|unfinished)")

ATTRIBUTES = ("default", "computed", "identity", "autoincrement", "comment")
UNSET = (None, False, "auto")


def snapshot(connection: sa.Connection) -> Facts:
    """What makes up the schema, from the connection's default schema."""
    facts = {name: " ".join(text.split()) for name, text in definitions(connection)}
    inspector = sa.inspect(connection)
    for table in inspector.get_table_names():
        facts |= _table(inspector, table, connection.dialect)
    for view in inspector.get_view_names():
        facts[f"view {view}"] = " ".join(str(inspector.get_view_definition(view)).split())
    return {name: text for name, text in facts.items() if not OWN.search(name)}


def difference(found: Facts, wanted: Facts) -> list[str]:
    """A line for each fact that is missing, surplus or another one."""
    return [
        _line(name, found.get(name), wanted.get(name))
        for name in sorted(found.keys() | wanted.keys())
        if found.get(name) != wanted.get(name)
    ]


def _line(name: str, found: str | None, wanted: str | None) -> str:
    if found is None:
        return f"missing: {name}" + (f" ({wanted})" if wanted else "")
    if wanted is None:
        return f"surplus: {name}" + (f" ({found})" if found else "")
    return f"differs: {name} is {found!r}, should be {wanted!r}"


def _table(inspector: sa.Inspector, table: str, dialect: sa.Dialect) -> Facts:
    facts: Facts = {f"table {table}": ""}
    for column in inspector.get_columns(table):
        facts[f"column {table}.{column['name']}"] = _column(column, dialect)
    parts: dict[str, Iterable[Any]] = {
        "primary key": [inspector.get_pk_constraint(table)],
        "unique": inspector.get_unique_constraints(table),
        "foreign key": inspector.get_foreign_keys(table),
        "index": inspector.get_indexes(table),
        "check": inspector.get_check_constraints(table),
    }
    if dialect.supports_comments:
        parts["comment"] = [inspector.get_table_comment(table)]
    for kind, items in parts.items():
        for item in items:
            for name, text in _details(item):
                facts[f"{kind} {_name(item)} of {table}: {name}"] = text
    return facts


def _column(column: Any, dialect: sa.Dialect) -> str:
    kind = column["type"]
    collation = getattr(kind, "collation", None)
    words = [
        kind.compile(dialect),
        f"COLLATE {collation}" if collation else "",
        "NULL" if column["nullable"] else "NOT NULL",
        *(f"{key} {column[key]}" for key in ATTRIBUTES if column.get(key) not in UNSET),
    ]
    return " ".join(word for word in words if word)


def _name(item: Any) -> str:
    """Its name, or what tells one without a name from the others."""
    columns = item.get("constrained_columns") or item.get("column_names") or ()
    return item.get("name") or ",".join(map(str, columns)) or str(item.get("sqltext", ""))


def _details(item: Any) -> Iterator[tuple[str, str]]:
    for key, value in item.items():
        if key != "name" and value not in (None, [], {}):
            yield key, " ".join(str(value).split())
