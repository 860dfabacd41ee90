"""A SQLite file whose tables a batch operation changes, as one of a migration does."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.operations import BatchOperations, Operations
from alembic.runtime.migration import MigrationContext

Change = Callable[[BatchOperations], Any]

LOG = "CREATE TABLE log (text TEXT)"
PARENT = "CREATE TABLE parents (id INTEGER PRIMARY KEY)"
COLUMNS = "id INTEGER PRIMARY KEY, n INTEGER, a TEXT"
PLAIN = f"CREATE TABLE t ({COLUMNS})"


def require(batch: BatchOperations) -> None:
    batch.alter_column("n", nullable=False)


def drop(name: str) -> Change:
    return lambda batch: batch.drop_column(name)


def retype(name: str, type_: Any) -> Change:
    return lambda batch: batch.alter_column(name, type_=type_)


def replace_all(batch: BatchOperations) -> None:
    batch.drop_column("n")
    batch.add_column(sa.Column("m", sa.Integer))


def index_in_an_order(batch: BatchOperations) -> None:
    require(batch)
    batch.create_index("i", [sa.literal_column("a DESC")])


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
