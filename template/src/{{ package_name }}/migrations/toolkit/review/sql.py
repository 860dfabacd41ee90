"""What a migration's own SQL changes that may hurt. No grammar: how a statement begins is enough."""

import re
from collections.abc import Iterator
from textwrap import shorten

from ..schema.snapshot import qualified
from .changes import Change

QUOTED = r"E?'(?:[^'\\]|''|\\.)*'"
DOLLARS = r"(?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$(?P<plain>.*?)\$(?P=tag)\$"
TEXT = re.compile(rf"{QUOTED}|{DOLLARS}", re.DOTALL)
# A text may have in it what would begin the other, and the other way round.
COMMENT_OR_TEXT = re.compile(rf"--[^\n]*|/\*.*?\*/|(?P<text>{TEXT.pattern})", re.DOTALL)
PARENTHESES = re.compile(r"\([^()]*\)")
# What they do later, when they are called, is not the migration's.
STORED = re.compile(r"CREATE (?:OR REPLACE )?(?:\w+ )?(?:FUNCTION|PROCEDURE|TRIGGER|EVENT)\b", re.I)
# What a block does, it does at once.
BLOCK = re.compile(rf"(?:^|(?<=;))\s*DO\b[^;$']*{DOLLARS}", re.I | re.DOTALL)
IN_BLOCK = re.compile(r";|\b(?:BEGIN|THEN|ELSE|LOOP)\b", re.I)
# The statement that a block runs by EXECUTE, where it is there in full.
CONSTANT = re.compile(
    rf"\bEXECUTE\s+(?:(?P<text>{QUOTED})|{DOLLARS})(?=\s*(?:;|INTO\b|USING\b))",
    re.I | re.DOTALL,
)

NAME = r'(?:"(?:[^"]|"")+"|`[^`]+`|[\w$]+)'
TABLE = rf"(?:IF EXISTS )?(?:ONLY )?(?:(?P<schema>{NAME})\.)?(?P<table>{NAME})"
INDEX = rf"INDEX (?!CONCURRENTLY)(?:IF NOT EXISTS )?(?:{NAME} )?ON {TABLE}"
# The next one of a list.
MORE = re.compile(rf" ?, ?{TABLE}(?: TO (?P<new>{NAME}))?", re.I)
HOW = "(?:(?:LOW_PRIORITY|QUICK|IGNORE) )*"
CHANGED = (
    rf"(?:WITH .*\) ?)?(?:UPDATE {HOW}|DELETE {HOW}FROM |MERGE INTO )"
    rf"(?!.*\bWHERE CURRENT OF\b){TABLE}"
)
# MySQL and MariaDB: one table of several, by its name or by what it is called here.
CHANGED_IN_JOIN = (
    rf"UPDATE .*? JOIN {TABLE}(?: (?:AS )?(?P<alias>{NAME}))? .*?\bSET (?:(?!WHERE\b).)*?"
    rf"(?<![\w$.])(?:(?P=table)|(?P=alias))\.{NAME} ?="
)
DELETED_BY_NAME = rf"DELETE {HOW}(?!FROM\b){TABLE}(?=.* FROM )"
DELETED_BY_ALIAS = (
    rf"DELETE {HOW}(?:FROM )?(?P<alias>{NAME})(?:\.\*)? (?:FROM|USING) (?:.*?(?:JOIN |, ?))?"
    rf"{TABLE} (?:AS )?(?P=alias)(?![\w$.])"
)
# Modes that keep nobody from writing.
LET_WRITE = "IN (?:ACCESS SHARE|ROW SHARE|ROW EXCLUSIVE|SHARE UPDATE EXCLUSIVE)"

