"""On SQLite: who migrates is the only one who writes, and all of it happens or nothing."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import sqlalchemy as sa
from alembic import op


def create_index(
    name: str, table: str, columns: Sequence[str | sa.TextClause], **options: Any
) -> None:
    op.create_index(name, table, columns, **options)


def drop_index(name: str, table: str, **options: Any) -> None:
    op.drop_index(name, table, **options)


def create_foreign_key(
    name: str,
    table: str,
    referent: str,
    columns: list[str],
    referent_columns: list[str],
    **options: Any,
) -> None:
    """Rows without the one that they refer to are found before the commit."""
    with op.batch_alter_table(table) as batch:
        batch.create_foreign_key(op.f(name), referent, columns, referent_columns, **options)


def create_check(name: str, table: str, condition: str) -> None:
    with op.batch_alter_table(table) as batch:
        batch.create_check_constraint(op.f(name), condition)


def create_unique(name: str, table: str, columns: list[str]) -> None:
    with op.batch_alter_table(table) as batch:
        batch.create_unique_constraint(op.f(name), columns)


def set_not_null(table: str, column: str, **options: Any) -> None:
    with op.batch_alter_table(table) as batch:
        batch.alter_column(column, nullable=False, **options)


#: There is one transaction, in which all of it happens.
outside_transaction = nullcontext


class Batches:
    """Of an update."""

    def __init__(self, _: str) -> None:
        self.connection = op.get_bind()
        self.last: Any = None
        self.done = False

    def run(self, statement: sa.TextClause, bounds: dict[str, Any], end: Any) -> int:
        """The last one has no end."""
        self.last, self.done = end, end is None
        return self.connection.execute(statement, bounds).rowcount
