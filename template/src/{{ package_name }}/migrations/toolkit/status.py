"""Whether the database is where this release's code expects it."""

from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from alembic.script import ScriptDirectory

from . import history

VERSION = sa.table("alembic_version", sa.column("version_num", sa.String()))

State = Literal["current", "behind", "ahead", "unknown"]

REASONS = {
    "behind": "The database lacks migrations of this release.",
    "unknown": "The database is at a migration that this release does not know.",
}


@dataclass(frozen=True)
class Status:
    """`ahead`: a later release has migrated the database, and everything of this one is in it.

    `unknown`: the database is at a revision that is not in this code, and no later one either.
    """

    state: State
    #: Revisions that the database is at, and those that the code has last.
    database: tuple[str, ...]
    code: tuple[str, ...]
    #: Revisions of the code that the database lacks, oldest first.
    pending: tuple[str, ...] = ()

    @property
    def reason(self) -> str | None:
        """Why this code must not serve requests on the database, or None."""
        return REASONS.get(self.state)


def status(connection: sa.Connection, script: ScriptDirectory) -> Status:
    heads, code = _database_heads(connection), tuple(sorted(script.get_heads()))
    if heads == code:
        return Status("current", heads, code)
    newest_first = [revision.revision for revision in script.walk_revisions()]
    known = [head for head in heads if head in newest_first]
    applied = {revision.revision for revision in script.iterate_revisions(tuple(known), "base")}
    if len(known) < len(heads):
        applied |= history.applied(connection)
    pending = tuple(revision for revision in reversed(newest_first) if revision not in applied)
    return Status(_state(pending, unknown=len(known) < len(heads)), heads, code, pending)


def _state(pending: tuple[str, ...], *, unknown: bool) -> State:
    if unknown:
        return "unknown" if pending else "ahead"
    return "behind" if pending else "current"


def _database_heads(connection: sa.Connection) -> tuple[str, ...]:
    # Alembic's own function for it writes two log lines each time.
    if not sa.inspect(connection).has_table(VERSION.name):
        return ()
    return tuple(sorted(connection.scalars(sa.select(VERSION.c.version_num))))
