"""What a migration's own SQL changes that may hurt. No grammar: how a statement begins is enough."""

import re
from collections.abc import Iterator
from textwrap import shorten

from ..schema.snapshot import qualified
from . import statements
from .changes import Change
from .words import ADD_COLUMN, ADD_CONSTRAINT, COLUMN, NAME, OTHER, TABLE

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

STATEMENTS = {
    rf"DROP TABLE {TABLE}": "drop-table",
    rf"CREATE UNIQUE INDEX (?:CONCURRENTLY )?(?:{NAME} )?ON {TABLE}": "add-unique",
} | statements.STATEMENTS
# The next one of a list.
MORE = re.compile(rf" ?, ?{TABLE}(?: TO (?P<new>{NAME}))?", re.I)
ALTER = re.compile(rf"ALTER TABLE {TABLE} (?P<actions>.*)", re.I)
# A column has the rest of its action as its definition, where what is in parentheses is left out.
FILLED = r"DEFAULT|GENERATED|AS|AUTO_INCREMENT|IDENTITY|SERIAL|BIGSERIAL"
ACTIONS = {
    rf"DROP {OTHER}{COLUMN}": "drop-column",
    rf"RENAME (?:(?:TO|AS) )?(?P<new>{NAME})$": "rename-table",
    rf"RENAME {OTHER}(?:COLUMN )?{NAME} TO\b": "rename-column",
    rf"{ADD_COLUMN} (?!.*\b(?:{FILLED})\b).*\bNOT NULL\b": "not-null-without-default",
    rf"{ADD_COLUMN} .*\bUNIQUE\b": "add-unique",
    rf"{ADD_CONSTRAINT}UNIQUE\b(?!.*\bUSING INDEX\b)": "add-unique",
} | statements.ACTIONS
LENGTH = 100


def of_sql(sql: str) -> Iterator[Change]:
    text = _without_comments(sql).strip()
    if STORED.match(text) and not re.search(DOLLARS, text, re.DOTALL):
        return
    for statement in TEXT.sub("'...'", BLOCK.sub(_opened, text)).split(";"):
        yield from _of_statement(" ".join(statement.split()))


def names_from_now_on(sql: str, tables: set[str]) -> set[str]:
    """Of tables that it gives another name."""
    return {each.new_name for each in of_sql(sql) if each.new_name and each.table in tables}


def _without_comments(sql: str) -> str:
    return COMMENT_OR_TEXT.sub(lambda found: found["text"] or " ", sql)


def _opened(block: re.Match[str]) -> str:
    within = CONSTANT.sub(_executed, _without_comments(block["plain"]))
    plain = TEXT.sub("''", within)
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
