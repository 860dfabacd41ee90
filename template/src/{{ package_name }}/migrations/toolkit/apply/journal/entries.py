"""The journal's table: one row per statement of the revision under way, or none."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection, inspect

from .statements import Kind, Statement
from .wire import Rows, Wire, code

TABLE = "alembic_journal"
_NO_SUCH_TABLE = 1146
# With `sql_safe_updates` the server deletes nothing without a condition on a key.
_ALL = "WHERE number > 0"


@dataclass(frozen=True)
class Step:
    """What is under way: the upgrade or the downgrade of a revision."""

    direction: str
    revision: str

    def __str__(self) -> str:
        return f"{self.direction} of {self.revision}"


class State(StrEnum):
    #: Written before a definition runs: whether it took effect is not known.
    INTENT = "intent"
    DONE = "done"
    #: The server has said no, and nothing has changed.
    FAILED = "failed"


class Entry(NamedTuple):
    number: int
    direction: str
    revision: str
    state: str
    #: Digest of the file that it stands in.
    file: str
    statement: str
    #: Fingerprints of the parameters.
    parameters: str
    #: Digest of what the statement is about, as it was before.
    schema_before: str | None = None
    #: What the statement gave: rows, counts, or an error.
    outcome: str = "{}"

    @property
    def step(self) -> Step:
        return Step(self.direction, self.revision)

    @property
    def stays(self) -> bool:
        """Whether it has, or may have, changed something."""
        return self.state != State.FAILED and Statement(self.statement).kind is not Kind.READ


_COLUMNS = ", ".join(Entry._fields)
_DEFINITION = """(
    number INT PRIMARY KEY,
    direction VARCHAR(9) NOT NULL,
    revision VARCHAR(255) NOT NULL,
    state VARCHAR(6) NOT NULL,
    file CHAR(64) NOT NULL,
    statement LONGTEXT NOT NULL,
    parameters LONGTEXT NOT NULL,
    schema_before CHAR(64),
    outcome LONGTEXT NOT NULL,
    last_insert_id BIGINT UNSIGNED NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
"""


class Entries:
    """Writes and reads them; who calls says when to commit."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        [(schema,)] = wire.run("SELECT REPLACE(DATABASE(), '`', '``')")
        # Also when a migration says USE.
        self._table = f"`{schema}`.{TABLE}"

    def load(self) -> dict[int, Entry]:
        """What an earlier run has left, by number."""
        rows = self._read()
        # Else the migration would see all rows as they are now.
        self._wire.commit()
        return {entry.number: entry for entry in (Entry(*row) for row in rows)}

    def _read(self) -> Rows:
        query = f"SELECT {_COLUMNS} FROM {self._table}"
        try:
            return self._wire.run(query)
        except self._wire.errors.ProgrammingError as error:
            if code(error) != _NO_SUCH_TABLE:
                raise
            self._wire.run(f"CREATE TABLE IF NOT EXISTS {self._table} {_DEFINITION}")
            return []

    def write(self, entry: Entry) -> None:
        """In place of the one with the same number, with the session's LAST_INSERT_ID()."""
        marks = ", ".join(["%s"] * len(entry))
        self._wire.run(
            f"REPLACE INTO {self._table} ({_COLUMNS}, last_insert_id)"
            f" VALUES ({marks}, LAST_INSERT_ID())",
            *entry,
        )

    def restore_last_insert_id(self, number: int) -> None:
        """For a statement that asks for the one of a statement that ran in another session."""
        query = f"(SELECT last_insert_id FROM {self._table} WHERE number = {number})"
        self._wire.run(f"DO LAST_INSERT_ID({query})")

    def clear(self) -> None:
        self._wire.run(f"DELETE FROM {self._table} {_ALL}")


def forget(connection: Connection) -> None:
    if inspect(connection).has_table(TABLE):
        connection.exec_driver_sql(f"DELETE FROM {TABLE} {_ALL}")


def last_that_stays(connection: Connection) -> Entry | None:
    if not inspect(connection).has_table(TABLE):
        return None
    # What the statements gave may be long, and /readyz asks often.
    columns = _COLUMNS.removesuffix(", outcome")
    rows = connection.exec_driver_sql(f"SELECT {columns} FROM {TABLE} ORDER BY number DESC")
    return next((entry for entry in (Entry(*row) for row in rows) if entry.stays), None)
