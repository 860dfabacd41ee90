"""A lock that others hold ends the attempt, whatever the migration makes of the error."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError

from . import server


@contextmanager
def insisted_on(connection: Connection) -> Iterator[None]:
    """After a conflict, each further statement raises it again, and so does the end.

    A migration that catches every error of a statement would lose the change without a word.
    """
    conflicts: list[DBAPIError] = []

    def remember(context: ExceptionContext) -> None:
        # The engine has another connection, which looks for who is in the way.
        if context.connection is connection:
            error = context.sqlalchemy_exception
            if isinstance(error, DBAPIError) and server.is_lock_conflict(error):
                conflicts.append(error)

    def insist(*_: Any) -> None:
        if conflicts:
            raise conflicts[0]

    event.listen(connection.engine, "handle_error", remember)
    event.listen(connection, "before_cursor_execute", insist)
    try:
        yield
    except Exception:
        insist()
        raise
    finally:
        event.remove(connection, "before_cursor_execute", insist)
        event.remove(connection.engine, "handle_error", remember)
