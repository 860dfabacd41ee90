"""Whether the one statement whose answer never came took effect."""

from typing import Literal

from alembic.util import CommandError

from ..... import DISTRIBUTION
from .entries import Entry
from .schema import UNSURE, Schema
from .statements import Statement
from .wire import Wire

#: `-x resume=...`: what the user says of that statement; "restart" forgets all that was done.
Resume = Literal["done", "again", "restart"]

_NO_SUCH_TRIGGER = "1360"


def can_be_judged(entry: Entry) -> bool:
    """Whether the definitions alone will tell, and not that it may as well run twice."""
    before = entry.schema_before
    is_repeatable = Statement.parse(entry.statement).is_repeatable
    return before is not None and not before.endswith(UNSURE) and not is_repeatable


def took_effect(entry: Entry, schema: Schema, wire: Wire, resume: Resume | None) -> bool:
    """Rests on two things: the server executes each definition all or not, and nobody else has
    changed the same table since."""
    statement = Statement.parse(entry.statement)
    if resume:
        return resume == "done"
    if statement.is_repeatable:
        return False
    before = entry.schema_before
    if before is None or (statement.swaps and before.endswith(UNSURE)):
        raise CommandError(_unknown(entry))
    if schema.digest(statement) == before:
        _remove_orphans(statement, schema, wire)
        return False
    if statement.drops:
        schema.forget(statement)
        wire.run(statement.drops)
    return True


def _remove_orphans(statement: Statement, schema: Schema, wire: Wire) -> None:
    """MariaDB, killed while it creates a trigger, leaves half of it, which blocks the name."""
    for kind, name in statement.objects:
        if kind == "TRIGGER" and schema.show(kind, name) == _NO_SUCH_TRIGGER:
            wire.run(f"DROP TRIGGER IF EXISTS {name}")


def _unknown(entry: Entry) -> str:
    return (
        f"The {entry.step} was interrupted at statement {entry.number},"
        " and the server does not tell whether it took effect. Look at the database, then run the"
        f" same command with `{DISTRIBUTION} db -x resume=done` if it did or `-x resume=again` if"
        f" it did not: {entry.statement[:300]}"
    )
