"""What PostgreSQL runs in no transaction, made repeatable after a run that was interrupted.

CREATE INDEX CONCURRENTLY and the like cannot be undone with the migration. So each is noted before
it runs, unless its work is done already: what is noted and done is the migration's own work, of
this run or an earlier one. Other changes are noted, so that it is known that the migration was
begun, and run again. The notes are in a table that goes when the migration is through.
"""

import logging
import re
from typing import Any

from alembic.runtime.migration import MigrationInfo
from alembic.util import CommandError
from psycopg.errors import UndefinedTable
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

logger = logging.getLogger(__name__)

NAME = r'(?:"(?:[^"]|"")+"|[^\s".,;()]+)'
QUALIFIED = rf"(?:{NAME}\.)?{NAME}"
CREATE_INDEX = re.compile(
    r"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?P<condition>IF\s+NOT\s+EXISTS\s+)?"
    rf"(?P<name>{NAME})\s+ON\s+(?:ONLY\s+)?(?P<table>(?P<schema>{NAME}\.)?{NAME})",
    re.IGNORECASE,
)
DROP_INDEX = re.compile(
    rf"\s*DROP\s+INDEX\s+CONCURRENTLY\s+(?P<condition>IF\s+EXISTS\s+)?(?P<name>{QUALIFIED})",
    re.IGNORECASE,
)
ADD_VALUE = re.compile(
    rf"\s*ALTER\s+TYPE\s+(?P<type>{QUALIFIED})\s+ADD\s+VALUE"
    r"\s+(?P<condition>IF\s+NOT\s+EXISTS\s+)?(?P<name>'(?:[^']|'')+')",
    re.IGNORECASE,
)

ADD_CONSTRAINT = re.compile(
    rf"\s*ALTER\s+TABLE\s+(?:ONLY\s+)?(?P<table>{QUALIFIED})\s+(?P<add>ADD)\s+CONSTRAINT"
    rf"\s+(?P<name>{NAME})\s.*\sNOT\s+VALID\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)

DEFINITION = re.compile(
    r"\s*(?:(?:ALTER|CREATE|DROP)\s+(?:UNIQUE\s+)?(?:TABLE|INDEX|TRIGGER)|TRUNCATE)\b",
    re.IGNORECASE,
)
NAMELESS = re.compile(r"\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+ON\b", re.IGNORECASE)
# A function that is called by itself, without FROM, may change something.
READ = re.compile(
    r"(?!.*(?:;\s*\S|\b(?:INSERT|UPDATE|DELETE|MERGE|INTO|ANALYZE)\b))"
    r"\s*(?:SELECT\b.*\bFROM|WITH|VALUES|TABLE|SHOW|SET|RESET|EXPLAIN)\b",
    re.IGNORECASE | re.DOTALL,
)
QUOTED_OR_COMMENT = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)


def locks_a_table(statement: str) -> bool:
    """And may be in a transaction."""
    found = DEFINITION.match(_without_comments(statement))
    return found is not None and not is_concurrent(statement)


def is_concurrent(statement: str) -> bool:
    return "CONCURRENTLY" in _without_comments(statement).upper()


def unfinished(connection: Connection) -> tuple[str, str] | None:
    """The revision that was begun and not completed, and in which direction."""
    if connection.scalar(text("SELECT to_regclass('alembic_unfinished')")) is None:
        return None
    query = text("SELECT revision, direction FROM alembic_unfinished")
    try:
        with connection.begin_nested():
            row = connection.execute(query).first()
    except ProgrammingError as error:
        if isinstance(error.orig, UndefinedTable):
            return None  # It was completed meanwhile.
        raise
    return row and (row[0], row[1])


def forget(connection: Connection) -> None:
    connection.exec_driver_sql("DROP TABLE IF EXISTS alembic_unfinished")


