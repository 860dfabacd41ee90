"""What is written otherwise for PostgreSQL: its types and schemas, and casts."""

import re
from collections.abc import Sequence
from typing import cast

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _alter_column, _render_server_default, renderers
from alembic.operations import MigrateOperation, ops
from sqlalchemy import Column, Connection, Dialect, Enum, Identity, MetaData, String, text
from sqlalchemy.dialects.postgresql.base import PGDialect

from ..schema.snapshot import Facts, Thing, qualified
from . import cast_defaults, circles, names, native_enums, other_schemas
from .casts import can_cast
from .completion import Completion
from .parts import Part, changes, changes_of_columns, put_references_first, quoted, quoted_word

#: What a column that is NOT NULL does to rows that are there.
WITHOUT_DEFAULT = "fails where there are rows"
RENAME = {
    "index": "ALTER INDEX {schema}{old} RENAME TO {new}",
    "unique constraint": "ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}",
    "primary key": "ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}",
}
#: As `compare.facts` has it.
COUNTED = re.compile(r"nextval\(\) AS (\w+)")
COUNTER = text("SELECT pg_get_serial_sequence(:table, :column)::regclass::text")


def schemas_of_models(tables: Sequence[MetaData]) -> list[str]:
    """Beside the default one."""
    return other_schemas.of(table for each in tables for table in each.tables.values())


def is_unseen(thing: Thing, _: Connection, _found: Facts, _wanted: Facts) -> bool:
    """Whether SQLAlchemy does not reflect it, so that Alembic does not drop it."""
    return thing.kind == "exclusion"


def part(thing: Thing, found: str | None, wanted: str | None, by: Connection) -> Part | None:
    """For a thing that no other database has."""
    match thing.kind:
        case "column":
            return _counter(thing, found or "", wanted or "", by)
        case "exclusion":
            there = _exclude(thing, found, wanted, by.dialect)
            return Part(there, _exclude(thing, wanted, found, by.dialect))
    return None


def _counter(column: Thing, found: str, wanted: str, connection: Connection) -> Part | None:
    """It keeps its type when that of the column changes, and would end at the largest number of that."""
    old, new = COUNTED.search(found), COUNTED.search(wanted)
    if old is None or new is None or old[1] == new[1]:
        return None
    place = {"table": quoted(column.table, connection.dialect), "column": column.name}
    alter = f"ALTER SEQUENCE {connection.scalar(COUNTER, place)} AS"
    return Part([ops.ExecuteSQLOp(f"{alter} {new[1]}")], [ops.ExecuteSQLOp(f"{alter} {old[1]}")])


def _exclude(
    thing: Thing, old: str | None, new: str | None, dialect: Dialect
) -> list[MigrateOperation]:
    """From one definition to the other; where there is none, it is not there."""
    table, name = quoted(thing.table, dialect), quoted_word(thing.name, dialect)
    drop = ops.ExecuteSQLOp(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    add = ops.ExecuteSQLOp(f"ALTER TABLE {table} ADD CONSTRAINT {name} {new}")
    return [*([drop] if old else []), *([add] if new else [])]


def put_aside(renamed: Part, completion: Completion) -> Part:
    """What goes with a rename: the name of the key, which another table of the old name will need."""
    for each in list(renamed.up):
        if isinstance(each, ops.RenameTableOp):
            key = _rename_key(each, completion)
            renamed = Part([*renamed.up, *key.up], [*key.down, *renamed.down])
    return renamed


def _rename_key(renamed: ops.RenameTableOp, completion: Completion) -> Part:
    """As the models call it."""
    place = qualified(renamed.new_table_name, renamed.schema)
    found = completion.reflect(qualified(renamed.table_name, renamed.schema))
    old, new = (table.primary_key.name for table in (found, completion.models[place]))
    if None in (old, new) or old == new:
        return Part()
    before, after = (Thing(place, "primary key", str(name)) for name in (old, new))
    return names.renamed(before, after, completion.connection.dialect, RENAME)


def around(operations: ops.UpgradeOps, completion: Completion) -> tuple[list[Part], list[Part]]:
    """What comes before the operations, and after them."""
    named = names.changed(operations, completion, RENAME)
    put_references_first(operations)
    cast_defaults.put_aside(operations, completion)
    made = other_schemas.made(completion.connection, completion.models.values())
    first, last = native_enums.around(operations, completion)
    return [*made, *first, *named], last


def complete(part: Part, dialect: Dialect) -> None:
    """What the operations do not say by themselves."""
    circles.untie(part)
    operations = [*part.up, *part.down]
    for change in changes_of_columns(operations):
        # Of MySQL alone: Alembic warns of it.
        change.kw.pop("autoincrement", None)
        if not can_cast(change, dialect):
            # Refused otherwise, even of an empty table.
            change.kw["postgresql_using"] = _using(change, dialect)
    if not cast(PGDialect, dialect).supports_virtual_generated_columns:
        _keep_stored(operations)


def _keep_stored(operations: Sequence[MigrateOperation]) -> None:
    """Where nothing is said, PostgreSQL 18 makes them VIRTUAL, and older ones, as here, STORED."""
    for change in changes(operations):
        added = [change.column] if isinstance(change, ops.AddColumnOp) else []
        for item in change.columns if isinstance(change, ops.CreateTableOp) else added:
            if isinstance(item, Column) and item.computed:
                item.computed.persisted = True


def _using(change: ops.AlterColumnOp, dialect: Dialect) -> str:
    name = dialect.identifier_preparer.quote(change.column_name)
    old, new = change.existing_type, change.modify_type
    # Between an enum and what is no text there is no other way.
    is_far = isinstance(old, Enum) or (isinstance(new, Enum) and not isinstance(old, String))
    kind = new.compile(dialect) if new else ""
    return f"{name}::TEXT::{kind}" if is_far else f"{name}::{kind}"


@renderers.dispatch_for(ops.AlterColumnOp, replace=True)
def _alter_column_whole(ctx: AutogenContext, operation: ops.AlterColumnOp) -> str:
    """With what Alembic 1.20.1 leaves out."""
    text: str = _alter_column(ctx, operation).removesuffix(")")
    existing, new = operation.existing_server_default, operation.modify_server_default
    if isinstance(existing, Identity) and isinstance(new, Identity | None):
        text += f", existing_server_default={_render_server_default(existing, ctx)}"
    if using := operation.kw.get("postgresql_using"):
        text += f", postgresql_using={using!r}"
    return f"{text})"
