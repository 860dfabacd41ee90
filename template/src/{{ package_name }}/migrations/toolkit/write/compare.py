"""What the models would make beside what the migrations make: two databases, in the server's words.

Alembic compares a database with Python, and passes over what each spells in its own way: the text
of a CHECK, the values of an enum, a computed expression, the condition of an index, a collation.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import cast

from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, ops
from alembic.runtime.environment import NameFilterParentNames, NameFilterType
from alembic.util import CommandError
from alembic.util.sqla_compat import _get_constraint_final_name
from sqlalchemy import URL, Connection, Dialect, Identity, MetaData, Table, inspect
from sqlalchemy.exc import CompileError, DBAPIError, NoReferenceError
from sqlalchemy.schema import CreateSchema, SchemaItem

from ..connection import look
from ..schema.snapshot import Facts, Thing, named_otherwise, qualified, snapshot
from ..throwaway import make_alike, reason, throw_away_database
from . import server
from .items import item_of, table_of, thing_of

logger = logging.getLogger(__name__)

#: What models can say; a view or a trigger is the migrations' own affair.
KINDS = {"table", "column", "primary key", "check", "exclusion", "type", "sequence"}
#: And of these Alembic asks env.py whether they are to be compared.
FILTERED: dict[str, NameFilterType] = {
    "table": "table",
    "column": "column",
    "unique constraint": "unique_constraint",
    "foreign key": "foreign_key_constraint",
    "check": "check_constraint",
    "index": "index",
}
KINDS |= FILTERED.keys()
COUNTER = re.compile(r"nextval\('([^']+)'::regclass\)")
#: A default keeps the type that its column had when it was given.
DEFAULT = re.compile(
    r"DEFAULT ('(?:[^']|'')*'|-?[\d.]+)(::[\w ]+(\([\d,]+\))?(\[])?)?(?= COMMENT|$)"
)


def made_from_models(scratch: URL, tables: Sequence[MetaData], migrated: Connection) -> Facts:
    """Nothing, where they need what only the migrations make, such as a function."""
    with throw_away_database(scratch) as url:
        make_alike(url, migrated)
        migrated.rollback()
        with look(url) as connection, models_explained():
            connection.execution_options(read_only=False)
            named = server.schemas_of_models(tables)
            try:
                for schema in named:
                    connection.execute(CreateSchema(schema, if_not_exists=True))
                for each in tables:
                    here = [t for t in each.tables.values() if t.schema in {None, *named}]
                    each.create_all(connection, tables=here)
            except DBAPIError as error:
                logger.warning(
                    "Texts of CHECKs and the like are not compared, because the tables of the"
                    " models cannot be made by themselves: %s.",
                    reason(error).rstrip("."),
                )
                return {}
            connection.commit()
            return facts(connection)


@contextmanager
def models_explained() -> Iterator[None]:
    try:
        yield
    except (CompileError, NoReferenceError) as error:
        raise CommandError(
            f"The tables of the models cannot be made on this database: {error}. Correct the model."
        ) from None


def is_false(change: MigrateOperation, found: Facts, wanted: Facts, dialect: Dialect) -> bool:
    """Where the server says the same on both sides, Alembic was misled by a spelling.

    And where it makes no such constraint of the models, by what it does not need: a CHECK of a native
    BOOLEAN, or UNIQUE for what is the primary key.
    """
    match change:
        case ops.AlterColumnOp(modify_server_default=Identity()):
            return False
        case ops.AlterColumnOp() | ops.CreateIndexOp() | ops.DropIndexOp():
            thing = thing_of(change)
            return thing in found and found[thing] == wanted.get(thing)
        case ops.CreateUniqueConstraintOp() | ops.CreateCheckConstraintOp():
            name = _get_constraint_final_name(change.to_constraint(), dialect)
            made = {thing.name for thing in wanted if thing.table == table_of(change)}
            return bool(name and made) and name not in made
    return False


def facts(connection: Connection) -> Facts:
    """A primary key goes without its name, which no model has to know, and a column with its sequence."""
    found, everything = {}, snapshot(connection)
    counters = {
        qualified(thing.name, thing.table.rpartition(".")[0]): text.partition(" ")[0]
        for thing, text in everything.items()
        if thing.kind == "sequence"
    }
    for thing, text in everything.items():
        if thing.kind in KINDS and not (thing.kind == "sequence" and thing.table):
            nameless = thing._replace(name="") if thing.kind == "primary key" else thing
            counted = COUNTER.sub(partial(_nameless, counters), text)
            found[nameless] = DEFAULT.sub(_plain, counted)
    return found


def _nameless(counters: Mapping[str, str], found: re.Match[str]) -> str:
    """A table that was renamed keeps the name of its counter, and a column that was changed its type."""
    name = found[1].replace('"', "")
    return f"nextval() AS {counters[name]}" if name in counters else "nextval()"


def _plain(default: re.Match[str]) -> str:
    value = default[1].strip("'")
    return f"DEFAULT '{value}'"


def with_kept_names(wanted: Facts, found: Facts) -> Facts:
    """A foreign key keeps its name, and an index its, when what they are of gets another one.

    No model has to know it, nor how a server calls those without a name: it numbers foreign keys, and
    MySQL has indexes that are called as their first column.
    """
    keys = [thing for thing in wanted if thing.kind == "foreign key"]
    names = {(key.table, key.name) for key in keys}
    kept = {
        new: old
        for old, new in named_otherwise(found, wanted)
        if (new.table, new.name) in names or f"(`{new.name}`" in wanted[new]
    }
    same = {(key.table, text): key for key, text in found.items() if key.kind == "foreign key"}
    for key in keys:
        if found.get(key) != wanted[key]:
            kept[key] = same.get((key.table, wanted[key]), key)
    return {kept.get(thing, thing): text for thing, text in wanted.items()}


class Judge:
    """Whether a difference counts: Alembic finds itself whole tables, and what is too much."""

    def __init__(self, context: AutogenContext) -> None:
        self._context = context
        self._tables = {table.fullname: table for table in context.sorted_tables}

    def unlike(self, found: Facts, wanted: Facts) -> list[Thing]:
        wanted = with_kept_names(wanted, found)
        common = _tables(found) & _tables(wanted)
        return sorted(
            thing
            for thing in wanted
            if found.get(thing) != wanted[thing]
            and (thing in found or thing.table in common or self._is_lacking(thing))
            and self.is_compared(thing)
        )

    def unseen(self, found: Facts, wanted: Facts) -> list[Thing]:
        """What has to go, and SQLAlchemy does not reflect, so that Alembic does not drop it."""
        tables, connection = _tables(wanted), cast(Connection, self._context.connection)
        return sorted(
            thing
            for thing in found
            if found[thing] != wanted.get(thing) and thing.table in tables
            if server.is_unseen(thing, connection, found, wanted) and self.is_compared(thing)
        )

    def _is_lacking(self, thing: Thing) -> bool:
        """A sequence, also where none has been given to a column (OWNED BY)."""
        if thing.kind != "sequence":
            return False
        schema, _, name = thing.name.rpartition(".")
        inspector = inspect(cast(Connection, self._context.connection))
        return not inspector.has_sequence(name, schema or None)

    def is_compared(self, thing: Thing) -> bool:
        """By `include_name` and `include_object` of env.py."""
        name = thing.table or thing.name
        if thing.kind in {"type", "sequence"}:
            return True
        table = self._tables.get(name)
        if table is None or not self._is_included(table, table.name, "table", table):
            return False
        kind = FILTERED.get(thing.kind)
        return not kind or self._is_included(item_of(table, thing), thing.name, kind, table)

    def _is_included(
        self, item: SchemaItem | None, name: str, kind: NameFilterType, table: Table
    ) -> bool:
        parents: NameFilterParentNames = {"schema_name": table.schema}
        if item is not table:
            parents["table_name"] = table.name
        if not self._context.run_name_filters(name, kind, parents):
            return False
        # The database alone has it.
        return item is None or self._context.run_object_filters(item, name, kind, False, None)


def _tables(facts: Facts) -> set[str]:
    return {thing.name for thing in facts if thing.kind == "table"}
