"""Issue: batch operations on SQLite lose nothing, or fail before they change anything."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.operations import BatchOperations, Operations
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError

from ..projects import Renderer

Change = Callable[[BatchOperations], Any]


def require(batch: BatchOperations) -> None:
    batch.alter_column("n", nullable=False)


def drop(name: str) -> Change:
    return lambda batch: batch.drop_column(name)


def retype(name: str, type_: Any) -> Change:
    return lambda batch: batch.alter_column(name, type_=type_)


def rename(batch: BatchOperations) -> None:
    batch.alter_column("n", new_column_name="renamed")


def rename_among_others(batch: BatchOperations) -> None:
    rename(batch)
    batch.alter_column("a", nullable=False)


@dataclass(frozen=True)
class Database:
    """A file whose tables are changed as a migration does."""

    path: Path
    package: str

    def execute(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path)) as database:
            for statement in statements:
                database.execute(statement)
            database.commit()

    def ask(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(self.path)) as database:
            return database.execute(query).fetchall()

    def dump(self) -> list[str]:
        with closing(sqlite3.connect(self.path)) as database:
            return list(database.iterdump())

    def change(self, change: Change, table: str = "t", **options: Any) -> None:
        driver = import_module(f"{self.package}.driver")
        batch_module = import_module(f"{self.package}.migrations.toolkit.apply.batch")
        engine = driver.create_migration_engine(sa.make_url(f"sqlite:///{self.path}"))
        with engine.begin() as connection, batch_module.without_warnings():
            operations = Operations(MigrationContext.configure(connection))
            with operations.batch_alter_table(table, **options) as batch:
                change(batch)


@pytest.fixture(scope="module")
def package(renderer: Renderer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    name = "sqlite_lab"
    project = renderer(tmp_path_factory.mktemp(name) / name, {"package_name": name})
    with pytest.MonkeyPatch.context() as patches:
        patches.syspath_prepend(project.path / "src")
        import_module(f"{name}.migrations.toolkit.apply.batch")
        yield name


@pytest.fixture
def database(package: str, tmp_path: Path) -> Database:
    return Database(tmp_path / "app.db", package)


@dataclass(frozen=True)
class Case:
    schema: list[str]
    query: str
    answer: list[Any]
    change: Change = require
    #: Executed after the change.
    rows: list[str] = field(default_factory=list)


LOG = "CREATE TABLE log (text TEXT)"
PARENT = "CREATE TABLE parents (id INTEGER PRIMARY KEY)"
COLUMNS = "id INTEGER PRIMARY KEY, n INTEGER, a TEXT"
PLAIN = f"CREATE TABLE t ({COLUMNS})"

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


@dataclass(frozen=True)
class Refused:
    schema: list[str]
    because: str
    change: Change = require


TRIGGER = "CREATE TRIGGER x AFTER INSERT ON {} BEGIN UPDATE t SET a = 'x'; END"

REFUSED = {
    "UNIQUE that is not reflected": Refused(
        ["CREATE TABLE t (n INTEGER, a VARCHAR(20) UNIQUE)"],
        because="would lose UNIQUE (a COLLATE BINARY)",
    ),
    "UNIQUE with a collation of its own": Refused(
        ["CREATE TABLE t (n INTEGER, a TEXT, UNIQUE (a COLLATE NOCASE))"],
        because="would lose UNIQUE (a COLLATE NOCASE)",
    ),
    "foreign key whose action is not reflected": Refused(
        [PARENT, "CREATE TABLE t (n INTEGER, p INTEGER REFERENCES parents ON DELETE CASCADE)"],
        because="would lose FOREIGN KEY (p) REFERENCES parents ON UPDATE NO ACTION ON DELETE CASC",
    ),
    "DEFERRABLE that is not reflected": Refused(
        [PARENT, "CREATE TABLE t (n INTEGER, p INTEGER REFERENCES parents DEFERRABLE)"],
        because="would lose DEFERRABLE",
    ),
    "ON CONFLICT": Refused(
        ["CREATE TABLE t (n INTEGER, a TEXT, UNIQUE (a) ON CONFLICT REPLACE)"],
        because="would lose CONFLICT",
    ),
    "name that is not reflected": Refused(
        [PARENT, "CREATE TABLE t (n INTEGER, p INTEGER CONSTRAINT fk_p REFERENCES parents)"],
        because="would lose the name fk_p",
    ),
    "CHECK that is misread": Refused(
        ["CREATE TABLE t (n INTEGER, -- CHECK (b)\n a TEXT)"],
        because="cannot make the table anew: no such column: b",
    ),
    "primary key that is no number of the row": Refused(
        ["CREATE TABLE t (id INTEGER PRIMARY KEY DESC, n INTEGER)"],
        because="would lose PRIMARY KEY (id COLLATE BINARY DESC)",
    ),
    "column of an index": Refused(
        [PLAIN, "CREATE INDEX i ON t (a)"],
        change=drop("a"),
        because="not work any more: index i (no such column: a)",
    ),
    "column of a trigger": Refused(
        [PLAIN, TRIGGER.format("t")],
        change=drop("a"),
        because="not work any more: trigger x (no such column: a)",
    ),
    "column of a trigger of another table": Refused(
        [PLAIN, LOG, TRIGGER.format("log")],
        change=drop("a"),
        because="not work any more: trigger x (no such column: a)",
    ),
    "column of a view": Refused(
        [PLAIN, "CREATE VIEW broken AS SELECT b FROM t", "CREATE VIEW v AS SELECT a FROM t"],
        change=drop("a"),
        because="not work any more: view v (no such column: a).",
    ),
    "column of a CHECK with a name": Refused(
        ["CREATE TABLE t (n INTEGER, a TEXT, CONSTRAINT ck CHECK (a > 'a'))"],
        change=drop("a"),
        because="cannot make the table anew: no such column: a. Drop in the same operation",
    ),
    "column of a CHECK without a name": Refused(
        ["CREATE TABLE t (n INTEGER, a TEXT, CHECK (a > 'a' OR n > 1))"],
        change=drop("a"),
        because="changes a, and CHECK (a > 'a' OR n > 1) has no name",
    ),
    "column of a CHECK gets another type": Refused(
        ["CREATE TABLE t (n INTEGER, a TEXT CHECK (a IN ('a', 'b')))"],
        change=retype("a", sa.Enum("a", "b", "c")),
        because="changes a, and CHECK (a IN ('a', 'b')) has no name",
    ),
    "index with an order on a column that is renamed among other changes": Refused(
        [PLAIN, "CREATE INDEX i ON t (n DESC)"],
        change=rename_among_others,
        because="not work any more: index i (no such column: n)",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_it_is_refused(database: Database, case: Refused) -> None:
    database.execute(*case.schema)
    before = database.dump()
    with pytest.raises(CommandError) as refusal:
        database.change(case.change)
    assert str(refusal.value).startswith('op.batch_alter_table("t") ')
    assert case.because in str(refusal.value)
    assert database.dump() == before


def test_what_is_refused_can_be_said(database: Database) -> None:
    """As the sentences advise: the whole table, or what becomes of a CHECK."""
    unique = "CREATE TABLE t (n INTEGER, a VARCHAR(20) UNIQUE)"
    check = "CREATE TABLE u (n INTEGER, a INTEGER CHECK (a IN (0, 1)))"
    database.execute(unique, "INSERT INTO t VALUES (1, 'a')", check)
    table = sa.Table(
        "t",
        sa.MetaData(),
        sa.Column("n", sa.Integer),
        sa.Column("a", sa.String(20)),
        sa.UniqueConstraint("a", name="uq_t_a"),
    )
    database.change(require, copy_from=table)
    restated = sa.CheckConstraint("a IN ('0', '1')", name="ck_u_a")
    database.change(retype("a", sa.String(1)), "u", table_args=[restated])
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        database.execute("INSERT INTO t VALUES (2, 'a')")
    with pytest.raises(sqlite3.IntegrityError, match="ck_u_a"):
        database.execute("INSERT INTO u VALUES (1, '2')")


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


def test_a_trigger_can_be_dropped_before(database: Database) -> None:
    """Only what is there comes back."""
    database.execute(PLAIN, TRIGGER.format("t"), "DROP TRIGGER x")
    database.change(drop("a"))
    assert database.ask("SELECT name FROM sqlite_master") == [("t",)]


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


def test_foreign_keys_that_are_on(database: Database, package: str) -> None:
    """On a connection of the caller's, where making a table anew would delete rows of others."""
    database.execute(PLAIN, "CREATE TABLE children (t_id REFERENCES T (id) ON DELETE CASCADE)")
    import_module(f"{package}.migrations.toolkit.apply.batch")
    with sa.create_engine(f"sqlite:///{database.path}", poolclass=sa.NullPool).connect() as other:
        other.exec_driver_sql("PRAGMA foreign_keys = ON")
        operations = Operations(MigrationContext.configure(other))
        with (
            pytest.raises(CommandError, match="would delete the rows of children"),
            operations.batch_alter_table("t") as batch,
        ):
            require(batch)
