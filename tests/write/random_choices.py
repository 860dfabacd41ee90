"""What is there to be changed, and what comes to the mind of who changes it."""

import random
from collections.abc import Callable
from copy import deepcopy

from .random_models import MYSQL, TEXTS, Column, Models, Table

#: What is written with care: in SQL, in Python, for a driver, and in a file that is a template.
VALUES = ["plain", "it's", "50%", "a:b", ":x", "back\\slash", 'a "b"', "{{ x }}", "ünï", "%(x)s"]
NAMES = ["size", "order", "Amount", "two words", "per%cent", "note", "code", "dash-ed", "kind"]
NAMES += ["user", "labelText", "group", "state", "x", "owner", "price", "key"]


class Choices:
    """The models as they are, and what is chosen among them."""

    def __init__(self, seed: int, database: str) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.database = database
        #: Nothing is done then that may fail on rows.
        self.is_gentle = seed % 2 == 0
        self.models: Models = {}
        self.rename = ""
        self._count = 0
        self._begin()

    def _begin(self) -> None:
        self.rename = ""
        #: What has gone in this step does not come again as something else.
        self._taken = {*self.models, *(name for t in self.models.values() for name in t.columns)}
        self._before = deepcopy(self.models)

    def _new_name(self) -> str:
        free = [name for name in NAMES if name not in self._taken]
        return self.random.choice(free) if free else self._numbered("name")

    def _numbered(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def _take(self) -> str:
        name = self._new_name()
        self._taken.add(name)
        return name

    def _value(self) -> str:
        return self.random.choice(VALUES)

    def _table(self) -> tuple[str, Table]:
        return self.random.choice(list(self.models.items()))

    def _column(self, fits: Callable[[Column], bool], free: bool = False) -> tuple[str, str]:
        """A table's name and a column's; a free one is in no foreign key."""
        return self.random.choice(
            [
                (table, name)
                for table, each in self.models.items()
                for name, column in each.columns.items()
                if fits(column) and not (free and self._is_key(table, name))
            ]
        )

    def _item(self, *forms: str) -> tuple[Table, str]:
        return self.random.choice(
            [
                (table, name)
                for table in self.models.values()
                for name, item in table.items.items()
                if item.form in forms
            ]
        )

    def _refers(self, table: str, target: str) -> bool:
        items = self.models[table].items.values()
        return table != target and any(item.target == target for item in items)

    def _is_key(self, table: str, column: str) -> bool:
        return any(
            item.form == "reference"
            and ((column in item.columns and name == table) or column in item.targets)
            for name, each in self.models.items()
            for item in each.items.values()
        )

    def _literal(self, value: str) -> str:
        doubled = value.replace("'", "''")
        return f"'{doubled}'".replace("\\", r"\\" if self._has_mysql else "\\")

    @property
    def _has_mysql(self) -> bool:
        return self.database in MYSQL.split()

    def _condition(self, column: Column) -> str:
        found = self.random.choice(column.kind.conditions)
        return found + self._literal(self._value()) if found in TEXTS else found

    def _default(self, column: Column) -> str:
        if column.values:
            return repr(self.random.choice(column.values))
        if column.kind.conditions == TEXTS and column.type not in {"sa.String(3)", "sa.Text"}:
            return repr(self._value())
        return self.random.choice(column.kind.defaults.split())
