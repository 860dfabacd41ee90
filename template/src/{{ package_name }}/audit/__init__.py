"""The audit log: what was changed in which row, when, in which request, and by whom.

Whatever a session writes leaves an entry in the same transaction. Name the actor where a request is
authenticated; the lines of the log name them, too:

    structlog.contextvars.bind_contextvars(actor="ann@example.org")

`mapped_column(info={"audit": False})` leaves out what a column holds, and `__table_args__ = {"info":
{"audit": False}}` a whole table. No entry comes of SQL that names no table of `Base`: `text()`,
statements on a connection, what the database does by itself (ON DELETE, triggers), the rows of a
relationship's `secondary` table.
"""

from . import recording
from .models import AuditEntry

__all__ = ["AuditEntry"]

recording.install()
