"""A developer's own database, which follows when migrations change their places."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import RevisionStep
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection

from .... import DISTRIBUTION
from ....config import load_settings
from .. import history
from ..apply.loss import Notes
from ..config import migration_url
from ..connection import look
from ..refusal import RefusedError, incomplete
from ..scripts import PUT_BEHIND, squashes, title
from ..status import status
from .links import lineage


@dataclass
class Undo:
    """Of the migrations that stand in the wrong place in the database."""

    config: Config
    script: ScriptDirectory
    moved: set[str]
    onto: str
    lose: set[str]
    #: Newest first.
    scripts: list[Script] = field(default_factory=list)
    #: At a migration that has no file.
    is_elsewhere: bool = False
    #: Where the database is before and after they are undone, if Alembic would not know.
    _beginning: list[str] | None = None
    _place: list[str] | None = None

    def look(self) -> None:
        """Refuse, before anything is changed, what must not be undone."""
        with look(migration_url(self.config)) as connection:
            found = status(connection, self.script)
            if found.unknown:
                if self.moved:
                    self._leave(found.unknown)
                return
            if found.unfinished in self.moved:  # Behind others it could not be completed.
                way = "upgrade" if found.unfinished in found.pending else "downgrade"
                raise incomplete(way, found.unfinished)
            self._find(connection, found.database)
            if self.scripts:
                self._refuse_elsewhere()
                self._refuse_loss(connection)

    def _leave(self, unknown: Sequence[str]) -> None:
        """As in the middle of git's own rebase, which has not brought all files yet."""
        self.is_elsewhere = True
        self.config.print_stdout(
            "%s",
            f"The database is at {', '.join(unknown)}, which has no file here, and stays as it is."
            f" When all files are here, run `{DISTRIBUTION} db rebase` again.",
        )

    def _find(self, connection: Connection, heads: tuple[str, ...]) -> None:
        """The moved ones, and all that came before one that was put in front of them."""
        applied = history.applied(connection)
        newest_first = lineage(self.script, *heads)
        # Where the database is has followed these, until somebody put it elsewhere.
        known = list(self.script.walk_revisions())
        strays = [each for each in known if each.revision in applied and each not in newest_first]
        if strays:
            self._beginning = [*heads, *sorted(_last(strays))]
            newest_first = lineage(self.script, *self._beginning)
        skipped = [each for each in newest_first if applied and each.revision not in applied]
        if skipped:
            self._refuse_twice(skipped, applied, heads)
        wrong = self.moved | {each.revision for each in (*skipped, *strays)}
        for each in reversed(newest_first):
            if wrong.intersection(each._all_down_revisions):
                wrong.add(each.revision)
        self.scripts = [
            each for each in newest_first if each.revision in wrong and each not in skipped
        ]
        if skipped:
            right = [each for each in newest_first if each.revision not in wrong]
            self._place = _last(right) or ["base"]

    def _refuse_twice(
        self, skipped: Sequence[Script], applied: set[str], heads: tuple[str, ...]
    ) -> None:
        """What the database has of them would be made again: in a part, or under another id."""
        known = {each.revision for each in self.script.walk_revisions()}
        gone = applied - known - squashes(self.script.walk_revisions()).keys()
        reset = f"`{DISTRIBUTION} db reset`"
        for each in skipped:
            if applied.intersection(getattr(each.module, "replaces", ())):
                raise RefusedError(
                    f"The database has a part only of what was squashed into {title(each)}. Nothing was"
                    " done: bring it there with the files from before that, and come back then; or"
                    f" {reset}."
                )
        if gone:
            raise RefusedError(
                f"The database has had {', '.join(sorted(gone))}, which has no file here, and not"
                f" {_listed(skipped)}, which comes before what it is at. Nothing was done: if the"
                f" only difference is the id, run `{DISTRIBUTION} db stamp --purge {' '.join(heads)}`;"
                f" if not, {reset}."
            )

    def _refuse_elsewhere(self) -> None:
        if not load_settings().development:
            way = PUT_BEHIND if self._place else f"join it with `{DISTRIBUTION} db merge`"
            raise RefusedError(
                f"{_listed(self.scripts)} were applied to this database, and ENVIRONMENT is not"
                f" development. Nothing was done: what is in use stays where it is; {way}."
            )

    def _refuse_loss(self, connection: Connection) -> None:
        notes = Notes(connection)
        for each in self.scripts:
            notes.take(each)
        declared = {name for each in self.scripts for name in getattr(each.module, "loses", ())}
        kept = notes.empty | declared | self.lose
        lost = {what: name for what, name in notes.losses.items() if name not in kept}
        if lost:
            names = " ".join(f"--lose {name}" for name in sorted({*lost.values(), *self.lose}))
            raise RefusedError(
                f"{_listed(self.scripts)} would be undone and applied again behind the others, and"
                f" that loses {', '.join(lost)}. Nothing was done. If it may be lost, run"
                f" `{DISTRIBUTION} db rebase {self.onto} {names}`."
            )

    def run(self) -> None:
        if not self.scripts:
            return
        if self._beginning is not None:
            command.stamp(self.config, self._beginning)
        steps = [RevisionStep(self.script.revision_map, each, False) for each in self.scripts]

        def downgrade(*_: Any) -> list[RevisionStep]:
            return steps

        before = self.scripts[-1].down_revision
        target = before if isinstance(before, str) else "base"
        with EnvironmentContext(
            self.config, self.script, fn=downgrade, destination_rev=target, as_sql=False
        ):
            self.script.run_env()
        if self._place is not None:
            command.stamp(self.config, self._place)


def _last(scripts: Sequence[Script]) -> list[str]:
    """Those that no other one of them follows."""
    followed = {before for each in scripts for before in each._all_down_revisions}
    return [each.revision for each in scripts if each.revision not in followed]


def _listed(scripts: Sequence[Script]) -> str:
    return ", ".join(map(title, reversed(scripts)))
