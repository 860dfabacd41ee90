"""SQLite tells nothing of a statement. What makes a table anew, row by row, can be seen in its text."""

import re
from collections.abc import Iterator

from alembic.operations import ops
from sqlalchemy import Connection, inspect

from ..apply.server import FIXED
from .changes import Change
from .recording import Cost, Recording, Statement
from .sql import names_from_now_on

#: Rules that apply to SQLite, with the safe way.
RULES = {
    "set-not-null": "Release code that writes no NULL, fill the column, and then make it NOT NULL.",
    "recreates-table": "op.drop_column without batch_alter_table, which SQLite does in place.",
    "one-transaction": "Leave it out: all migrations of a run are one transaction, in which foreign keys"
    " are off.",
}
#: Other databases are asked.
ASKED: set[str] = set()
#: Also where a column has no values yet.
ALSO_ON_EMPTY: set[str] = set()

# What SQLite refuses while `apply/server.py` has it so.
DIVIDES = re.compile(
    rf"(BEGIN|COMMIT|END|ROLLBACK(?!\s+TO))\b|PRAGMA\s+({'|'.join(FIXED)})\s*[=(]", re.IGNORECASE
)
NEW_TABLE = re.compile(r'CREATE TABLE "?_alembic_tmp_(?P<table>[^"]+?)"? ?\(')


class Tracer:
    def __init__(self, _: Connection) -> None:
        self._tables: set[str] = set()

    def begin(self, connection: Connection) -> set[str]:
        """Only the tables that are there now are used by anybody."""
        self._tables = set(inspect(connection).get_table_names())
        connection.rollback()
        return self._tables

    def after(self, statement: Statement) -> None:
        self._tables |= names_from_now_on(statement.sql, self._tables)
        found = NEW_TABLE.match(statement.sql)
        if found and found["table"] in self._tables:
            statement.cost = Cost(rewrites=(found["table"],))


def of_recording(recording: Recording) -> Iterator[tuple[int, Change]]:
    """What only a whole migration shows."""
    for statement in recording.statements:
        if statement.origin == "sql" and DIVIDES.match(statement.sql):
            what = f"`{statement.sql}` divides the transaction, which `db upgrade` refuses"
            yield statement.line, Change("one-transaction", "", what)
        for table in statement.cost.rewrites:
            changed = [
                noted.operation
                for noted in recording.operations
                if getattr(noted.operation, "table_name", None) == table
            ]
            if changed and all(isinstance(each, ops.DropColumnOp) for each in changed):
                what = f"makes the whole table {table} anew to drop a column"
                yield statement.line, Change("recreates-table", table, what)
