"""What the server says of a statement: the gentlest way in which it agrees to change a table."""

import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, event

from .changes import Change
from .recording import Cost, Recording, Statement
from .sql import names_from_now_on
from .words import TABLE

#: Rules that apply to MySQL and MariaDB, with the safe way.
RULES = {
    "drop-schema": "Release code that no longer uses it first; drop it in a release after that.",
    "truncate-table": "Delete in batches what is no longer needed, or say why nobody misses it.",
    "set-not-null": "Release code that writes no NULL, fill the column with safe_ops.batched_update,"
    " and then make it NOT NULL.",
    "change-type": "Add a column of the new type, write both, fill it with safe_ops.batched_update,"
    " read the new one, and drop the old one, in a release for each step.",
    "add-foreign-key": "safe_ops.create_foreign_key: it looks for rows without the one that they"
    " refer to, and adds it in place.",
    "add-check": "Where writes can wait, say so; else let the code check, or use a tool that copies"
    " the table beside it (gh-ost, pt-online-schema-change).",
    "unbatched-update": "safe_ops.batched_update, in a migration of its own.",
    "copies-table": "Nobody can write while the table is copied: split it into what the server does"
    " INSTANT or INPLACE, or use a tool that copies it beside (gh-ost, pt-online-schema-change).",
    "blocks-writes": "Nobody can write meanwhile: split it into what the server does with LOCK=NONE,"
    " or use a tool that copies the table beside (gh-ost, pt-online-schema-change).",
    "wide-index": "Name the columns that a query really narrows down by: three are nearly always"
    " enough.",
}
#: Whether they apply, the server says: some changes of this kind cost it nothing.
ASKED = {"change-type", "add-foreign-key", "add-check"}
#: Also where a column has no values yet.
ALSO_ON_EMPTY: set[str] = set()

CHANGE = re.compile(
    r"\s*(?P<alter>ALTER TABLE|CREATE (?:UNIQUE |FULLTEXT |SPATIAL )?INDEX .*? ON|DROP INDEX .*? ON)"
    rf" {TABLE}",
    re.I | re.DOTALL,
)
#: From the gentlest on; only MariaDB knows NOCOPY.
WAYS = [
    ("ALGORITHM=INSTANT", ""),
    ("ALGORITHM=NOCOPY", "LOCK=NONE"),
    ("ALGORITHM=INPLACE", "LOCK=NONE"),
    ("ALGORITHM=INPLACE", "LOCK=SHARED"),
    ("ALGORITHM=COPY", "LOCK=SHARED"),
    ("ALGORITHM=COPY", "LOCK=EXCLUSIVE"),
]
#: Not in this way; or the statement takes no such words.
REFUSED = {1064, 1221, 1235, 1800, 1845, 1846}
GIVEN = re.compile(r"\b(ALGORITHM|LOCK)\s*=", re.I)


class Tracer:
    """It offers one way after the other, in place of what SQLAlchemy is about to execute."""

    def __init__(self, connection: Connection) -> None:
        self._cost = Cost()
        self._tables: set[str] = set()
        for name in ("do_execute", "do_execute_no_params"):
            event.listen(connection.engine, name, self._execute)

    def begin(self, connection: Connection) -> set[str]:
        """Only the tables that are there now are used by anybody."""
        rows = connection.exec_driver_sql(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
        )
        self._tables = {row[0] for row in rows}
        connection.commit()
        return self._tables

    def after(self, statement: Statement) -> None:
        statement.cost, self._cost = self._cost, Cost()
        self._tables |= names_from_now_on(statement.sql, self._tables)

    def _execute(self, cursor: Any, sql: str, *rest: Any) -> bool:
        """Whether the statement is executed."""
        found = CHANGE.match(sql)
        table = found["table"].strip("`") if found else ""
        if found is None or table not in self._tables or GIVEN.search(sql):
            return False
        comma = ", " if found["alter"].upper() == "ALTER TABLE" else " "
        for algorithm, lock in WAYS:
            words = comma.join(filter(None, (sql.rstrip("; \n"), algorithm, lock)))
            *parameters, _ = rest
            try:
                cursor.execute(words, *parameters)
            except Exception as error:
                if error.args and error.args[0] in REFUSED:
                    continue
                raise
            self._cost = _cost(table, algorithm, lock)
            return True
        return False


def _cost(table: str, algorithm: str, lock: str) -> Cost:
    copies = algorithm.endswith("COPY") and not algorithm.endswith("NOCOPY")
    blocks = lock not in {"", "LOCK=NONE"}
    return Cost(
        ((" ".join(filter(None, (algorithm, lock))), table),),
        (table,) if copies else (),
        code="copies-table" if copies else "blocks-writes" if blocks else None,
    )


def of_recording(_: Recording) -> Iterable[tuple[int, Change]]:
    """What only a whole migration shows: nothing, since each statement commits by itself."""
    return ()
