"""On MySQL and MariaDB: the server builds indexes while others write.

Each may be run again after an interruption: the journal knows what was done.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError


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
    """Look for rows that refer to none, and add it without a copy of the table.

    What others write between the two is not seen.
    """
    if not op.get_context().as_sql:
        _refuse_orphans(table, referent, columns, referent_columns)
    op.execute("SET foreign_key_checks = 0")
    op.create_foreign_key(op.f(name), table, referent, columns, referent_columns, **options)
    op.execute("SET foreign_key_checks = 1")


def create_check(name: str, table: str, condition: str) -> None:
    """Others wait: the server copies the table, and there is no gentler way."""
    op.create_check_constraint(op.f(name), table, condition)


def create_unique(name: str, table: str, columns: list[str]) -> None:
    op.create_unique_constraint(op.f(name), table, columns)


def set_not_null(table: str, column: str, **options: Any) -> None:
    """It needs existing_type."""
    op.alter_column(table, column, nullable=False, **options)


def _refuse_orphans(
    table: str, referent: str, columns: list[str], referent_columns: list[str]
) -> None:
    here = sa.table(table, *map(sa.column, columns)).alias("here")
    there = sa.table(referent, *map(sa.column, referent_columns)).alias("there")
    pairs = list(zip(columns, referent_columns, strict=True))
    matches = sa.and_(*(here.c[ours] == there.c[theirs] for ours, theirs in pairs))
    orphan = sa.and_(*(here.c[ours].is_not(None) for ours, _ in pairs), ~sa.exists().where(matches))
    found = op.get_bind().scalar(sa.select(sa.func.count()).select_from(here).where(orphan))
    if found:
        raise CommandError(
            f"{found} rows of {table} refer by ({', '.join(columns)}) to rows that {referent} lacks."
            " Let an earlier migration delete or correct them."
        )


def outside_transaction() -> AbstractContextManager[None]:
    return op.get_context().autocommit_block()


class Batches:
    """Of an update: each is committed by itself, and the journal answers for those that were."""

    def __init__(self, _: str) -> None:
        self.connection = op.get_bind()
        self.last: Any = None
        self.done = False

    def run(self, statement: sa.TextClause, bounds: dict[str, Any], end: Any) -> int:
        """The last one has no end."""
        self.last, self.done = end, end is None
        return self.connection.execute(statement, bounds).rowcount
