"""Who is in whose way on MySQL and MariaDB: sessions, as far as the server tells of them."""

from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

# Names are the whole server's, at most 64 characters, and compared without case.
LOCK = "CONCAT('alembic:', LEFT(SHA2(LOWER(DATABASE()), 256), 40))"
#: A session that does nothing for so many seconds is dead, cut off or stuck: longer than a
#: migration pauses between two attempts.
IDLE = 180

_SESSIONS = """
    SELECT id, user, host, command, COALESCE(state, ''), time,
        DATE_FORMAT({since}, '%%Y-%%m-%%d %%H:%%i:%%s'), LEFT(COALESCE(info, {last}), 200)
    FROM information_schema.processlist {transactions}
    WHERE id IN ({ids})
"""
_SINCE_STATEMENT = "UTC_TIMESTAMP() - INTERVAL time SECOND"
# MariaDB has the table, but fills it only where performance_schema is on.
_LAST_STATEMENT = """(
    SELECT MAX(sql_text) FROM performance_schema.events_statements_current
    JOIN performance_schema.threads USING (thread_id) WHERE processlist_id = id
)"""
_TRANSACTIONS = "LEFT JOIN information_schema.innodb_trx ON trx_mysql_thread_id = id"
# These times are in the server's zone, not in the session's.
_SINCE_TRANSACTION = f"""
    COALESCE(CONVERT_TZ(trx_started, 'SYSTEM', '+00:00'), {_SINCE_STATEMENT})
"""

_METADATA_LOCKS = """
    SELECT other.processlist_id
    FROM performance_schema.metadata_locks wanted
    JOIN performance_schema.threads mine ON mine.thread_id = wanted.owner_thread_id
    JOIN performance_schema.metadata_locks held USING (object_type, object_schema, object_name)
    JOIN performance_schema.threads other ON other.thread_id = held.owner_thread_id
    WHERE mine.processlist_id = {id} AND wanted.lock_status = 'PENDING'
        AND held.lock_status = 'GRANTED' AND other.processlist_id <> {id}
"""
_ROW_LOCKS = """
    SELECT other.processlist_id
    FROM performance_schema.data_lock_waits
    JOIN performance_schema.threads mine ON mine.thread_id = requesting_thread_id
    JOIN performance_schema.threads other ON other.thread_id = blocking_thread_id
    WHERE mine.processlist_id = {id}
"""
_ROW_LOCKS_OF_MARIADB = """
    SELECT other.trx_mysql_thread_id
    FROM information_schema.innodb_lock_waits
    JOIN information_schema.innodb_trx mine ON mine.trx_id = requesting_trx_id
    JOIN information_schema.innodb_trx other ON other.trx_id = blocking_trx_id
    WHERE mine.trx_mysql_thread_id = {id}
"""
_OLDER_TRANSACTIONS = """
    SELECT trx_mysql_thread_id FROM information_schema.innodb_trx
    JOIN information_schema.processlist ON id = trx_mysql_thread_id AND db = DATABASE()
    WHERE id <> {id} AND CONVERT_TZ(trx_started, 'SYSTEM', '+00:00')
        <= UTC_TIMESTAMP() - INTERVAL {time} SECOND
"""
# These belong to no session, and which locks they hold is not told.
_PREPARED = """
    SELECT DATE_FORMAT(CONVERT_TZ(trx_started, 'SYSTEM', '+00:00'), '%%Y-%%m-%%d %%H:%%i:%%s')
    FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = 0 AND ({waits} OR EXISTS (
        SELECT 1 FROM information_schema.innodb_trx
        WHERE trx_mysql_thread_id = {id} AND trx_state = 'LOCK WAIT'
    ))
"""


class Session(NamedTuple):
    id: int
    user: str
    host: str
    command: str
    state: str
    #: In seconds, since it does what it does now.
    time: int
    since: str
    query: str | None

    def __str__(self) -> str:
        who = f"{self.user} at {self.host}, {self.command.lower()}, since {self.since} UTC"
        return f"session {self.id} ({who})" + (f": {self.query}" if self.query else "")

    @property
    def is_dead(self) -> bool:
        return self.command == "Sleep" and self.time >= IDLE

    @property
    def waits_for_definition(self) -> bool:
        return self.state.startswith("Waiting for ") and self.state.endswith("lock")


def migrating(connection: Connection) -> Session | None:
    """The session that holds the migration lock, if there is one that this user may see."""
    return next(iter(_sessions(connection, f"IS_USED_LOCK({LOCK})")), None)


def blocking(connection: Connection, session: Session) -> list[str]:
    """A sentence's end for each that this session waits for.

    MariaDB tells of no lock of a definition: there it is likely whose transaction is older.
    """
    for query in (_METADATA_LOCKS, _ROW_LOCKS, _ROW_LOCKS_OF_MARIADB):
        # Another server's table, or a lack of privileges.
        with suppress(DBAPIError):
            if found := _in_full(connection, query.format(id=session.id)):
                return [str(other) for other in found]
    with suppress(DBAPIError):
        query = _PREPARED.format(id=session.id, waits=session.waits_for_definition)
        if begun := connection.exec_driver_sql(query).scalars().all():
            how = "see XA RECOVER, and end it by XA COMMIT or XA ROLLBACK"
            return [
                f"probably a prepared transaction, since {since} UTC ({how})" for since in begun
            ]
    if not session.waits_for_definition:
        return []
    with suppress(DBAPIError):
        query = _OLDER_TRANSACTIONS.format(id=session.id, time=session.time)
        if found := _in_full(connection, query):
            return [f"probably {other}" for other in found]
    return ["a session that this user may not see without the privilege PROCESS"]


def _in_full(connection: Connection, ids: str) -> list[Session]:
    return _sessions(
        connection, ids, since=_SINCE_TRANSACTION, last=_LAST_STATEMENT, transactions=_TRANSACTIONS
    )


def _sessions(
    connection: Connection,
    ids: str,
    *,
    since: str = _SINCE_STATEMENT,
    last: str = "NULL",
    transactions: str = "",
) -> list[Session]:
    query = _SESSIONS.format(ids=ids, since=since, last=last, transactions=transactions)
    return [Session(*row) for row in connection.exec_driver_sql(query)]