class Notes:
    """Of one migration, written on the driver's connection while it is in no transaction."""

    def __init__(self, connection: Connection, step: MigrationInfo) -> None:
        #: Whether it has noted something, in this run or, as far as that was asked, an earlier one.
        self.begun = False
        self._connection = connection
        #: Its revision and direction, as `unfinished` tells them.
        self.step = (str(step.up_revision_id), "upgrade" if step.is_upgrade else "downgrade")

    def repeatable(self, statement: str) -> str:
        """The statement, or one that does no harm where this migration has run it before."""
        bare = _without_comments(statement)
        if NAMELESS.match(bare):
            raise CommandError(
                f"Migration {self.step[0]} builds an index without a name CONCURRENTLY, and would"
                " build another one after an interruption: give it a name."
            )
        if found := CREATE_INDEX.match(bare):
            return self._create_index(statement, found)
        if found := DROP_INDEX.match(bare):
            there = self._ask("SELECT to_regclass(%s)", found["name"]) is not None
            return self._once(statement, found, done=not there, condition="IF EXISTS ")
        if found := ADD_VALUE.match(bare):
            label = found["name"][1:-1].replace("''", "'")
            query = "SELECT 1 FROM pg_enum WHERE enumtypid = to_regtype(%s) AND enumlabel = %s"
            there = self._ask(query, found["type"], label) is not None
            return self._once(statement, found, done=there, condition="IF NOT EXISTS ")
        if found := ADD_CONSTRAINT.fullmatch(bare):
            return self._add_constraint(statement, found)
        if not (READ.match(bare) or self.begun):
            self.remember("other statements", statement)
        return statement

    def recall(self, key: str) -> str | None:
        """What this migration has remembered: of a statement all, since the file may be edited."""
        if self._ask("SELECT to_regclass('alembic_unfinished')") is None:
            return None
        statement: str | None = self._ask(
            "SELECT statement FROM alembic_unfinished"
            " WHERE (revision, direction, key) = (%s, %s, %s)",
            *self.step,
            key,
        )
        self.begun = self.begun or statement is not None
        return statement

    def remember(self, key: str, text: str) -> None:
        self.begun = True
        self._ask(
            "CREATE TABLE IF NOT EXISTS alembic_unfinished (revision text, direction text,"
            " key text, statement text NOT NULL, PRIMARY KEY (revision, direction, key))"
        )
        self._ask(
            "INSERT INTO alembic_unfinished VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (revision, direction, key) DO UPDATE SET statement = EXCLUDED.statement",
            *self.step,
            key,
            text,
        )

    def _add_constraint(self, statement: str, found: re.Match[str]) -> str:
        """One that an interrupted run has added goes in the same moment.

        It locks the table for this moment, and may keep others waiting no longer than in a
        transaction.
        """
        there = self._ask(
            "SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass(%s) AND conname = %s",
            found["table"],
            found["name"].strip('"').replace('""', '"'),
        )
        key = f"{found['table']} {found['name']}"
        if there is None:
            self.remember(key, statement)
        elif self.recall(key):
            place = found.start("add")
            statement = f"{statement[:place]}DROP CONSTRAINT {found['name']}, {statement[place:]}"
        return f"{self._connection.info['setting']}; {statement}"

    def _create_index(self, statement: str, found: re.Match[str]) -> str:
        """A build that was interrupted leaves an invalid index, in the way of the next one."""
        index = f"{found['schema'] or ''}{found['name']}"
        valid = self._ask(
            "SELECT indisvalid FROM pg_index"
            " WHERE indexrelid = to_regclass(%s) AND indrelid = to_regclass(%s)",
            index,
            found["table"],
        )
        if valid is False or (valid and self.recall(_key(found)) not in {None, statement}):
            logger.warning("%s is left from an interrupted migration, and made anew.", index)
            self._connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY {index}")
            valid = None
        return self._once(statement, found, done=bool(valid), condition="IF NOT EXISTS ")

    def _once(self, statement: str, found: re.Match[str], *, done: bool, condition: str) -> str:
        if not done:
            self.remember(_key(found), statement)
        elif self.recall(_key(found)) and not found["condition"]:
            place = found.start("name")
            return statement[:place] + condition + statement[place:]
        return statement

    def _ask(self, statement: str, *parameters: str) -> Any:
        """The first column of the first row, past SQLAlchemy, whose events call this."""
        driver: Any = self._connection.connection.driver_connection
        cursor = driver.execute(statement, parameters or None)
        return cursor.fetchone()[0] if cursor.description and cursor.rowcount else None


def _without_comments(statement: str) -> str:
    """Each is as many spaces, so that places stay the same."""
    return QUOTED_OR_COMMENT.sub(_blank, statement)


def _blank(found: re.Match[str]) -> str:
    return found[0] if found[0][0] in "'\"" else " " * len(found[0])


def _key(found: re.Match[str]) -> str:
    return " ".join(found[0].split())
