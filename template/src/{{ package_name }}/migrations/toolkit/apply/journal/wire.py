"""The journal's own statements, on the connection that migrates."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection

Rows = list[tuple[Any, ...]]

# The client's own errors, and the one of a connection that it has closed: no answer came.
_CLIENT_ERRORS = range(2000, 3000)
_CLOSED = 0


class Wire:
    """Below SQLAlchemy, whose events would journal them in turn, and each on a cursor of its own:
    the migration's cursor keeps its row count."""

    def __init__(self, connection: Connection) -> None:
        self._connection: Any = connection.connection.dbapi_connection
        self.errors: Any = connection.dialect.loaded_dbapi

    def run(self, sql: str, *values: Any) -> Rows:
        cursor = self._connection.cursor()
        try:
            cursor.execute(sql, values or None)
            return list(cursor.fetchall())
        finally:
            cursor.close()

    def commit(self) -> None:
        self.run("COMMIT")

    @property
    def autocommits(self) -> bool:
        return bool(self._connection.get_autocommit())

    @contextmanager
    def autocommit(self) -> Iterator[None]:
        before = self.autocommits
        self._connection.autocommit(True)
        try:
            yield
        finally:
            with suppress(self.errors.Error):
                self._connection.autocommit(before)


def code(error: BaseException) -> int:
    """The server's number of an error."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else -1


def is_answer(error: BaseException) -> bool:
    """Whether the server has said that the statement failed; else nobody knows what became of it."""
    return code(error) not in _CLIENT_ERRORS and code(error) != _CLOSED
