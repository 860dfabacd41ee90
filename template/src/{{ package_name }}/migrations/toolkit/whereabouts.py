"""Where a migration is that the database has, and this code has not."""

from collections.abc import Sequence

from alembic.script import ScriptDirectory

from ... import DISTRIBUTION
from ...config import PROJECT, load_settings


def whereabouts(revision: str, script: ScriptDirectory) -> str | None:
    """In words, as far as the files and git tell."""
    if other := squashed_into(revision, script):
        return f"it was squashed into {other}"
    if PROJECT is None:
        return None
    from .write.git import find

    git = find(script)
    return git.whereabouts(revision) if git else None


def squashed_into(revision: str, script: ScriptDirectory) -> str | None:
    for each in script.walk_revisions():
        if revision in getattr(each.module, "replaces", ()):
            return each.revision
    return None


def advice(revisions: Sequence[str], script: ScriptDirectory) -> str:
    """What to do with a database that is at revisions which are not here."""
    for revision in revisions:
        if other := squashed_into(revision, script):
            return (
                f"bring the database to {other} with a release that still has {revision}, and come"
                " back then"
            )
    text = "use the release that has it, or let that one take it back (`db downgrade`)"
    if PROJECT is not None and load_settings().development:
        text += f"; or make this database anew with `{DISTRIBUTION} db reset`"
    return text
