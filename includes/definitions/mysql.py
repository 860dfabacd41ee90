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
SELECT LOWER(routine_type), routine_name, '', routine_definition
FROM information_schema.routines
WHERE routine_schema = DATABASE()
UNION ALL
SELECT 'event', event_name, '', event_definition
FROM information_schema.events
WHERE event_schema = DATABASE()
"""

# A line of SHOW CREATE TABLE.
LINE = re.compile(
    r"(?P<kind>PRIMARY KEY|(?:UNIQUE |FULLTEXT |SPATIAL |VECTOR )?KEY|CONSTRAINT)? ?"
    r"(?:`(?P<name>(?:[^`]|``)+)` ?)?(?P<text>.*?),?"
)
# Widths are for showing only, and some versions leave them out.
WIDTH = re.compile(r"\b((?:tiny|small|medium|big)?int)\(\d+\)(?!.*\bzerofill\b)")
CHARACTERS = re.compile(r" CHARACTER SET \w+| COLLATE \w+")
USUAL = re.compile(
    r" (AUTO_INCREMENT=\d+|DEFAULT CHARSET=\w+|COLLATE=\w+|ENGINE=InnoDB|USING BTREE"
    r"|ON (DELETE|UPDATE) (RESTRICT|NO ACTION))\b"
)


def tables(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names()


def definitions(connection: Connection) -> Iterable[tuple[str, str, str, str]]:
    """Kind, name, table, text."""
    [(database, collation)] = connection.exec_driver_sql(DEFAULTS)
    collations = {(row[0], row[1]): row[2] for row in connection.exec_driver_sql(COLLATIONS)}
    for table in tables(connection):
        quoted = table.replace("`", "``")
        row = connection.exec_driver_sql(f"SHOW CREATE TABLE `{quoted}`").one()
        yield from _table(table, row[1], collations, collation)
    for kind, name, table, text in connection.exec_driver_sql(OTHERS):
        yield kind, name, table, (text or "").replace(f"`{database}`.", "")


def _table(
    table: str, statement: str, collations: dict[tuple[str, str], str | None], usual: str
) -> Iterator[tuple[str, str, str, str]]:
    lines = statement.split("\n")
    end = next(number for number, line in enumerate(lines) if line.startswith(")"))
    own = collations[table, ""]
    options = USUAL.sub("", " ".join(lines[end:]).removeprefix(")"))
    yield "table", table, "", options + (f" COLLATE {own}" if own != usual else "")
    for line in lines[1:end]:
        found = LINE.fullmatch(line.strip())
        kind, name, text = found.group("kind", "name", "text") if found else ("", "", line)
        name = (name or "").replace("``", "`")
        if kind is None:
            special = collations.get((table, name)) or own
            text = CHARACTERS.sub("", WIDTH.sub(r"\1", text))
            text += f" COLLATE {special}" if special != own else ""
        yield _kind(kind, text), name, table, f"{_prefix(kind)}{USUAL.sub('', text)}"


def _kind(kind: str | None, text: str) -> str:
    if kind is None:
        return "column"
    if kind == "CONSTRAINT":
        return "foreign key" if text.startswith("FOREIGN KEY") else "check"
    return "primary key" if kind == "PRIMARY KEY" else "index"


def _prefix(kind: str | None) -> str:
    """UNIQUE, FULLTEXT or SPATIAL."""
    return "" if kind in {None, "CONSTRAINT", "PRIMARY KEY", "KEY"} else kind.removesuffix("KEY")


def make_alike(connection: Connection, model: Connection) -> None:
    """Give an empty database what no migration makes."""
    [(_, collation)] = model.exec_driver_sql(DEFAULTS)
    [(name, _)] = connection.exec_driver_sql(DEFAULTS)
    connection.exec_driver_sql(f"ALTER DATABASE `{name}` COLLATE {collation}")
