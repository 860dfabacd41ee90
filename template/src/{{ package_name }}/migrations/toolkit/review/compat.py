"""Whether code that was written for an earlier schema works on the new one: what it would run into.

Two schemas are compared as the database has them, so that raw SQL counts as well.
"""

import json
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import environ
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.engine.reflection import ObjectKind

from ....config import PROJECT
from ..git import Git
from ..history import OWN_TABLES
from ..schema import definitions
from .changes import is_wider

#: The columns that the code's models name, by their table.
Models = Mapping[str, list[str]]

PACKAGE = __name__.partition(".")[0]
LIST_MODELS = """
import json
import sys
from importlib import import_module
tables = import_module(sys.argv[1]).load_models().tables.values()
print(json.dumps({table.fullname: [column.name for column in table.columns] for table in tables}))
"""


@dataclass
class Shape:
    """Of a table."""

    columns: dict[str, ReflectedColumn]
    #: What refuses rows: in words, with the names of columns.
    rules: dict[str, list[str]]


class Break(NamedTuple):
    table: str
    column: str
    what: str


def models_at(ref: str, git: Git) -> Models:
    """Those of the code that the ref has; none if it cannot be run here."""
    if PROJECT is None:
        return {}
    with TemporaryDirectory() as folder:
        if not git.export(ref, PROJECT / "src", Path(folder)):
            return {}
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-W", "ignore", "-c", LIST_MODELS, f"{PACKAGE}.features"],
            env={**environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    models: Models = json.loads(done.stdout) if done.returncode == 0 else {}
    return models


def shapes(connection: sa.Connection) -> dict[str, Shape]:
    inspector = sa.inspect(connection)
    found: dict[str, Shape] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        for schema in (None, *definitions.other_schemas(connection)):
            rules = _rules(inspector, schema)
            tables = inspector.get_multi_columns(schema, kind=ObjectKind.ANY)
            for (_, table), columns in tables.items():
                shape = Shape({each["name"]: each for each in columns}, rules.get(table, {}))
                found[f"{schema}.{table}" if schema else table] = shape
    return {table: shape for table, shape in found.items() if table not in OWN_TABLES}


def breaks(old: Mapping[str, Shape], new: Mapping[str, Shape], models: Models) -> Iterator[Break]:
    """Where models are known, only what they name counts."""
    for table, before in old.items():
        named = models.get(table, [] if models else list(before.columns))
        if not named:
            continue
        if table not in new:
            yield Break(table, "", f"the table {table} is gone")
            continue
        after = new[table]
        for name in filter(before.columns.__contains__, named):
            yield from _changed(table, before.columns[name], after.columns.get(name))
        for name, column in after.columns.items():
            if name not in named and _must_be_given(column):
                yield _to_be_given(table, name)
        for rule, columns in after.rules.items():
            if rule not in before.rules and set(columns) & set(named):
                yield Break(table, "", f"{rule} may refuse rows of {table}")


def _changed(table: str, old: ReflectedColumn, new: ReflectedColumn | None) -> Iterator[Break]:
    name = old["name"]
    if new is None:
        yield Break(table, name, f"{table}.{name} is gone")
        return
    if str(old["type"]) != str(new["type"]) and not _takes(old["type"], new["type"]):
        what = f"{table}.{name} was {old['type']} and is {new['type']}"
        yield Break(table, name, what)
    if old["nullable"] and not new["nullable"]:
        yield Break(table, name, f"{table}.{name} refuses NULL")
    elif _must_be_given(new) and not _must_be_given(old):
        yield _to_be_given(table, name)


def _to_be_given(table: str, name: str) -> Break:
    what = f"{table}.{name} must be given when a row is added, and has no default"
    return Break(table, name, what)


def _takes(old: sa.types.TypeEngine[Any], new: sa.types.TypeEngine[Any]) -> bool:
    if isinstance(old, sa.Enum) and isinstance(new, sa.Enum):
        return set(old.enums) <= set(new.enums)
    both_integers = isinstance(old, sa.Integer) and isinstance(new, sa.Integer)
    return is_wider(old, new) or (both_integers and not isinstance(old, sa.BigInteger))


def _must_be_given(column: ReflectedColumn) -> bool:
    filled = column.get("computed") or column.get("identity") or column.get("autoincrement") is True
    return not column["nullable"] and column["default"] is None and not filled


def _rules(inspector: sa.Inspector, schema: str | None) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}

    def add(table: str, kind: str, columns: list[Any]) -> None:
        names = [str(column) for column in columns]
        found.setdefault(table, {})[f"{kind} ({', '.join(names)})"] = names

    for (_, table), uniques in inspector.get_multi_unique_constraints(schema).items():
        for unique in uniques:
            add(table, "unique", unique["column_names"])
    for (_, table), indexes in inspector.get_multi_indexes(schema).items():
        for index in indexes:
            if index["unique"]:
                add(table, "unique", index["column_names"])
    for (_, table), keys in inspector.get_multi_foreign_keys(schema).items():
        for key in keys:
            add(table, "the foreign key", key["constrained_columns"])
    for (_, table), checks in inspector.get_multi_check_constraints(schema).items():
        columns = [column["name"] for column in inspector.get_columns(table, schema)]
        for check in checks:
            text = check["sqltext"]
            named = [column for column in columns if column in text]
            found.setdefault(table, {})[f"the CHECK ({text})"] = named
    return found
