"""What PostgreSQL says of a statement while it runs: its locks, and what it rewrites and reads."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, cast

import psycopg
from sqlalchemy import Connection

from ..apply.server import end_of_transaction
from . import squawk
from .changes import Change
from .recording import Cost, Recording, Statement
from .sql import of_sql

#: Rules that apply to PostgreSQL, with the safe way.
RULES = {
    "drop-schema": "Release code that no longer uses it first; drop it in a release after that.",
    "truncate-table": "Delete in batches what is no longer needed, or say why nobody misses it.",
    "rename-schema": "Make the new one, and move to it in steps that running code survives.",
    "rename-enum-value": "Add the new value, release code that knows both, change the rows in"
    " batches; an unused value does no harm.",
    "set-not-null": "safe_ops.set_not_null: it has the rows checked without keeping anybody out.",
    "change-type": "Add a column of the new type, write both, fill it with safe_ops.batched_update,"
    " read the new one, and drop the old one, in a release for each step.",
    "index-not-concurrent": "safe_ops.create_index, which lets others write meanwhile.",
    "drop-index-not-concurrent": "safe_ops.drop_index, which waits without keeping others out.",
    "reindex-not-concurrent": "REINDEX ... CONCURRENTLY in an autocommit_block().",
    "concurrent-in-transaction": "safe_ops.create_index or safe_ops.drop_index: CONCURRENTLY works"
    " in no transaction.",
    "one-transaction": "Leave it out: each migration is one transaction. What runs in none goes into"
    " an autocommit_block(), before anything is changed.",
    "block-not-first": "Move what is in the autocommit_block() to a migration of its own: the block"
    " would commit what is before it, half applied.",
    "add-foreign-key": "safe_ops.create_foreign_key: it has the rows checked without keeping anybody"
    " out.",
    "add-check": "safe_ops.create_check: it has the rows checked without keeping anybody out.",
    "add-unique": "See that there are no duplicates and that running code writes none; then"
    " safe_ops.create_unique, or of a part of the rows safe_ops.create_index with unique=True: others"
    " can write meanwhile.",
    "add-primary-key": "Build a unique index with safe_ops.create_index, then `ALTER TABLE ... ADD"
    " PRIMARY KEY USING INDEX ...`.",
    "add-exclusion": "There is none for a table in use: make a new table with it, and move to it.",
    "unbatched-update": "safe_ops.batched_update, in a migration of its own.",
    "data-and-schema": "Change the rows in a migration of its own: meanwhile nobody can use the"
    " tables that this one has locked.",
    "locks-several-tables": "A migration for each table: this one keeps them all from everybody"
    " until it ends.",
    "detach-partition": "DETACH PARTITION ... CONCURRENTLY in an autocommit_block().",
    "dynamic-sql": "What it runs is not seen here: write the statement itself, or EXECUTE '...' with"
    " all of it; or read what it makes, and say why that is safe.",
    "lock-table": "Leave it out: each statement takes the lock that it needs, and the migration"
    " is tried again where others hold one; change rows with safe_ops.batched_update.",
    "rewrites-table": "Of a column: add it without, give the default to new rows, and fill the old ones"
    " with safe_ops.batched_update. Of a whole table: leave it out, or use a tool that copies the table"
    " beside (pg_repack).",
    "scans-table": "Add the constraint as NOT VALID, and validate it in an autocommit_block().",
    "wide-index": "Name the columns that a query really narrows down by: three are nearly always"
    " enough.",
} | squawk.RULES
#: Whether they apply, the server says: some changes of this kind cost it nothing.
ASKED = {"set-not-null", "change-type", "add-foreign-key", "add-check"}
#: Also where a column has no values yet: all rows are read, and nobody can write meanwhile.
ALSO_ON_EMPTY = {"add-unique"}

TABLES = """
    SELECT c.oid::bigint, concat_ws('.', nullif(n.nspname, current_schema()), c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND c.oid >= 16384
"""
LOCKS = """
    SELECT replace(mode, 'Lock', ''), relation::bigint, virtualtransaction FROM pg_locks
    WHERE pid = pg_backend_pid() AND granted AND relation = ANY(%s)
"""
OF_CONSTRAINT = "SELECT conrelid::bigint FROM pg_constraint WHERE conname = %s"
#: From the one on that keeps others from writing.
STRONG = {"Share", "ShareRowExclusive", "Exclusive", "AccessExclusive"}
SHOWN = {"ShareUpdateExclusive", *STRONG}
MESSAGE = re.compile(
    r'(?P<what>rewriting table|verifying table|validating foreign key constraint) "(?P<name>.+)"'
)
CONCURRENTLY = re.compile(r"(CREATE (UNIQUE )?INDEX|DROP INDEX|REINDEX .*?) CONCURRENTLY\b", re.I)
READS = re.compile(r"(SELECT|SET|SHOW)\b", re.I)
#: Whether it changes anything depends on what is there, and not on rows, of which there are none.
DEPENDS = re.compile(r"(CREATE|ALTER|DROP)\b.*\bIF (NOT )?EXISTS\b", re.I | re.S)
CHANGED = "SELECT txid_current_if_assigned() IS NOT NULL"
#: So many tables at once are many.
SEVERAL = 3
VALIDATES = re.compile(r"ALTER TABLE [^,]* VALIDATE CONSTRAINT [^,]*", re.I)


class Tracer:
    """It listens to what the server tells at the level of DEBUG1."""

    def __init__(self, connection: Connection) -> None:
        driver = connection.connection.driver_connection
        self._driver = cast("psycopg.Connection[tuple[Any, ...]]", driver)
        #: The names that a message is about.
        self._said: defaultdict[str, list[str]] = defaultdict(list)
        #: Kind, table, transaction.
        self._held: set[tuple[str, str, str]] = set()
        self._driver.add_notice_handler(self._hear)
        connection.exec_driver_sql("SET client_min_messages = debug1")

    def begin(self, connection: Connection) -> set[str]:
        """Only the tables that are there now are used by anybody."""
        self._tables = {row[0]: row[1] for row in connection.exec_driver_sql(TABLES)}
        connection.commit()
        return set(self._tables.values())

    def after(self, statement: Statement) -> None:
        now = self._driver.execute(TABLES).fetchall()
        # The server says what a table is called now, which may be what it was renamed to.
        names = {table: name for table, name in now if table in self._tables}
        rows = self._driver.execute(LOCKS, [list(self._tables)]).fetchall()
        held = {(mode, self._tables[table], by) for mode, table, by in rows if mode in SHOWN}
        said, self._said = self._said, defaultdict(list)
        locked = {table: names[table] for _, table, _ in rows if table in names}
        # One that is committed holds no locks any more.
        near = names if statement.is_alone else locked
        rewrites = _called(said["rewriting table"], near, statement)
        scans = _called(said["verifying table"], near, statement)
        for name in said["validating foreign key constraint"]:
            tables = self._driver.execute(OF_CONSTRAINT, [name]).fetchall()
            scans += _meant([near[table] for (table,) in tables if table in near], statement)
        locks = tuple((mode, table) for mode, table, _ in sorted(held - self._held))
        self._held = held
        code = "rewrites-table" if rewrites else None
        if scans and self._keeps_others_out(statement):
            code = code or "scans-table"
        [(is_change,)] = self._driver.execute(CHANGED).fetchall()
        statement.cost = Cost(locks, tuple(rewrites), tuple(scans), code, is_change)

    def _keeps_others_out(self, statement: Statement) -> bool:
        """VALIDATE by itself does not; nor can be seen what one that is committed has held."""
        only_validates = VALIDATES.fullmatch(statement.sql.strip("; \n"))
        return not only_validates or any(mode in STRONG for mode, _, _ in self._held)

    def _hear(self, message: psycopg.errors.Diagnostic) -> None:
        if found := MESSAGE.match(message.message_primary or ""):
            self._said[found["what"]].append(found["name"])


def _called(names: list[str], tables: dict[int, str], statement: Statement) -> list[str]:
    alike = ([each for each in tables.values() if each.split(".")[-1] == name] for name in names)
    return [table for each in alike for table in _meant(each, statement)]


def _meant(tables: list[str], statement: Statement) -> list[str]:
    """Of those with one name, the one that is written there: the server tells no schema."""
    sql = statement.sql.replace('"', "")
    written = [table for table in tables if table in sql] or tables
    return sorted(written, key=len)[-1:]


def of_recording(recording: Recording) -> Iterator[tuple[int, Change]]:
    """What only a whole migration shows."""
    locked: set[str] = set()
    begun = False
    for statement in recording.statements:
        line, before = statement.line, len(locked)
        if statement.is_alone:
            if begun:
                what = "changes something before its autocommit_block()"
                yield line, Change("block-not-first", "", what)
            continue
        if word := end_of_transaction(statement.sql):
            what = f"says {word}, which `db upgrade` refuses"
            yield line, Change("one-transaction", "", what)
        if CONCURRENTLY.match(statement.sql):
            what = "says CONCURRENTLY outside an autocommit_block()"
            yield line, Change("concurrent-in-transaction", "", what)
        is_change = statement.cost.is_change or not DEPENDS.match(statement.sql)
        begun = begun or (is_change and not READS.match(statement.sql))
        for change in of_sql(statement.sql):
            if change.code == "unbatched-update" and locked:
                what = f"changes rows of {change.table} while it has locked {_listed(locked)}"
                yield line, Change("data-and-schema", change.table, what)
        locked |= {table for mode, table in statement.cost.locks if mode == "AccessExclusive"}
        if len(locked) >= SEVERAL > before:
            yield line, Change("locks-several-tables", "", f"locks {_listed(locked)} at once")
    yield from squawk.advised(recording)


def _listed(tables: set[str]) -> str:
    return ", ".join(sorted(tables))
