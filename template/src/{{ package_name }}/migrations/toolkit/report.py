"""`db status`: what is known of the database, for people and for programs, and what to do next."""

import json as json_module
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Row

from ... import DISTRIBUTION
from ...config import load_settings
from ...driver import to_look_at
from . import history
from .apply import server
from .config import migration_url
from .connection import look
from .scripts import PUT_BEHIND, read_scripts, title, ways_to_one_head
from .status import MEANINGS, State, Status, listed, moment, skipped
from .status import status as find_status
from .whereabouts import advice, completion, origins, whereabouts

GOOD: set[State] = {"current", "ahead"}


def status(config: Config, json: bool = False, drift: bool = False) -> None:
    """Compare the database with the migrations of this release."""
    script = read_scripts(config)
    url = migration_url(config)
    absent = None if to_look_at(url) == url else url.database
    with look(url) as connection:
        found = find_status(connection, script, read_files=True)
        rows = history.last_of_each(connection)
        changed = _drift(config, connection, found) if drift else None
        instead = _instead(connection, found)
    report = Report(found, script, rows, changed, absent, instead)
    text = json_module.dumps(report.facts(), indent=2) if json else "\n".join(report.lines())
    config.print_stdout("%s", text)
    if changed or found.state not in GOOD:
        raise SystemExit(1)


def _drift(config: Config, connection: Connection, found: Status) -> list[str]:
    """Where a migration is missing or half done, there is nothing to compare with."""
    if found.unknown or found.unfinished or found.tables:
        raise CommandError(
            f"The database is {found.state}: {MEANINGS[found.state]}. What its migrations make"
            f" cannot be told; see `{DISTRIBUTION} db status`."
        )
    from .drift import drift  # Production needs none of it.

    return drift(config, connection, found.database)


@dataclass
class Report:
    found: Status
    script: ScriptDirectory
    rows: dict[str, Row[Any]]
    drift: list[str] | None
    #: The name of a database that is not there yet.
    absent: str | None
    #: Of `upgrade`, where migrations cannot take turns.
    instead: str | None

    def __post_init__(self) -> None:
        from .team.adopt import to_adopt  # not needed to migrate

        self._scripts = {each.revision: each for each in self.script.walk_revisions()}
        self._to_adopt = list(to_adopt(self.script).values())
        applied = {each for each, row in self.rows.items() if row.direction in history.APPLIED}
        self._skipped = skipped(self.found.database, applied, self.script)

    def facts(self) -> dict[str, Any]:
        found = self.found
        return {
            "state": found.state,
            "ready": found.reason is None,
            "database": found.database,
            "code": found.code,
            "pending": [
                {"revision": revision, "message": self._scripts[revision].doc}
                for revision in found.pending
            ],
            "unknown": [self._origin(revision) for revision in found.unknown],
            "unfinished": found.unfinished,
            "skipped": self._skipped,
            "edited": [
                {"revision": revision, "file": self._scripts[revision].path}
                for revision in found.edited
            ],
            "tables": found.tables,
            "to_adopt": [path.name for path in self._to_adopt],
            **({} if self.drift is None else {"drift": self.drift}),
        }

    def _origin(self, revision: str) -> dict[str, Any]:
        row = self.rows.get(revision)
        return {
            "revision": revision,
            "release": row and row.release,
            "host": row and row.host,
            "applied_by": row and row.applied_by,
            "applied_at": row and moment(row),
            "whereabouts": whereabouts(revision, self.script),
        }

    def lines(self) -> Iterator[str]:
        found = self.found
        yield f"{found.state}: {MEANINGS[found.state]}"
        nothing = ["base", *([f"{self.absent} is not there yet"] if self.absent else [])]
        yield from _aligned("Database", self._titles(found.database) or nothing)
        yield from _aligned("Release", self._titles(found.code) or ["base"])
        yield from _aligned("Pending", self._titles(found.pending))
        yield from _aligned("Unknown", list(origins(found.unknown, self.rows, self.script)))
        yield from _aligned("Unfinished", self._titles(filter(None, [found.unfinished])))
        yield from _aligned("Skipped", self._titles(self._skipped))
        yield from _aligned("Edited", [self._scripts[each].path for each in found.edited])
        yield from _aligned("Tables", [listed(found.tables)] if found.tables else [])
        if self.drift is not None:
            yield from _aligned("Drift", self.drift or ["none: it is what its migrations make"])
        yield from _aligned("To adopt", [path.name for path in self._to_adopt])
        yield from _aligned("Next", list(self._next()))

    def _titles(self, revisions: Iterable[str]) -> list[str]:
        return [
            title(self._scripts[revision]) if revision in self._scripts else revision
            for revision in revisions
        ]

    def _next(self) -> Iterator[str]:
        """What to do: a command, and when it is the right one."""
        found = self.found
        db = f"{DISTRIBUTION} db"
        if len(found.code) > 1:
            yield from ways_to_one_head()
        if found.state == "unknown":
            yield advice(found.unknown, self.script)
        elif found.unfinished:
            yield self._complete(db, found.unfinished)
        elif self._skipped and load_settings().development:
            yield f"{db} rebase, which runs what was put before a migration that the database has"
        elif self._skipped:
            yield f"the database is in use, so that nothing is undone: {PUT_BEHIND}"
        elif found.state == "behind":
            yield self._upgrade(db)
        elif found.state == "edited":
            yield "take the edit back, and write a new migration for what it adds"
        elif found.state == "unmanaged":
            yield f"{db} baseline, if the tables are this service's"
            yield f"{db} -x other-tables=ignore upgrade, if they are somebody else's"
        elif self.drift:
            yield "undo by hand what was done by hand, or write a migration that does it"
        if self._to_adopt:
            yield f"{db} adopt, in the project: an update of the template has brought migrations"

    def _upgrade(self, db: str) -> str:
        if self.instead:
            return f"apply {self.instead}"
        return f"{db} upgrade {_target(self.found)}".removesuffix(" head")

    def _complete(self, db: str, revision: str) -> str:
        if self.found.is_of_later_release:
            return completion(revision, self.script)
        if revision in self.found.pending:
            # Of several last ones, `upgrade` by itself takes none.
            target = f" {revision}" if len(self.found.code) > 1 else ""
            return f"{db} upgrade{target}, which completes it"
        return f"{db} downgrade {revision}-1, which completes it"


def _instead(connection: Connection, found: Status) -> str | None:
    start = ",".join(found.database) or "base"
    command = f"{DISTRIBUTION} db upgrade --sql {start}:{_target(found)}"
    return server.script_instead(connection, found.database, command)


def _target(found: Status) -> str:
    return "heads" if len(found.code) > 1 else "head"


def _aligned(label: str, lines: Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"  {f'{label}:' if number == 0 else '':<12}{line}"
