"""Whether the database is where this release's code expects it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any, Literal

import sqlalchemy as sa
from alembic.script import ScriptDirectory

from . import history
from .apply import server
from .schema import definitions

VERSION = sa.table("alembic_version", sa.column("version_num", sa.String()))

State = Literal["current", "behind", "ahead", "unknown", "half-applied", "edited", "unmanaged"]

#: So many tables are named; a database may have hundreds.
SHOWN = 5

MEANINGS: dict[State, str] = {
    "current": "the database is at the last migration of this release",
    "behind": "the database lacks migrations of this release",
    "ahead": "a later release has migrated the database, and this one can work with it",
    "unknown": "the database is at a migration that this release does not know",
    "half-applied": "a migration was begun and not completed",
    "edited": "files of migrations were edited after these were applied",
    "unmanaged": "the database has tables, but is at no migration",
}
#: In which this code can serve requests.
READY: set[State] = {"current", "ahead", "edited"}


@dataclass(frozen=True)
class Status:
    #: Revisions that the database is at, and those that the code has last.
    database: tuple[str, ...]
    code: tuple[str, ...]
    #: Revisions of the code that the database lacks, oldest first.
    pending: tuple[str, ...] = ()
    #: Revisions that the database is at, and that are not in the code.
    unknown: tuple[str, ...] = ()
    #: The revision that was begun, and that nobody is completing now.
    unfinished: str | None = None
    is_of_later_release: bool = False
    #: Revisions whose file does something else than when it was run.
    edited: tuple[str, ...] = ()
    #: What is in a database that no migration was ever applied to.
    tables: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """`ahead`: a later release has migrated it, and everything of this one is in it."""
        if self.unfinished:
            return "half-applied"
        if self.tables:
            return "unmanaged"
        if self.unknown:
            return "unknown" if self.pending else "ahead"
        if self.pending:
            return "behind"
        return "edited" if self.edited else "current"

    @property
    def reason(self) -> str | None:
        """Why this code must not serve requests on the database, or None."""
        if self.is_of_later_release:
            # It failed, and whoever rolls back is served.
            return replace(self, unfinished=None, is_of_later_release=False).reason
        if self.state in READY:
            return None
        meaning = MEANINGS[self.state]
        return f"{meaning[0].upper()}{meaning[1:]}."


def status(
    connection: sa.Connection, script: ScriptDirectory, *, read_files: bool = False
) -> Status:
    """Where the files are not read, which takes long, `edited` is not found."""
    heads, code = _database_heads(connection), tuple(sorted(script.get_heads()))
    unfinished = server.unfinished(connection)
    found = Status(
        heads,
        code,
        unfinished=unfinished,
        edited=history.edited(connection, script) if read_files else (),
    )
    if heads == code and not unfinished:
        return found
    newest_first = [revision.revision for revision in script.walk_revisions()]
    known = tuple(head for head in heads if head in newest_first)
    applied = {revision.revision for revision in script.iterate_revisions(known, "base")}
    if len(known) < len(heads):
        applied |= history.applied(connection)
    pending = tuple(revision for revision in reversed(newest_first) if revision not in applied)
    return replace(
        found,
        pending=pending,
        unknown=tuple(head for head in heads if head not in known),
        is_of_later_release=bool(unfinished) and unfinished not in newest_first,
        tables=unmanaged_tables(connection) if pending and not heads else (),
    )


def skipped(
    heads: Iterable[str], applied: Collection[str], script: ScriptDirectory
) -> tuple[str, ...]:
    """What comes before one that the database has, and was not run: as after git's rebase."""
    if not applied:
        return ()  # By whom it was migrated, nobody has noted.
    known = {revision.revision for revision in script.walk_revisions()}.intersection(heads)
    lineage = [each.revision for each in script.iterate_revisions(tuple(known), "base")]
    return tuple(each for each in reversed(lineage) if each not in applied)


def unmanaged_tables(connection: sa.Connection, models: Iterable[sa.Table] = ()) -> tuple[str, ...]:
    """The tables of a database that is at no revision, unless all migrations were undone.

    Of other schemas, which others may use, those that models have. In this order: another process
    may run the first migration meanwhile.
    """
    has_table = sa.inspect(connection).has_table
    elsewhere = [each.fullname for each in models if has_table(each.name, schema=each.schema)]
    tables = sorted({*definitions.tables(connection), *elsewhere} - history.OWN_TABLES)
    if tables and server.has_begun(connection):
        return ()
    if tables and sa.inspect(connection).has_table(history.HISTORY.name):
        last = history.last_of_each(connection).values()
        is_undone = all(row.direction == "downgrade" for row in last)
        return () if is_undone or _database_heads(connection) else tuple(tables)
    return tuple(tables)


def applied_by(revision: str, rows: Mapping[str, sa.Row[Any]]) -> str:
    """Who brought the database there, from the last row of each revision."""
    row = rows.get(revision)
    if row is None:
        return f"{revision}, and alembic_history does not tell who applied it"
    who = f" by {row.applied_by or 'somebody'} on {row.host}" if row.host else ""
    return f"{revision}, applied{who} with release {row.release} at {moment(row)}"


def moment(row: sa.Row[Any]) -> str:
    when = row.applied_at
    return f"{when.astimezone(UTC) if when.tzinfo else when:%Y-%m-%dT%H:%M:%SZ}"


def listed(tables: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(tables) - SHOWN} more" if len(tables) > SHOWN else ""
    return ", ".join(tables[:SHOWN]) + more


def _database_heads(connection: sa.Connection) -> tuple[str, ...]:
    # Alembic's own function for it writes two log lines each time.
    if not sa.inspect(connection).has_table(VERSION.name):
        return ()
    return tuple(sorted(connection.scalars(sa.select(VERSION.c.version_num))))
