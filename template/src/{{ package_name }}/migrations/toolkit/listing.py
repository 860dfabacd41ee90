"""`db history`: the migrations of this release, and beside each what became of it."""

import json as json_module
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Row

from .config import migration_url
from .connection import look
from .history import APPLIED, all_rows
from .scripts import read_scripts, squashes
from .status import Status, moment, status

WORDS = {
    "upgrade": "applied",
    "downgrade": "undone",
    "stamp": "stamped as applied",
    "unstamp": "stamped as not applied",
}


def history(
    config: Config,
    rev_range: str | None = None,
    verbose: bool = False,
    indicate_current: bool = False,
    json: bool = False,
) -> None:
    """List the migrations, newest first, and who applied each; --verbose has all that was done."""
    script = read_scripts(config)
    known = Known()
    try:
        known = _ask(config, script)
    except (CommandError, SystemExit) as error:
        if indicate_current or "current" in (rev_range or ""):
            raise
        print(f"This is what the files know. {error}", file=sys.stderr)
    scripts = _walk(script, rev_range, known)
    if json:
        facts = [_facts(each, known) for each in scripts]
        config.print_stdout("%s", json_module.dumps(facts, indent=2))
        return
    if rev_range is None:
        for line in _of_other_releases(script, known, verbose=verbose):
            config.print_stdout("%s", line)
    for each in scripts:
        is_marked = indicate_current and each.revision in known.heads
        for line in [
            _title(each, verbose=verbose, is_marked=is_marked),
            *(f"    {text}" for text in known.about(each.revision, verbose=verbose)),
            *([""] if verbose else []),
        ]:
            config.print_stdout("%s", line)


@dataclass(frozen=True)
class Known:
    """What the database tells; nothing where it cannot be asked."""

    found: Status | None = None
    rows: dict[str, list[Row[Any]]] = field(default_factory=dict)

    @property
    def heads(self) -> tuple[str, ...]:
        return self.found.database if self.found else ()

    def about(self, revision: str, *, verbose: bool) -> Iterator[str]:
        if self.found is None:
            return
        rows = self.rows.get(revision, [])
        yield from map(_in_words, rows if verbose else rows[-1:])
        if not rows:
            is_pending = revision in self.found.pending
            yield "not applied" if is_pending else "applied, and nobody knows by whom"
        if revision in self.found.edited:
            yield "the file was edited since"


def _ask(config: Config, script: ScriptDirectory) -> Known:
    with look(migration_url(config)) as connection:
        found = status(connection, script, read_files=True)
        rows = defaultdict(list)
        for row in all_rows(connection):
            rows[row.revision].append(row)
    return Known(found, dict(rows))


def _walk(script: ScriptDirectory, rev_range: str | None, known: Known) -> list[Script]:
    """As Alembic does, with the same words for both ends."""
    first, colon, last = (rev_range or ":").strip().partition(":")
    if not colon:
        raise CommandError("A range is [first]:[last], and each may be left out: -r 27c6:head.")
    current: Any = known.heads or "base"
    return list(
        script.walk_revisions(
            base=current if first == "current" else first or "base",
            head=current if last == "current" else last or "heads",
        )
    )


def _title(script: Script, *, verbose: bool, is_marked: bool) -> str:
    script._db_current_indicator = is_marked  # As Alembic's own command says it.
    text = script.cmd_format(
        verbose, include_branches=True, include_doc=bool(script.doc), include_parents=True
    )
    return text.rstrip()


def _of_other_releases(script: ScriptDirectory, known: Known, *, verbose: bool) -> Iterator[str]:
    scripts = list(script.walk_revisions())
    own = {each.revision for each in scripts} | squashes(scripts).keys()
    for revision, rows in reversed(known.rows.items()):
        if revision not in own and rows[-1].direction in APPLIED:
            yield f"{revision}, which this release does not have"
            yield from (f"    {text}" for text in known.about(revision, verbose=verbose))


def _in_words(row: Row[Any]) -> str:
    who = f"by {row.applied_by or 'somebody'} on {row.host}" if row.host else "by a script"
    has_run = row.direction in {"upgrade", "downgrade"} and row.seconds is not None
    duration = f", in {row.seconds:g} s" if has_run else ""
    return f"{WORDS[row.direction]} {moment(row)} {who} with release {row.release}{duration}"


def _facts(script: Script, known: Known) -> dict[str, Any]:
    found = known.found
    return {
        "revision": script.revision,
        "message": script.doc,
        "file": script.path,
        "applied": None if found is None else script.revision not in found.pending,
        "edited": None if found is None else script.revision in found.edited,
        "log": [
            {
                "direction": row.direction,
                "applied_at": moment(row),
                "applied_by": row.applied_by,
                "host": row.host,
                "release": row.release,
                "seconds": row.seconds,
            }
            for row in known.rows.get(script.revision, [])
        ],
    }
