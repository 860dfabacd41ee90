"""Where a migration is that the database has, and this code has not."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util import CommandError, DatabaseNotAtHead
from sqlalchemy import Row

from ... import DISTRIBUTION
from ...config import PROJECT, load_settings
from .scripts import squashes
from .status import applied_by


def whereabouts(revision: str, script: ScriptDirectory) -> str | None:
    """In words, as far as the files and git tell."""
    if other := squashes(script.walk_revisions()).get(revision):
        return f"it was squashed into {other}"
    if PROJECT is None:
        return None
    from .git import find

    git = find(script)
    return git.whereabouts(revision) if git else None


def origins(
    revisions: Iterable[str], rows: Mapping[str, Row[Any]], script: ScriptDirectory
) -> Iterator[str]:
    """Who brought the database there, and where these are that this code has not."""
    for revision in revisions:
        yield applied_by(revision, rows)
        if where := whereabouts(revision, script):
            yield where


def located(error: CommandError, script: ScriptDirectory) -> str:
    """What Alembic says, and where the migration is that it looked for."""
    cause = error.__cause__
    if str(cause).startswith("Multiple revisions start with"):
        return f"{str(cause).rstrip('.')}. Write more of the one that is meant."
    where = isinstance(cause, ResolutionError) and whereabouts(str(cause.argument), script)
    return f"{str(error).rstrip('.')}: {where}." if where else str(error)


@contextmanager
def advising(script: ScriptDirectory) -> Iterator[None]:
    """Where Alembic only says that it knows no such migration: say where it is, or what to do."""
    try:
        yield
    except DatabaseNotAtHead as error:
        raise CommandError(f"{error}: `{DISTRIBUTION} db status` tells what it lacks.") from error
    except CommandError as error:
        if not isinstance(error.__cause__, ResolutionError):
            raise
        said = located(error, script)
        if said == str(error):
            said = (
                f"{said.rstrip('.')}. `{DISTRIBUTION} db history` lists the migrations of this release,"
                f" and `{DISTRIBUTION} db status` tells where the database is."
            )
        raise CommandError(said) from error


def advice(revisions: Sequence[str], script: ScriptDirectory) -> str:
    """What to do with a database that is at revisions which are not here."""
    squashed = squashes(script.walk_revisions())
    for revision in revisions:
        if other := squashed.get(revision):
            return (
                f"bring the database to {other} with a release that still has {revision}, and come"
                " back then"
            )
    text = "use the release that has it, or let that one take it back (`db downgrade`)"
    if PROJECT is not None and load_settings().development:
        text += f"; or make this database anew with `{DISTRIBUTION} db reset`"
    return text


def completion(revision: str, script: ScriptDirectory) -> str:
    """What to do with a migration that was begun, and that this code has not."""
    where = whereabouts(revision, script)
    return (
        f"complete it with the release that began it{f' ({where})' if where else ''}, by the same"
        " command; or put the database in order by hand, and tell where it is with"
        f" `{DISTRIBUTION} db stamp`"
    )
