"""What becomes of a SQLite schema, tried out in memory: SQLite itself says what there is and works.

SQLAlchemy's reflection sees only a part of a table.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

NAMES = "SELECT name FROM pragma_table_xinfo(?)"
REGULAR = "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0"
GENERATED = "SELECT name FROM pragma_table_xinfo(?) WHERE hidden > 1"
# Some versions of SQLite take GENERATED ALWAYS for a part of the type.
COLUMNS = """
    SELECT c.name,
        rtrim(iif(c.type LIKE '%GENERATED ALWAYS', substr(c.type, 1, length(c.type) - 16), c.type)),
        k.coll, c.[notnull], c.dflt_value
    FROM pragma_table_xinfo(?) c JOIN pragma_index_xinfo('every_column') k ON k.cid = c.cid
    WHERE k.key
"""
KEYS = """
    SELECT i.name, i.origin, k.name, k.coll, k.[desc]
    FROM pragma_index_list(?) i, pragma_index_xinfo(i.name) k
    WHERE i.origin <> 'c' AND k.key ORDER BY i.name, k.seqno
"""
FOREIGN_KEYS = """
    SELECT id, [table], on_update, on_delete, [from]
    FROM pragma_foreign_key_list(?) ORDER BY id, seq
"""
AUTOINCREMENT = "AUTOINCREMENT"
SEQUENCES = "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'"
TOKEN = re.compile(
    r"""
    --[^\n]* | /\*.*?\*/ | \s+
    | ( '(?:[^']|'')*' | "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^]]*] | \w+ | . )
    """,
    re.DOTALL | re.VERBOSE,
)
# In the order in which they can be made.
KINDS = ["table", "view", "index", "trigger"]


@dataclass(frozen=True)
class Item:
    """A row of sqlite_master."""

    kind: str
    name: str
    table: str
    sql: str


@dataclass(frozen=True)
class Description:
    #: The type of each column, and its collation.
    columns: dict[str, tuple[str, str]]
    #: What generated columns consist of.
    expressions: dict[str, str]
    #: Everything that can be lost, in words.
    parts: Counter[str]


def describe(name: str, sql: str) -> Description:
    with closing(sqlite3.connect(":memory:")) as database:

        def ask(query: str) -> list[tuple[Any, ...]]:
            return database.execute(query, [name]).fetchall()

        database.execute(sql)
        keys = ask(KEYS)
        # Nothing but an index tells the collations.
        every = ", ".join(quote(column) for (column,) in ask(NAMES))
        database.execute(f"CREATE INDEX every_column ON {quote(name)} ({every})")
        columns = ask(COLUMNS)
        parts = [
            *_from_columns(columns),
            *_from_keys(keys),
            *_from_foreign_keys(ask(FOREIGN_KEYS)),
            *_from_text(sql),
            *([AUTOINCREMENT] if database.execute(SEQUENCES).fetchall() else []),
        ]
        generated = [column for (column,) in ask(GENERATED)]
        return Description(
            columns={name: (type_, collation) for name, type_, collation, *_ in columns},
            expressions=dict(zip(generated, _in_parentheses(sql, "AS"), strict=True)),
            parts=Counter(parts),
        )


def _from_columns(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    for name, type_, collation, required, default in rows:
        yield f"the type {type_.upper()} of {name}"
        yield f"COLLATE {collation} of {name}"
        if required:
            yield f"NOT NULL of {name}"
        if default is not None:
            yield f"DEFAULT {default} of {name}"


def _from_keys(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    for (_, origin), group in groupby(rows, lambda row: row[:2]):
        columns = [
            f"{name} COLLATE {collation}{' DESC' if descending else ''}"
            for _, _, name, collation, descending in group
        ]
        yield f"{'UNIQUE' if origin == 'u' else 'PRIMARY KEY'} ({', '.join(columns)})"


def _from_foreign_keys(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    for (_, table, on_update, on_delete), group in groupby(rows, lambda row: row[:4]):
        columns = ", ".join(column for *_, column in group)
        yield (
            f"FOREIGN KEY ({columns}) REFERENCES {table}"
            f" ON UPDATE {on_update} ON DELETE {on_delete}"
        )


def _from_text(sql: str) -> Iterator[str]:
    """What only the text tells."""
    yield from (f"CHECK ({_normal(check)})" for check in _in_parentheses(sql, "CHECK"))
    yield from (f"AS ({_normal(expression)})" for expression in _in_parentheses(sql, "AS"))
    words = [word.upper() for word in tokens(sql)]
    yield from (word for word in words if word in {"CONFLICT", "DEFERRABLE"})
    for word, following in pairwise(tokens(sql)):
        if word.upper() == "CONSTRAINT":
            yield f"the name {unquote(following)}"
    end = len(words) - words[::-1].index(")")
    yield from filter(None, " ".join(words[end:]).split(" , "))


def _in_parentheses(sql: str, keyword: str) -> Iterator[str]:
    """What stands in parentheses after each of these keywords."""
    words = [found for found in TOKEN.finditer(sql) if found[1]]
    for index, (word, following) in enumerate(pairwise(words)):
        if word[1].upper() == keyword and following[1] == "(":
            yield sql[following.end() : _closing(words[index + 2 :])].strip()


def _closing(words: Iterable[re.Match[str]]) -> int:
    depth = 1
    for word in words:
        depth += (word[1] == "(") - (word[1] == ")")
        if not depth:
            return word.start()
    raise ValueError("a parenthesis is not closed")


def _normal(expression: str) -> str:
    return " ".join(tokens(expression)).casefold()


def faults(schema: Iterable[Item]) -> dict[tuple[str, int], str]:
    """What in a schema does not work, by the name of the item and the number of the attempt."""
    found = {}
    with closing(sqlite3.connect(":memory:")) as database:
        for item in sorted(schema, key=lambda item: KINDS.index(item.kind)):
            for attempt, statement in enumerate([item.sql, *_uses(database, item)]):
                try:
                    database.execute(statement)
                except sqlite3.Error as error:
                    found[item.name, attempt] = f"{item.kind} {item.name} ({error})"
    return found


def _uses(database: sqlite3.Connection, item: Item) -> list[str]:
    """Statements for which SQLite needs all that the item names."""
    name, table = quote(item.name), quote(item.table)
    if item.kind == "view":
        return [f"PRAGMA table_info({name})"]
    if item.kind != "trigger":
        return []
    try:
        columns = [quote(column) for (column,) in database.execute(REGULAR, [item.table])]
    except sqlite3.Error:  # A view that does not work: known already.
        return []
    changes = ", ".join(f"{column} = {column}" for column in columns)
    return [
        " ".join(["EXPLAIN INSERT INTO", table, "DEFAULT VALUES"]),
        " ".join(["EXPLAIN UPDATE", table, "SET", changes]),
        " ".join(["EXPLAIN DELETE FROM", table]),
        # Each by itself: otherwise one that does not work would be blamed on the next ones.
        f"DROP TRIGGER IF EXISTS {name}",
    ]


def tokens(sql: str) -> list[str]:
    return [found[1] for found in TOKEN.finditer(sql) if found[1]]


def names(sql: str) -> set[str]:
    """Whatever may be the name of a column, in lower case."""
    return {unquote(token).casefold() for token in tokens(sql)}


def unquote(token: str) -> str:
    return token.strip("\"'[]`")


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
