"""On PostgreSQL: what takes long runs outside a transaction, and locks nobody out.

Each may be run again after an interruption (see `apply/concurrently.py`). What must be in a
transaction comes last, so of those that say so a migration can have one, at its end.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

import psycopg
import sqlalchemy as sa
from alembic import op

from ..apply.concurrently import Notes


def create_index(
    name: str, table: str, columns: Sequence[str | sa.TextClause], **options: Any
) -> None:
    """Build an index while others write; one that was left invalid is built anew."""
    with outside_transaction():
        op.create_index(name, table, columns, postgresql_concurrently=True, **options)


def drop_index(name: str, table: str, **options: Any) -> None:
    with outside_transaction():
        op.drop_index(name, table, postgresql_concurrently=True, **options)


def create_foreign_key(
    name: str,
    table: str,
    referent: str,
    columns: list[str],
    referent_columns: list[str],
    **options: Any,
) -> None:
    """From now on rows are checked; then those that are there, while others write."""
    with outside_transaction():
        op.create_foreign_key(
            op.f(name),
            table,
            referent,
            columns,
            referent_columns,
            postgresql_not_valid=True,
            **options,
        )
        _validate(table, name, options.get("source_schema"))


def create_check(name: str, table: str, condition: str, *, schema: str | None = None) -> None:
    """From now on rows are checked; then those that are there, while others write."""
    with outside_transaction():
        op.create_check_constraint(
            op.f(name), table, condition, schema=schema, postgresql_not_valid=True
        )
        _validate(table, name, schema)


def create_unique(name: str, table: str, columns: list[str], *, schema: str | None = None) -> None:
    """A unique index that is built while others write becomes a constraint, in the transaction."""
    create_index(name, table, columns, unique=True, schema=schema)
    name = _quoted(name)
    op.execute(
        f"ALTER TABLE {_quoted(table, schema)} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}"
    )


def set_not_null(table: str, column: str, *, schema: str | None = None, **options: Any) -> None:
    """A validated CHECK spares the scan that would lock everybody out, and goes in the transaction."""
    name = f"{table}_{column}_not_null"
    create_check(name, table, f"{_quoted(column)} IS NOT NULL", schema=schema)
    op.alter_column(table, column, nullable=False, schema=schema, **options)
    op.drop_constraint(op.f(name), table, schema=schema)


def outside_transaction() -> AbstractContextManager[None]:
    return op.get_context().autocommit_block()


def _validate(table: str, name: str, schema: str | None) -> None:
    preparer = op.get_context().dialect.identifier_preparer
    # A long one is cut as it was when the constraint was made.
    constraint = preparer.truncate_and_render_constraint_name(op.f(name))
    op.execute(f"ALTER TABLE {_quoted(table, schema)} VALIDATE CONSTRAINT {constraint}")


def _quoted(name: str, schema: str | None = None) -> str:
    quote = op.get_context().dialect.identifier_preparer.quote
    return ".".join(quote(part) for part in (schema, name) if part)


def _as_text(key: object) -> str:
    """In the way that PostgreSQL reads it."""
    return rf"\x{key.hex()}" if isinstance(key, bytes) else str(key)


class Batches:
    """Of an update: each is committed together with how far it has come."""

    def __init__(self, update: str) -> None:
        self.connection = op.get_bind()
        self._key = f"batches of {hashlib.sha256(update.encode()).hexdigest()}"
        # Where the caller's connection is used, nobody notes anything.
        self._notes: Notes | None = self.connection.info.get("notes")
        self.last: Any = None
        self.done = False
        if found := self._notes and self._notes.recall(self._key):
            self.last, self.done = json.loads(found)

    def run(self, statement: sa.TextClause, bounds: dict[str, Any], end: Any) -> int:
        """The last one has no end."""
        driver = cast("psycopg.Connection[Any]", self.connection.connection.driver_connection)
        with driver.transaction():
            if self._notes:
                driver.execute(self.connection.info["setting"])
            count = self.connection.execute(statement, bounds).rowcount
            self.last, self.done = end, end is None
            if self._notes:
                self._notes.remember(
                    self._key, json.dumps([self.last, self.done], default=_as_text)
                )
        self.connection.info["progress"] = (self._key, end)
        return count
