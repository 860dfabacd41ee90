"""What is said when a migration fails: where, why, what state the database is in, what to do."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten

from alembic import context
from alembic.script import Script
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ....driver import reason
from ..connection import LENGTH
from . import server
from .migrate import Plan, Step, shown


@contextmanager
def explained(connection: Connection, plan: Plan) -> Iterator[None]:
    """An error of the database becomes one sentence; what Python raises keeps its traceback."""
    try:
        yield
    except CommandError:
        raise
    except DBAPIError as error:
        place = _place(connection)
        step = plan.step if error.statement else plan.step_from(place)
        raise CommandError(
            f"{_where(step)} failed{_at(error)}: {reason(error).rstrip('.')}."
            f" {_state(connection, place)}"
            f" {_advice(plan, error)}"
        ) from error
    except Exception as error:
        place = _place(connection)
        error.add_note(
            f"{_where(plan.step)} failed. {_state(connection, place)} {_advice(plan, error)}"
        )
        raise


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


def _at(error: DBAPIError) -> str:
    if not error.statement:
        return ""
    # Without the comment by which a session that migrates is known.
    statement = re.sub(r"^/\*.*?\*/", "", error.statement)
    return f" at `{shorten(statement, LENGTH)}`"


def _state(connection: Connection, place: tuple[str, ...] | None) -> str:
    try:
        if place is not None:
            return f"{server.what_stays(connection)} The database is at {shown(place)}."
    except DBAPIError:
        pass
    return "What state the database is in cannot be asked just now."


def _advice(plan: Plan, error: Exception) -> str:
    is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
    correct = "When the database answers again," if is_lost else "Correct the cause, then"
    return f"{correct} run `{plan.command}` again."
