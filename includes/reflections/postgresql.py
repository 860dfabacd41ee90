"""What SQLAlchemy's reflection leaves out of PostgreSQL's tables."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Connection,
    Dialect,
    Index,
    MetaData,
    Table,
    TextClause,
    UniqueConstraint,
    event,
    inspect,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ENUM
from sqlalchemy.engine.interfaces import ReflectedIndex
from sqlalchemy.types import TypeEngine

from .definitions import SCHEMAS, other_schemas
from .snapshot import Thing

Expression = str | ColumnElement[Any]

TYPES = f"""
SELECT y.oid::regtype::text, (
    SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
    FROM pg_enum e WHERE e.enumtypid = y.oid
)
FROM pg_type y JOIN pg_namespace n ON n.oid = y.typnamespace
WHERE (n.nspname = current_schema() OR n.nspname IN ({SCHEMAS})) AND y.typtype = 'e'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = y.oid AND d.deptype = 'e')
ORDER BY 1
"""
SHAPES = f"""
SELECT CASE WHEN n.nspname = current_schema() THEN '' ELSE n.nspname || '.' END || c.relname, concat_ws(' ',
    (SELECT string_agg(concat_ws(' ', a.attname, a.atttypid, a.atttypmod, a.attnotnull), ' '
        ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0),
    (SELECT string_agg(pg_get_constraintdef(k.oid), ' ' ORDER BY k.conname)
        FROM pg_constraint k WHERE k.conrelid = c.oid),
    (SELECT string_agg(pg_get_indexdef(i.indexrelid), ' ' ORDER BY i.indexrelid)
        FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (n.nspname = current_schema() OR n.nspname IN ({SCHEMAS})) AND c.relkind IN ('r', 'p')
"""
DEFAULTS = ("postgresql_include", "postgresql_nulls_not_distinct")
# As `types` and autogenerate write it.
SEEN = re.compile(
    r"""
    CREATE\ TYPE\ [^;]+?\ AS\ ENUM\ \(('([^']|'')*'(,\ ?)?)*\)
    | ALTER\ TYPE\ [^;]+?\ (ADD|RENAME)\ VALUE\ [^;]+
    | CREATE\ SCHEMA\ (IF\ NOT\ EXISTS\ )?("[^"]+"|\w+)
    | DROP\ (TYPE|SCHEMA)\ [^;]+
    | ALTER\ SEQUENCE\ [^;]+?\ AS\ \w+
    | ALTER\ INDEX\ [^;]+?\ RENAME\ TO\ [^;]+
    | ALTER\ TABLE\ [^;]+?\ RENAME\ CONSTRAINT\ [^;]+
    | ALTER\ TABLE\ [^;,]+?\ DROP\ CONSTRAINT\ [^;,]+
    | ALTER\ TABLE\ [^;,]+?\ ADD\ CONSTRAINT\ [^;,]+?\ EXCLUDE\ [^;]*\)(\ DEFERRABLE[^;,]*)?
    """,
    re.IGNORECASE | re.VERBOSE,
)
# How it tells `name IN ('a', 'b')`, and takes it otherwise when it is told so.
IS_IN = re.compile(
    r'(?:\((?P<name>\w+|"[^"]+")\)|(?P<bare>\w+|"[^"]+"))::text = ANY'
    r" \((?:\(ARRAY\[(?P<values>.*?)\]\)|ARRAY\[(?P<bare_values>.*?)\])::text\[\]\)"
)


@contextmanager
def corrected() -> Iterator[None]:
    """What is not asked for is not said: PostgreSQL 14 does not know all words for it."""
    for kind in (Index, UniqueConstraint):
        event.listen(kind, "after_parent_attach", _leave_out_defaults)
    try:
        yield
    finally:
        for kind in (Index, UniqueConstraint):
            event.remove(kind, "after_parent_attach", _leave_out_defaults)


def _leave_out_defaults(item: Index | UniqueConstraint, _: Table) -> None:
    for name in DEFAULTS:
        if item.dialect_kwargs.get(name) in (False, []):
            del item.dialect_kwargs[name]


def complete(connection: Connection, metadata: MetaData) -> None:
    look = inspect(connection)
    for table in metadata.tables.values():
        _sort_expressions(table, look.get_indexes(table.name, table.schema))
        for constraint in table.constraints:
            if isinstance(constraint, CheckConstraint):
                constraint.sqltext = text(as_written(str(constraint.sqltext)))
                # SQLAlchemy 2.1.9 takes them for options of a dialect called "dialect", and warns.
                if "dialect_options" in constraint.dialect_kwargs:
                    del constraint.dialect_kwargs["dialect_options"]
        for index in table.indexes:
            _leave_out_defaults(index, table)  # One on an expression was attached without them.
            if (where := index.dialect_kwargs.get("postgresql_where")) is not None:
                index.dialect_kwargs["postgresql_where"] = text(as_written(str(where)))
        for column in table.columns:
            kind = getattr(column.type, "item_type", column.type)
            if isinstance(kind, ENUM):
                # Several tables may have it.
                kind.create_type = False


def _sort_expressions(table: Table, found: Iterable[ReflectedIndex]) -> None:
    """SQLAlchemy 2.1.9 sorts columns only."""
    orders = {each["name"]: each.get("column_sorting", {}) for each in found}
    for index in table.indexes:
        order = orders[str(index.name)]
        index.expressions = [_sorted(each, order) for each in index.expressions]


def _sorted(expression: Expression, orders: Mapping[str, tuple[str, ...]]) -> Expression:
    if not isinstance(expression, TextClause) or expression.text not in orders:
        return expression
    words = " ".join(orders[expression.text]).replace("_", " ").upper()
    return literal_column(f"({expression.text}) {words}")


def as_written(expression: str) -> str:
    """By people: as the server tells it, it makes another one of it each time."""
    return IS_IN.sub(_is_in, expression)


def _is_in(found: re.Match[str]) -> str:
    values = (found["values"] or found["bare_values"]).replace("::character varying", "")
    return f"{found['name'] or found['bare']} IN ({values})"


def collated(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """To be changed to: where none is given, it is the usual one."""
    return kind


def options(_: Connection, table: Table) -> dict[str, Any]:
    given = dict(table.dialect_kwargs)
    given.pop("postgresql_ignore_search_path", None)  # Of the reflection, which leaves it there.
    return given


def types(connection: Connection) -> dict[str, str]:
    """What tables need, and how it is dropped, in SQL."""
    quote = connection.dialect.identifier_preparer.quote_schema
    schemas = [quote(name) for name in other_schemas(connection)]
    rows = connection.exec_driver_sql(TYPES)
    return {f"CREATE SCHEMA {name}": f"DROP SCHEMA {name}" for name in schemas} | {
        f"CREATE TYPE {name} AS ENUM ({labels})": f"DROP TYPE {name}" for name, labels in rows
    }


def is_seen(sql: str) -> bool:
    """Whether all that the SQL does is seen in the schema, and is taken over."""
    return SEEN.fullmatch(sql) is not None


def shapes(connection: Connection) -> dict[str, str]:
    """What rows have to fit, by the names of the tables."""
    return {name: str(shape) for name, shape in connection.exec_driver_sql(SHAPES)}


def advice(thing: Thing, wanted: str, dialect: Dialect) -> str:
    """How to write by hand what is not written."""
    if thing.kind == "column" and "nextval()" in wanted:
        kind = wanted.split()[0].upper()
        schema, _, table = thing.table.rpartition(".")
        place = f', schema="{schema}"' if schema else ""
        return (
            "It numbers the rows, also those that are there, if it is made as the key:"
            f' `op.add_column("{table}", sa.Column("{thing.name}", sa.{kind}(), primary_key=True),'
            f" inline_primary_key=True{place})`. And downgrade() drops it with the column alone"
        )
    if thing.kind != "type":
        return ""
    quote = dialect.identifier_preparer.quote
    name, old = quote(thing.name), quote(f"{thing.name}_old")
    return (
        f"If a value was renamed: ALTER TYPE {name} RENAME VALUE '...' TO '...'. Else its columns can"
        f" take a new type: ALTER TYPE {name} RENAME TO {old}; CREATE TYPE {name} AS"
        f" {wanted}; ALTER TABLE ... ALTER COLUMN ... TYPE {name} USING ...::text::{name}; DROP TYPE"
        f" {old}"
    )