STATEMENTS = {
    rf"DROP TABLE {TABLE}": "drop-table",
    rf"TRUNCATE (?:TABLE )?{TABLE}": "truncate-table",
    r"DROP (?:SCHEMA|DATABASE)\b": "drop-schema",
    r"ALTER SCHEMA .* RENAME TO\b": "rename-schema",
    r"ALTER TYPE .* RENAME VALUE\b": "rename-enum-value",
    rf"RENAME TABLES? {TABLE} TO (?P<new>{NAME})": "rename-table",
    rf"CREATE UNIQUE INDEX (?:CONCURRENTLY )?(?:{NAME} )?ON {TABLE}": "add-unique",
    rf"CREATE (?:FULLTEXT |SPATIAL )?{INDEX}": "index-not-concurrent",
    r"DROP INDEX (?!CONCURRENTLY)": "drop-index-not-concurrent",
    r"REINDEX\b(?!.*\bCONCURRENTLY\b)": "reindex-not-concurrent",
    rf"(?:CLUSTER|VACUUM (?:\(.*\bFULL\b.*\)|FULL)) (?:VERBOSE )?{TABLE}": "rewrites-table",
    r"EXECUTE\b": "dynamic-sql",
    rf"LOCK (?:TABLE )?(?!.*\b{LET_WRITE} MODE\b){TABLE}": "lock-table",
    CHANGED: "unbatched-update",
    CHANGED_IN_JOIN: "unbatched-update",
    DELETED_BY_NAME: "unbatched-update",
    DELETED_BY_ALIAS: "unbatched-update",
}
ALTER = re.compile(rf"ALTER TABLE {TABLE} (?P<actions>.*)", re.I)
# A column has the rest of its action as its definition, where what is in parentheses is left out.
COLUMN = rf"(?:COLUMN )?(?:IF (?:NOT )?EXISTS )?(?!CONSTRAINT\b){NAME}"
OTHER = r"(?!(?:CONSTRAINT|PRIMARY|FOREIGN|INDEX|KEY|CHECK|UNIQUE|EXCLUDE|PARTITION|FULLTEXT|SPATIAL)\b)"
FILLED = r"DEFAULT|GENERATED|AS|AUTO_INCREMENT|IDENTITY|SERIAL|BIGSERIAL"
NAMED = rf"ADD (?:CONSTRAINT (?:{NAME} )?)?"
ACTIONS = {
    rf"DROP {OTHER}{COLUMN}": "drop-column",
    rf"RENAME (?:TO|AS) (?P<new>{NAME})": "rename-table",
    rf"SET SCHEMA (?P<place>{NAME})": "rename-table",
    rf"RENAME {OTHER}(?:COLUMN )?{NAME} TO\b": "rename-column",
    rf"CHANGE (?:COLUMN )?(?P<old>{NAME}) (?!(?P=old) )": "rename-column",
    rf"ADD {OTHER}{COLUMN} (?!.*\b(?:{FILLED})\b).*\bNOT NULL\b": "not-null-without-default",
    rf"ADD {OTHER}{COLUMN} .*\bUNIQUE\b": "add-unique",
    rf"ADD {OTHER}{COLUMN} .*\bREFERENCES\b": "add-foreign-key",
    rf"ALTER (?:COLUMN )?{NAME} SET NOT NULL": "set-not-null",
    r"(?:MODIFY|CHANGE) .*\bNOT NULL\b": "set-not-null",
    rf"ALTER (?:COLUMN )?{NAME} (?:SET DATA )?TYPE\b|(?:MODIFY|CHANGE)\b": "change-type",
    rf"{NAMED}FOREIGN KEY\b(?!.*\bNOT VALID\b)": "add-foreign-key",
    rf"{NAMED}CHECK\b(?!.*\bNOT VALID\b)": "add-check",
    rf"{NAMED}UNIQUE\b(?!.*\bUSING INDEX\b)": "add-unique",
    rf"{NAMED}PRIMARY KEY\b(?!.*\bUSING INDEX\b)": "add-primary-key",
    rf"{NAMED}EXCLUDE\b": "add-exclusion",
    r"ADD (?:FULLTEXT |SPATIAL )?(?:INDEX|KEY)\b": "index-not-concurrent",
    r"DETACH PARTITION (?!.*\bCONCURRENTLY\b)": "detach-partition",
}
LENGTH = 100


def of_sql(sql: str) -> Iterator[Change]:
    text = _without_comments(sql).strip()
    if STORED.match(text) and not re.search(DOLLARS, text, re.DOTALL):
        return
    for statement in TEXT.sub("''", BLOCK.sub(_opened, text)).split(";"):
        yield from _of_statement(" ".join(statement.split()))


def _without_comments(sql: str) -> str:
    return COMMENT_OR_TEXT.sub(lambda found: found["text"] or " ", sql)


def _opened(block: re.Match[str]) -> str:
    statements = CONSTANT.sub(_executed, _without_comments(block["plain"]))
    plain = TEXT.sub("''", statements)
    return f"{IN_BLOCK.sub(';', plain)};"


def _executed(found: re.Match[str]) -> str:
    text = (found["text"] or "").partition("'")[2].removesuffix("'").replace("''", "'")
    return f"; {text or found['plain']}"


def _of_statement(statement: str) -> Iterator[Change]:
    what = f"runs `{shorten(statement, LENGTH)}`"
    altered = ALTER.match(statement)
    for part in _actions(altered["actions"]) if altered else [statement]:
        for pattern, code in (ACTIONS if altered else STATEMENTS).items():
            found = re.match(pattern, part, re.I)
            while found:
                named = found.groupdict("") | (altered.groupdict("") if altered else {})
                names = {group: _unquoted(name) for group, name in named.items()}
                yield Change(code, _table(**names), what, _new_table(**names))
                found = MORE.match(part, found.end())


def _actions(text: str) -> list[str]:
    """The parts of one ALTER TABLE, without what is in parentheses."""
    while PARENTHESES.search(text):
        text = PARENTHESES.sub("", text)
    return [" ".join(action.split()) for action in text.split(",")]


def _table(*, table: str = "", schema: str = "", **_: str) -> str:
    return qualified(table, schema)


def _new_table(
    *, new: str = "", place: str = "", table: str = "", schema: str = "", **_: str
) -> str:
    return qualified(new or table, place or schema) if new or place else ""


def _unquoted(name: str) -> str:
    return name.strip('"`').replace('""', '"')
