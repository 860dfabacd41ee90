"""Whether code that was written for an earlier schema works on the new one: what it would run into.

Two schemas are compared as the database has them, so that raw SQL counts as well.
"""

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from os import environ
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import sqlalchemy as sa

from ....config import PROJECT
from ..git import Git
from ..history import OWN_TABLES
from ..schema import definitions
from .changes import is_wider

#: The columns that the code's models name, by their table.
Models = Mapping[str, list[str]]
#: Tables and views as the database has them.
Shapes = Mapping[str, sa.Table]
Column = sa.Column[Any]

PACKAGE = __name__.partition(".")[0]
LIST_MODELS = """
import json
import sys
from importlib import import_module
tables = import_module(sys.argv[1]).load_models().tables.values()
print(json.dumps({table.fullname: [column.name for column in table.columns] for table in tables}))
"""
#: As each server tells it.
VALUE = re.compile(r"(?:_\w+)?'(?:[^'\\]|''|\\.)*'(?:::[a-z ]+)?")
ONE_OF = re.compile(
    r"the CHECK \W*(?P<column>\w+)\W*(?:::text)? (?:IN|= ANY) \(+(?:ARRAY\[)?"
    rf"{VALUE.pattern}(?:, ?{VALUE.pattern})*(?:](?:::text\[])?)?\)+",
    re.IGNORECASE,
)


class Break(NamedTuple):
    table: str
    column: str
    what: str
    #: What the statement says that has brought it, beside the table.
    words: tuple[str, ...] = ()


class Rule(NamedTuple):
    """What refuses rows."""

    #: By which a statement brings it.
    word: str
    what: str
    columns: Sequence[str]


def models_at(ref: str, git: Git) -> Models:
    """Those of the code that the ref has; none if it cannot be run here."""
    if PROJECT is None:
        return {}
    with TemporaryDirectory() as folder:
        if not git.export(ref, PROJECT / "src", Path(folder)):
            return {}
        # -P: else the code of the folder that this is run in would go before it.
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-P", "-W", "ignore", "-c", LIST_MODELS, f"{PACKAGE}.features"],
            env={**environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    models: Models = json.loads(done.stdout) if done.returncode == 0 else {}
    return models


def shapes(connection: sa.Connection) -> Shapes:
    metadata = sa.MetaData()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        for schema in (None, *definitions.other_schemas(connection)):
            metadata.reflect(connection, schema, views=True, resolve_fks=False)
    return {name: table for name, table in metadata.tables.items() if name not in OWN_TABLES}


def breaks(old: Shapes, new: Shapes, models: Models) -> Iterator[Break]:
    """Where models are known, only what they name counts."""
    for table, before in old.items():
        named = models.get(table, [] if models else before.columns.keys())
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
        rules = list(_rules(before))
        for rule in _rules(after):
            is_new = not any(_is_alike(each, rule) for each in rules)
            if is_new and set(rule.columns) & set(named):
                what = f"{rule.what} may refuse rows of {table}"
                yield Break(table, "", what, (rule.word, *rule.columns))


def _changed(table: str, old: Column, new: Column | None) -> Iterator[Break]:
    name = old.name
    if new is None:
        yield Break(table, name, f"{table}.{name} is gone")
        return
    was, now = _told(old.type), _told(new.type)
    if was != now and not _takes(old.type, new.type):
        yield Break(table, name, f"{table}.{name} was {was} and is {now}")
    if old.nullable and not new.nullable:
        yield Break(table, name, f"{table}.{name} refuses NULL")
    elif _must_be_given(new) and not _must_be_given(old):
        yield _to_be_given(table, name)


def _to_be_given(table: str, name: str) -> Break:
    what = f"{table}.{name} must be given when a row is added, and has no default"
    return Break(table, name, what)


def _told(kind: sa.types.TypeEngine[Any]) -> str:
    # By itself it would be VARCHAR, as long as its longest value.
    return f"ENUM ({', '.join(kind.enums)})" if isinstance(kind, sa.Enum) else str(kind)


def _takes(old: sa.types.TypeEngine[Any], new: sa.types.TypeEngine[Any]) -> bool:
    if isinstance(old, sa.Enum) and isinstance(new, sa.Enum):
        return set(old.enums) <= set(new.enums)
    if isinstance(old, sa.Numeric) and isinstance(new, sa.Numeric) and old.precision:
        return old.scale == new.scale and old.precision <= (new.precision or 0)
    both_integers = isinstance(old, sa.Integer) and isinstance(new, sa.Integer)
    return is_wider(old, new) or (both_integers and not isinstance(old, sa.BigInteger))


def _must_be_given(column: Column) -> bool:
    filled = column.server_default is not None or column.autoincrement is True
    return not column.nullable and not filled


def _is_alike(old: Rule, new: Rule) -> bool:
    """Or a CHECK for more values of the same column, as of an enum."""
    if old.what == new.what:
        return True
    was, now = ONE_OF.fullmatch(old.what), ONE_OF.fullmatch(new.what)
    if not was or not now or was["column"] != now["column"]:
        return False
    return set(VALUE.findall(old.what)) <= set(VALUE.findall(new.what))


def _rules(table: sa.Table) -> Iterator[Rule]:
    for each in (*table.constraints, *(index for index in table.indexes if index.unique)):
        match each:
            case sa.CheckConstraint():
                text = str(each.sqltext)
                named = [column.name for column in table.columns if column.name in text]
                yield Rule("CHECK", f"the CHECK ({text})", named)
            case sa.ForeignKeyConstraint():
                names = each.column_keys
                yield Rule("FOREIGN KEY", f"the foreign key ({', '.join(names)})", names)
            case sa.UniqueConstraint() | sa.Index():
                names = each.columns.keys()
                yield Rule("UNIQUE", f"unique ({', '.join(names)})", names)
