"""What is said when a migration fails: where, why, what state the database is in, what to do."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from traceback import extract_tb

import alembic
import sqlalchemy
from alembic import context
from alembic.script import Script
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, NoSuchTableError, SQLAlchemyError, StatementError

from .... import DISTRIBUTION
from ....driver import reason
from ..connection import LENGTH
from ..scripts import line_in
from . import server
from .migrate import Plan, Step, shown

TOOLKIT = Path(__file__).parents[1]
LIBRARIES = [Path(package.__path__[0]) for package in (alembic, sqlalchemy)]


@contextmanager
def explained(connection: Connection, plan: Plan) -> Iterator[None]:
    """An error about the database becomes one sentence; any other keeps its traceback."""
    try:
        yield
    except Exception as raised:
        if _is_refusal(raised):
            raise
        error = _cause(raised)
        place = _place(connection)
        is_of_commit = isinstance(error, DBAPIError) and not error.statement
        step = plan.step(place if is_of_commit else None)
        what_next = f"{_state(connection, place)} {_advice(plan, error)}"
        if not is_about_database(error) and not isinstance(error, NotImplementedError):
            raised.add_note(f"{_where(step)} failed. {what_next}")
            raise
        why = [f"{said(error).rstrip('.')}.", *getattr(error, "__notes__", ())]
        raise CommandError(
            f"{_where(step)} failed{_at(error, step)}: {' '.join(why)} {what_next}"
        ) from error


def _is_refusal(error: Exception) -> bool:
    """The toolkit's own says everything; one of Alembic's, or of a migration, says only why."""
    if not isinstance(error, CommandError) or isinstance(error, SQLAlchemyError):
        return False
    return _raised_in(error).is_relative_to(TOOLKIT)


def _cause(raised: Exception) -> Exception:
    """Whatever is tried on a connection after it was lost, or was given up, says something else."""
    cause, error = raised, raised.__context__
    while error:
        if isinstance(error, KeyboardInterrupt):
            raise error
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            cause = error
        error = error.__context__
    return cause


@contextmanager
def unwritable() -> Iterator[None]:
    """What a migration does with rows has no place in a script, nor have some values."""
    try:
        yield
    except (AttributeError, TypeError, SQLAlchemyError) as error:
        place = line_in(context.script._version_locations, error)
        if place is None:
            raise
        file, line = place
        raise CommandError(
            f"{_shown_path(Path(file))}, line {line}, cannot be written as SQL"
            f" ({shorten(str(error), LENGTH)}). Nothing was written: with --sql there are no rows that"
            " a migration could read. Run it without, or let it do something else where"
            " `op.get_context().as_sql` is true."
        ) from error


def is_about_database(error: Exception) -> bool:
    """Alembic raises errors of Python for a name that is not there, and for what SQLite cannot do."""
    if not isinstance(error, KeyError | ValueError | NotImplementedError):
        return isinstance(error, SQLAlchemyError | CommandError)
    return any(_raised_in(error).is_relative_to(package) for package in LIBRARIES)


def _raised_in(error: Exception) -> Path:
    return Path(extract_tb(error.__traceback__)[-1].filename)


def said(error: Exception) -> str:
    if isinstance(error, DBAPIError):
        return reason(error)
    if type(error) in {KeyError, NoSuchTableError}:
        return f"{error} is not there"
    return shorten(str(getattr(error, "orig", error)) or type(error).__name__, LENGTH)


def _place(connection: Connection) -> tuple[str, ...] | None:
    """Asked, since a commit may fail as well."""
    try:
        connection.rollback()
        connection.execution_options(read_only=True)
        return context.get_context().get_current_heads()
    except DBAPIError:
        return None


def _where(step: Step | None) -> str:
    if step is None:
        return "The command"
    script = step.info.up_revision
    if step.info.is_stamp or not isinstance(script, Script):
        return "The stamp"
    direction = "upgrade" if step.info.is_upgrade else "downgrade"
    return f"The {direction} of {script.revision} ({_shown_path(Path(script.path))})"


def _shown_path(path: Path) -> str:
    here = Path.cwd()
    return os.path.relpath(path, here) if path.is_relative_to(here) else str(path)


def _at(error: Exception, step: Step | None) -> str:
    if isinstance(error, DBAPIError) and not error.statement:
        return ""
    if isinstance(error, StatementError) and error.statement:
        # Without the comment by which a session that migrates is known.
        statement = re.sub(r"^/\*.*?\*/", "", error.statement)
        return f" at `{shorten(statement, LENGTH)}`"
    file = getattr(step and step.info.up_revision, "path", None)
    place = line_in([file], error) if file else None
    return f" in line {place[1]}" if place else ""


def _state(connection: Connection, place: tuple[str, ...] | None) -> str:
    try:
        if place is not None:
            return f"{server.what_stays(connection)} The database is at {shown(place)}."
    except DBAPIError:
        pass
    return "What state the database is in cannot be asked just now."


def _advice(plan: Plan, error: Exception) -> str:
    if isinstance(error, NotImplementedError) and not is_about_database(error):
        return "By this error the file says that there is no way."
    is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
    correct = "When the database answers again," if is_lost else "Correct the cause, then"
    advice = f"{correct} run `{plan.command}` again."
    if plan.is_upgrade and plan.place == "base" and "already exists" in said(error):
        advice += (
            f" If it was there before, `{DISTRIBUTION} db baseline` finds the migration that the"
            " database matches."
        )
    return advice
