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
from typing import Any, NamedTuple

# Hidden are columns of virtual tables, and with a number above 1 those that are generated.
NAMES = "SELECT name, hidden FROM pragma_table_xinfo(?)"
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


class Part(NamedTuple):
    """Something that can be lost, and the columns that it belongs to."""

    text: str
    columns: tuple[str, ...] = ()


AUTOINCREMENT = Part("AUTOINCREMENT")
#: What is kept in the text alone.
WORDS = {"AUTOINCREMENT", "CONFLICT", "DEFERRABLE"}


@dataclass(frozen=True)
class Description:
    #: The type of each column, and its collation.
    columns: dict[str, tuple[str, str]]
    #: What generated columns consist of.
    expressions: dict[str, str]
    parts: Counter[Part]


def describe(name: str, sql: str) -> Description:
    with closing(sqlite3.connect(":memory:")) as database:

        def ask(query: str) -> list[tuple[Any, ...]]:
            return database.execute(query, [name]).fetchall()

        database.execute(sql)
        keys, known = ask(KEYS), ask(NAMES)
        # Nothing but an index tells the collations.
        every = ", ".join(quote(column) for column, _ in known)
        database.execute(f"CREATE INDEX every_column ON {quote(name)} ({every})")
        columns = ask(COLUMNS)
        parts = [
            *_from_columns(columns),
            *_from_keys(keys),
            *_from_foreign_keys(ask(FOREIGN_KEYS)),
            *_from_text(sql),
        ]
        generated = [column for column, hidden in known if hidden > 1]
        return Description(
            columns={name: (type_, collation) for name, type_, collation, *_ in columns},
            expressions=dict(zip(generated, _in_parentheses(sql, "AS"), strict=True)),
            parts=Counter(parts),
        )


def _from_columns(rows: Iterable[tuple[Any, ...]]) -> Iterator[Part]:
    for name, type_, collation, required, default in rows:
        yield Part(f"the type {type_.upper()} of {name}", (name,))
        yield Part(f"COLLATE {collation} of {name}", (name,))
        if required:
            yield Part(f"NOT NULL of {name}", (name,))
        if default is not None:
            yield Part(f"DEFAULT {default} of {name}", (name,))


def _from_keys(rows: Iterable[tuple[Any, ...]]) -> Iterator[Part]:
    for (_, origin), group in groupby(rows, lambda row: row[:2]):
        parts = [row[2:] for row in group]
        columns = ", ".join(
            f"{name} COLLATE {collation}{' DESC' if descending else ''}"
            for name, collation, descending in parts
        )
        kind = "UNIQUE" if origin == "u" else "PRIMARY KEY"
        yield Part(f"{kind} ({columns})", tuple(name for name, *_ in parts))


def _from_foreign_keys(rows: Iterable[tuple[Any, ...]]) -> Iterator[Part]:
    for (_, table, on_update, on_delete), group in groupby(rows, lambda row: row[:4]):
        columns = tuple(column for *_, column in group)
        yield Part(
            f"FOREIGN KEY ({', '.join(columns)}) REFERENCES {table}"
            f" ON UPDATE {on_update} ON DELETE {on_delete}",
            columns,
        )


def _from_text(sql: str) -> Iterator[Part]:
    """What only the text tells."""
    for keyword in ("CHECK", "AS"):
        for expression in _in_parentheses(sql, keyword):
            yield Part(f"{keyword} ({' '.join(tokens(expression)).casefold()})")
    words = [word.upper() for word in tokens(sql)]
    yield from (Part(word) for word in words if word in WORDS)
    for word, following in pairwise(tokens(sql)):
        if word.upper() == "CONSTRAINT":
            yield Part(f"the name {unquote(following)}")
    end = len(words) - words[::-1].index(")")
    yield from map(Part, filter(None, " ".join(words[end:]).split(" , ")))


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
        known = database.execute(NAMES, [item.table])
        columns = [quote(column) for column, hidden in known if not hidden]
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
