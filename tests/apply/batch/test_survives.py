"""Issue: batch operations on SQLite lose nothing of what a table has and others have of it."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.operations import BatchOperations

from .changes import (
    LOG,
    PARENT,
    PLAIN,
    Change,
    Database,
    drop,
    index_in_an_order,
    rename,
    rename_among_others,
    require,
    retype,
)


@dataclass(frozen=True)
class Case:
    schema: list[str]
    query: str
    answer: list[Any]
    change: Change = require
    #: Executed after the change.
    rows: list[str] = field(default_factory=list)


SURVIVES = {
    "trigger": Case(
        [
            PLAIN,
            LOG,
            "CREATE TRIGGER x AFTER INSERT ON t BEGIN INSERT INTO log VALUES ('%s :a'); END",
        ],
        rows=["INSERT INTO t (n) VALUES (1)"],
        query="SELECT text FROM log",
        answer=[("%s :a",)],
    ),
    "trigger of another table": Case(
        [PLAIN, LOG, "CREATE TRIGGER x AFTER INSERT ON log BEGIN UPDATE t SET a = new.text; END"],
        rows=["INSERT INTO t (n) VALUES (1)", "INSERT INTO log VALUES ('changed')"],
        query="SELECT a FROM t",
        answer=[("changed",)],
    ),
    "view with a trigger": Case(
        [
            PLAIN,
            "CREATE VIEW v AS SELECT id, n FROM t WHERE n > 1",
            "CREATE TRIGGER x INSTEAD OF INSERT ON v BEGIN INSERT INTO t (n) VALUES (new.n); END",
        ],
        rows=["INSERT INTO v (n) VALUES (1)", "INSERT INTO v (n) VALUES (2)"],
        query="SELECT id, n FROM v",
        answer=[(2, 2)],
    ),
    "a trigger on a view that does not work": Case(
        [
            PLAIN,
            "CREATE VIEW broken AS SELECT b FROM t",
            "CREATE TRIGGER x INSTEAD OF INSERT ON broken BEGIN INSERT INTO t (n) VALUES (1); END",
        ],
        query="SELECT name FROM sqlite_master WHERE type <> 'table' ORDER BY name",
        answer=[("broken",), ("x",)],
    ),
    "collations": Case(
        ["CREATE TABLE t (n INTEGER, a TEXT COLLATE NOCASE, b VARCHAR(9) COLLATE RTRIM)"],
        rows=["INSERT INTO t VALUES (1, 'a', 'b ')"],
        query="SELECT a = 'A', b = 'b' FROM t",
        answer=[(1, 1)],
    ),
    "collation of a column that gets another type": Case(
        ["CREATE TABLE t (n INTEGER, a TEXT COLLATE NOCASE)"],
        change=retype("a", sa.String(20)),
        rows=["INSERT INTO t VALUES (1, 'a')"],
        query="SELECT a = 'A', type FROM t, pragma_table_info('t') WHERE name = 'a'",
        answer=[(1, "VARCHAR(20)")],
    ),
    "a date that becomes a moment": Case(
        ["CREATE TABLE t (n INTEGER, a DATE)", "INSERT INTO t VALUES (1, '2020-01-02')"],
        change=retype("a", sa.DateTime()),
        query="SELECT a FROM t",
        answer=[("2020-01-02",)],
    ),
    "AUTOINCREMENT and what it has counted": Case(
        [
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER)",
            "INSERT INTO t (n) VALUES (1), (2), (3)",
            "DELETE FROM t WHERE id > 1",
        ],
        rows=["INSERT INTO t (n) VALUES (4)"],
        query="SELECT max(id) FROM t",
        answer=[(4,)],
    ),
    "AUTOINCREMENT of an empty table": Case(
        [
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER)",
            "INSERT INTO t (n) VALUES (1), (2), (3)",
            "DELETE FROM t",
        ],
        rows=["INSERT INTO t (n) VALUES (4)"],
        query="SELECT max(id) FROM t",
        answer=[(4,)],
    ),
    "indexes by expression, with a condition, an order or a collation": Case(
        [
            PLAIN,
            "CREATE INDEX i1 ON t (lower(a))",
            "CREATE UNIQUE INDEX i2 ON t (n) WHERE n > 5",
            "CREATE INDEX i3 ON t (a COLLATE NOCASE DESC)",
        ],
        query="SELECT sql FROM sqlite_master WHERE type = 'index' ORDER BY name",
        answer=[
            ("CREATE INDEX i1 ON t (lower(a))",),
            ("CREATE UNIQUE INDEX i2 ON t (n) WHERE n > 5",),
            ("CREATE INDEX i3 ON t (a COLLATE NOCASE DESC)",),
        ],
    ),
    "a new index in an order": Case(
        [PLAIN],
        change=index_in_an_order,
        query="SELECT sql FROM sqlite_master WHERE type = 'index'",
        answer=[("CREATE INDEX i ON t (a DESC)",)],
    ),
    "generated columns": Case(
        [
            (
                "CREATE TABLE t (n INTEGER, d INTEGER GENERATED ALWAYS AS (n * 2) STORED,"
                " e TEXT AS (n || ':b' || ('(')))"
            ),
            "INSERT INTO t VALUES (1)",
        ],
        rows=["INSERT INTO t VALUES (2)"],
        query="SELECT * FROM t",
        answer=[(1, 2, "1:b("), (2, 4, "2:b(")],
    ),
    "CHECK without a name": Case(
        ["CREATE TABLE t (n INTEGER, a TEXT CHECK (a <> ':b'), CHECK (n > 0 OR a = '('))"],
        rows=[
            "INSERT OR IGNORE INTO t VALUES (1, ':b')",
            "INSERT OR IGNORE INTO t VALUES (0, 'x')",
            "INSERT OR IGNORE INTO t VALUES (0, '(')",
        ],
        query="SELECT * FROM t",
        answer=[(0, "(")],
    ),
    "CHECK of another column than the one that goes": Case(
        ["CREATE TABLE t (n INTEGER CHECK (n > 0), a TEXT CHECK (a > 'a'))"],
        change=drop("n"),
        rows=["INSERT OR IGNORE INTO t VALUES ('a')", "INSERT OR IGNORE INTO t VALUES ('b')"],
        query="SELECT * FROM t",
        answer=[("b",)],
    ),
    "foreign keys with actions": Case(
        [
            PARENT,
            (
                "CREATE TABLE t (n INTEGER, a INTEGER, b INTEGER, c INTEGER REFERENCES parents (id),"
                " FOREIGN KEY (a) REFERENCES parents (id) ON DELETE CASCADE,"
                " CONSTRAINT fk_b FOREIGN KEY (b) REFERENCES parents (id) ON UPDATE SET NULL"
                " DEFERRABLE INITIALLY DEFERRED)"
            ),
        ],
        query="SELECT [from], on_update, on_delete FROM pragma_foreign_key_list('t') ORDER BY 1",
        answer=[
            ("a", "NO ACTION", "CASCADE"),
            ("b", "SET NULL", "NO ACTION"),
            ("c", "NO ACTION", "NO ACTION"),
        ],
    ),
    "rows that refer to it, and to themselves": Case(
        [
            (
                "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, up INTEGER,"
                " FOREIGN KEY (up) REFERENCES t (id) ON DELETE CASCADE)"
            ),
            "CREATE TABLE children (t_id INTEGER REFERENCES t (id) ON DELETE CASCADE)",
            "INSERT INTO t VALUES (1, 1, NULL), (2, 1, 1)",
            "INSERT INTO children VALUES (1), (2)",
        ],
        query="SELECT count(*), (SELECT count(*) FROM t), (SELECT [table] FROM"
        " pragma_foreign_key_list('children')), (SELECT [table] FROM"
        " pragma_foreign_key_list('t')) FROM children",
        answer=[(2, 2, "t", "t")],
    ),
    "foreign keys to tables in other capitals, or to none": Case(
        [
            PARENT,
            (
                "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, p INTEGER REFERENCES Parents,"
                " q INTEGER REFERENCES elsewhere (id), up INTEGER REFERENCES T)"
            ),
        ],
        query="SELECT [from], [table], [to] FROM pragma_foreign_key_list('t') ORDER BY 1",
        answer=[("p", "Parents", "id"), ("q", "elsewhere", "id"), ("up", "T", "id")],
    ),
    "UNIQUE without a name": Case(
        ["CREATE TABLE t (n INTEGER UNIQUE, a TEXT, b TEXT, UNIQUE (a, b))"],
        rows=[
            "INSERT INTO t VALUES (1, 'a', 'b')",
            "INSERT OR IGNORE INTO t VALUES (1, 'c', 'd')",
            "INSERT OR IGNORE INTO t VALUES (2, 'a', 'b')",
        ],
        query="SELECT count(*) FROM t",
        answer=[(1,)],
    ),
    "STRICT and WITHOUT ROWID": Case(
        ["CREATE TABLE t (a TEXT PRIMARY KEY, n INTEGER, b ANY) STRICT, WITHOUT ROWID"],
        rows=["INSERT OR IGNORE INTO t VALUES ('a', 1, '01')"],
        query="SELECT typeof(b), wr, strict FROM t, pragma_table_list('t')",
        answer=[("text", 1, 1)],
    ),
    "types and defaults as they were written": Case(
        [
            (
                "CREATE TABLE t (n INTEGER, a, b money DEFAULT -1, c INT DEFAULT 10,"
                " d [long text] DEFAULT 'it''s', e DATETIME DEFAULT CURRENT_TIMESTAMP,"
                " f TEXT DEFAULT (lower('X') || ':y'), g BOOLEAN DEFAULT TRUE)"
            )
        ],
        rows=["INSERT INTO t (n) VALUES (1)"],
        query="SELECT a, b, c, d, e > '2', f, g, (SELECT group_concat(type) FROM"
        " pragma_table_info('t')) FROM t",
        answer=[
            (
                *(None, -1, 10, "it's", 1, "x:y", 1),
                "INTEGER,,money,INT,long text,DATETIME,TEXT,BOOLEAN",
            )
        ],
    ),
    "INT PRIMARY KEY, which is not the row's number": Case(
        ["CREATE TABLE t (id INT PRIMARY KEY, n INTEGER)"],
        rows=["INSERT INTO t (n) VALUES (1)"],
        query="SELECT id FROM t",
        answer=[(None,)],
    ),
    "full-text index": Case(
        [
            PLAIN,
            "CREATE VIRTUAL TABLE f USING fts5(a, content=t, content_rowid=id)",
            (
                "CREATE TRIGGER x AFTER INSERT ON t BEGIN"
                " INSERT INTO f (rowid, a) VALUES (new.id, new.a); END"
            ),
            "INSERT INTO t VALUES (5, 1, 'old words')",
        ],
        rows=["INSERT INTO t VALUES (7, 1, 'new words')"],
        query="SELECT rowid FROM f WHERE f MATCH 'words' ORDER BY rowid",
        answer=[(5,), (7,)],
    ),
    "everything that names a column that is renamed": Case(
        [
            PLAIN,
            "CREATE INDEX i ON t (n DESC)",
            "CREATE VIEW v AS SELECT n FROM t",
            "CREATE TABLE children (t_n INTEGER REFERENCES t (n))",
            "CREATE TRIGGER x AFTER INSERT ON t BEGIN UPDATE t SET n = new.n + 1; END",
        ],
        change=rename,
        rows=["INSERT INTO t (renamed) VALUES (1)"],
        query="SELECT renamed, [to] FROM v, pragma_foreign_key_list('children')",
        answer=[(2, "renamed")],
    ),
    "index on a column that is renamed among other changes": Case(
        [PLAIN, "CREATE INDEX i ON t (n)"],
        change=rename_among_others,
        query="SELECT name FROM pragma_index_info('i')",
        answer=[("renamed",)],
    ),
}


@pytest.mark.parametrize("case", SURVIVES.values(), ids=SURVIVES.keys())
def test_it_survives(database: Database, case: Case) -> None:
    database.execute(*case.schema)
    database.change(case.change)
    database.execute(*case.rows)
    assert database.ask(case.query) == case.answer


def test_what_goes_with_its_column(database: Database) -> None:
    """Nothing of it is missed, also where Alembic would not have seen it."""
    database.execute(
        PARENT,
        "CREATE TABLE t (n INTEGER, a VARCHAR(20) UNIQUE COLLATE NOCASE CHECK (a > 'a'),"
        " p INTEGER REFERENCES parents (id) ON DELETE CASCADE, d INTEGER AS (length(a)))",
    )

    def drop_all(batch: BatchOperations) -> None:
        for name in ("a", "p", "d"):
            batch.drop_column(name)

    database.change(drop_all)
    assert database.ask("SELECT name FROM pragma_table_xinfo('t')") == [("n",)]


def test_any_name(database: Database) -> None:
    name = """order 'a' "b" c"""
    table = '"' + name.replace('"', '""') + '"'
    database.execute(
        f"CREATE TABLE {table} (n INTEGER, [select] TEXT COLLATE NOCASE, [x 'y' \"z\"] TEXT)",
        f"INSERT INTO {table} VALUES (1, 'a', 'b')",
        f"CREATE INDEX [in 'dex] ON {table} ([select], [x 'y' \"z\"] DESC)",
        f"CREATE TRIGGER [on] AFTER INSERT ON {table} BEGIN SELECT new.[x 'y' \"z\"]; END",
    )
    database.change(require, name)
    assert database.ask(f"SELECT [select] = 'A', [x 'y' \"z\"] FROM {table}") == [(1, "b")]
    names = database.ask("SELECT name FROM sqlite_master WHERE sql IS NOT NULL")
    assert names == [(name,), ("in 'dex",), ("on",)]
