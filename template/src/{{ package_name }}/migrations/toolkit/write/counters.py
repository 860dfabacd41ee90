"""What numbers the rows of a SERIAL column on PostgreSQL: it keeps its type when that of the column changes."""

import re

from alembic.operations import ops
from sqlalchemy import Connection, text

from ..schema.snapshot import Thing
from .parts import Part, quoted

#: As `compare.facts` has it.
COUNTED = re.compile(r"nextval\(\) AS (\w+)")
NAME = text("SELECT pg_get_serial_sequence(:table, :column)::regclass::text")


def change(column: Thing, found: str, wanted: str, connection: Connection) -> Part | None:
    """Else it would end at the largest number of the old type."""
    old, new = COUNTED.search(found), COUNTED.search(wanted)
    if old is None or new is None or old[1] == new[1]:
        return None
    place = {"table": quoted(column.table, connection.dialect), "column": column.name}
    alter = f"ALTER SEQUENCE {connection.scalar(NAME, place)} AS"
    return Part([ops.ExecuteSQLOp(f"{alter} {new[1]}")], [ops.ExecuteSQLOp(f"{alter} {old[1]}")])
