"""A MySQL or MariaDB schema as the server describes it: each thing in it, and what it is."""

import re
from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, inspect

#: What lets a user make a database for a moment.
ALLOW = "GRANT ALL ON `{database}\\_test\\_%`.* TO '{user}'@'%'"

DEFAULTS = "SELECT DATABASE(), @@collation_database"
COLLATIONS = """
SELECT table_name, '', table_collation FROM information_schema.tables
WHERE table_schema = DATABASE()
UNION ALL
SELECT table_name, column_name, collation_name FROM information_schema.columns
WHERE table_schema = DATABASE()
"""
OTHERS = """
SELECT 'trigger', trigger_name, event_object_table,
    CONCAT_WS(' ', action_timing, event_manipulation, action_statement)
FROM information_schema.triggers
WHERE trigger_schema = DATABASE()
UNION ALL
SELECT 'view', table_name, '', view_definition
FROM information_schema.views
WHERE table_schema = DATABASE()
UNION ALL
SELECT 'sequence', table_name, '', ''
FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_type = 'SEQUENCE'
UNION ALL
SELECT LOWER(routine_type), routine_name, '', routine_definition
FROM information_schema.routines
WHERE routine_schema = DATABASE()
UNION ALL
SELECT 'event', event_name, '', event_definition
FROM information_schema.events
WHERE event_schema = DATABASE()
"""

DROPS = """
SELECT CASE table_type WHEN 'VIEW' THEN 'VIEW' WHEN 'SEQUENCE' THEN 'SEQUENCE' ELSE 'TABLE' END,
    table_name
FROM information_schema.tables WHERE table_schema = DATABASE()
UNION ALL
SELECT routine_type, routine_name FROM information_schema.routines WHERE routine_schema = DATABASE()
UNION ALL
SELECT 'EVENT', event_name FROM information_schema.events WHERE event_schema = DATABASE()
"""

# A line of SHOW CREATE TABLE.
LINE = re.compile(
    r"(?P<kind>PRIMARY KEY|(?:UNIQUE |FULLTEXT |SPATIAL |VECTOR )?KEY|CONSTRAINT)? ?"
    r"(?:`(?P<name>(?:[^`]|``)+)` ?)?(?P<text>.*?),?"
)
# Widths are for showing only, and some versions leave them out.
WIDTH = re.compile(r"\b((?:tiny|small|medium|big)?int)\(\d+\)(?!.*\bzerofill\b)")
CHARACTERS = re.compile(r" CHARACTER SET \w+| COLLATE \w+")
# As MySQL tells -5, until the table is altered.
NEGATIVE = re.compile(r"-\(([\d.]+)\)")
USUAL = re.compile(
    r" (AUTO_INCREMENT=\d+|DEFAULT CHARSET=\w+|COLLATE=\w+|ENGINE=InnoDB|USING BTREE"
    r"|ON (DELETE|UPDATE) (RESTRICT|NO ACTION))\b"
)


def tables(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names()


def other_schemas(_: Connection) -> list[str]:
    """Which migrations may have made: there are none."""
    return []


def definitions(
    connection: Connection, _: str | None = None
) -> Iterable[tuple[str, str, str, str]]:
    """Kind, name, table, text."""
    [(database, collation)] = connection.exec_driver_sql(DEFAULTS)
    collations = {(row[0], row[1]): row[2] for row in connection.exec_driver_sql(COLLATIONS)}
    quote = connection.dialect.identifier_preparer.quote_identifier
    for table in tables(connection):
        row = connection.exec_driver_sql(f"SHOW CREATE TABLE {quote(table)}").one()
        yield from _table(table, row[1], collations, collation)
    for kind, name, table, text in connection.exec_driver_sql(OTHERS):
        yield kind, name, table, (text or "").replace(f"`{database}`.", "")


def _table(
    table: str, statement: str, collations: dict[tuple[str, str], str | None], usual: str
) -> Iterator[tuple[str, str, str, str]]:
    lines = statement.split("\n")
    end = next(number for number, line in enumerate(lines) if line.startswith(")"))
    options = " ".join(lines[end:]).removeprefix(")")
    own = collations[table, ""]
    yield "table", table, "", USUAL.sub("", options) + _collation(own, usual)
    for line in lines[1:end]:
        kind, name, text = _part(line.strip())
        if kind == "column":
            text = CHARACTERS.sub("", WIDTH.sub(r"\1", text))
            text = text.replace("DEFAULT (now())", "DEFAULT CURRENT_TIMESTAMP")
            text += _collation(collations.get((table, name)) or own, own)
        yield kind, name, table, NEGATIVE.sub(r"-\1", USUAL.sub("", text))


def _collation(found: str | None, usual: str | None) -> str:
    return "" if found == usual else f" COLLATE {found}"


def _part(line: str) -> tuple[str, str, str]:
    found = LINE.fullmatch(line)
    if found is None:
        return "option", "", line
    kind, name, text = found.group("kind", "name", "text")
    name = (name or "").replace("``", "`")
    if kind is None:
        return "column", name, text
    if kind == "PRIMARY KEY":
        return "primary key", name, text
    if kind == "CONSTRAINT":
        return "foreign key" if text.startswith("FOREIGN KEY") else "check", name, text
    return "index", name, kind.removesuffix("KEY") + text


def empty(connection: Connection) -> None:
    quote = connection.dialect.identifier_preparer.quote_identifier
    rows = connection.exec_driver_sql(DROPS).all()
    connection.exec_driver_sql("SET SESSION foreign_key_checks = 0")
    for kind, name in rows:
        connection.exec_driver_sql(f"DROP {kind} IF EXISTS {quote(name)}")


def make_alike(connection: Connection, model: Connection, _: str) -> None:
    """Give an empty database what no migration makes."""
    [(_, collation)] = model.exec_driver_sql(DEFAULTS)
    [(name, _)] = connection.exec_driver_sql(DEFAULTS)
    connection.exec_driver_sql(f"ALTER DATABASE `{name}` COLLATE {collation}")
