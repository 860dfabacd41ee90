"""`db plan`: what `upgrade` would do, tried in a throw-away database."""

import json
from collections.abc import Iterator
from typing import Any

from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from .... import DISTRIBUTION
from ....driver import reason
from ..config import migration_url
from ..connection import look
from ..scripts import read_scripts, title
from ..status import status
from .lint import shown
from .recording import Statement
from .review import Review, Reviews, review


def plan(config: Config, *, as_json: bool) -> None:
    """Exit code 1 if there are findings."""
    reviewed = review(config, _pending(config), are_one_release=True, models={})
    if as_json:
        config.print_stdout("%s", json.dumps(_facts(reviewed), indent=2))
    else:
        config.print_stdout("%s", "\n".join(_lines(reviewed)))
    if reviewed.findings:
        raise SystemExit(1)


def _pending(config: Config) -> tuple[str, ...]:
    script = read_scripts(config)
    try:
        with look(migration_url(config)) as connection:
            found = status(connection, script)
    except DBAPIError as error:
        raise CommandError(f"The database does not tell where it is: {reason(error)}.") from None
    if found.state == "unknown":
        raise CommandError(
            "The database is at a migration that this release does not know: see"
            f" `{DISTRIBUTION} db status`."
        )
    return tuple(found.pending)


def _facts(reviewed: Reviews) -> dict[str, Any]:
    return {
        "pending": [
            {
                "revision": each.script.revision,
                "message": each.script.doc,
                "file": each.file,
                "statements": [
                    {
                        "line": statement.line,
                        "sql": statement.sql,
                        "locks": [f"{lock} on {table}" for lock, table in statement.cost.locks],
                        "rewrites": statement.cost.rewrites,
                        "scans": statement.cost.scans,
                    }
                    for statement in each.statements
                    if statement.is_shown
                ],
                "findings": [finding._asdict() for finding in each.findings],
            }
            for each in reviewed.migrations
        ],
        "breaks": [each.what for each in reviewed.breaks],
    }


def _lines(reviewed: Reviews) -> Iterator[str]:
    if not reviewed.migrations:
        yield "Nothing is pending."
        return
    for each in reviewed.migrations:
        yield from _of_migration(each)
    found = len(reviewed.findings)
    yield f"{found} finding{'' if found == 1 else 's'}." if found else "Nothing found."
    yield f"Code that was written for the database as it is {reviewed.works} on the new schema."


def _of_migration(each: Review) -> Iterator[str]:
    yield f"{title(each.script)}, {each.file}"
    for statement in each.statements:
        if statement.is_shown:
            yield from (f"    {line}" for line in _statement(statement))
    yield from (f"  {line}" for line in shown(each.findings))
    yield ""


def _statement(statement: Statement) -> Iterator[str]:
    text = statement.sql.rstrip("; \n").expandtabs(2) + ";"
    yield from (line.rstrip() for line in text.splitlines() if line.strip())
    cost = statement.cost
    yield from (f"  -- {lock} on {table}" for lock, table in cost.locks)
    yield from (f"  -- writes all rows of {table} anew" for table in cost.rewrites)
    yield from (f"  -- reads all rows for {what}" for what in cost.scans)
