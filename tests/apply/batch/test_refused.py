"""Issue: batch operations on SQLite that would lose something fail before they change anything."""

import sqlite3
from dataclasses import dataclass
from importlib import import_module

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError

from .changes import (
    LOG,
    PARENT,
    PLAIN,
    Change,
    Database,
    drop,
    rename_among_others,
    replace_all,
    require,
    retype,
)


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
    "all columns": Refused(
        ["CREATE TABLE t (n INTEGER, d INTEGER AS (5))"],
        change=replace_all,
        because="would keep no column that has values",
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


def test_a_trigger_can_be_dropped_before(database: Database) -> None:
    """Only what is there comes back."""
    database.execute(PLAIN, TRIGGER.format("t"), "DROP TRIGGER x")
    database.change(drop("a"))
    assert database.ask("SELECT name FROM sqlite_master") == [("t",)]


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
