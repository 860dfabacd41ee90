"""Constraints that exclude rows, as PostgreSQL has them: it tells all of one, and SQLAlchemy nothing."""

from alembic.operations import MigrateOperation, ops
from sqlalchemy import Dialect

from ..schema.snapshot import Thing
from .parts import Part, quoted, quoted_word


def change(thing: Thing, old: str | None, new: str | None, dialect: Dialect) -> Part:
    """From one definition to the other; where there is none, it is not there."""
    return Part(_steps(thing, old, new, dialect), _steps(thing, new, old, dialect))


def _steps(
    thing: Thing, old: str | None, new: str | None, dialect: Dialect
) -> list[MigrateOperation]:
    table, name = quoted(thing.table, dialect), quoted_word(thing.name, dialect)
    drop = ops.ExecuteSQLOp(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    add = ops.ExecuteSQLOp(f"ALTER TABLE {table} ADD CONSTRAINT {name} {new}")
    return [*([drop] if old else []), *([add] if new else [])]
