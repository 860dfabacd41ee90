"""Random changes of random models: by a seed, always the same."""

import random
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace

from .random_models import KINDS, MYSQL, NUMBERS, TEXTS, Column, Item, Models, Table, written

#: What is written with care: in SQL, in Python, for a driver, and in a file that is a template.
VALUES = ["plain", "it's", "50%", "a:b", ":x", "back\\slash", 'a "b"', "{{ x }}", "ünï", "%(x)s"]
NAMES = ["size", "order", "Amount", "two words", "per%cent", "note", "code", "dash-ed", "kind"]
NAMES += ["user", "labelText", "group", "state", "x", "owner", "price", "key"]
ACTIONS = ["CASCADE", "SET NULL", "RESTRICT", ""]
COLLATIONS = {
    "sqlite": "NOCASE",
    "postgresql": "C",
    "mysql": "utf8mb4_bin",
    "mariadb": "utf8mb4_bin",
}
INDEXES = ("index", "partial", "expression", "descending")


@dataclass(frozen=True)
class Step:
    changes: list[str]
    models: dict[str, str]
    rename: str

    @property
    def text(self) -> str:
        return "".join(
            f"sa.Table({name!r}, Base.metadata, {table})\n" for name, table in self.models.items()
        )


class Author:
    """Who changes the models, as it comes to mind."""

    def __init__(self, seed: int, database: str) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.database = database
        #: Nothing is done then that may fail on rows.
        self.is_gentle = seed % 2 == 0
        self.models: Models = {}
        self.rename = ""
        self._count = 0
        self._begin()

    def steps(self, count: int) -> Iterator[Step]:
        for _ in range(self.random.randint(2, 3)):
            self.create_table()
        yield Step(["begin"], written(self.models, self.database), "")
        for _ in range(count):
            self._begin()
            done = [self._change() for _ in range(self.random.randint(1, 3))]
            yield Step(done, written(self.models, self.database), self.rename)

    def _begin(self) -> None:
        self.rename = ""
        #: What has gone in this step does not come again as something else.
        self._taken = {*self.models, *(name for t in self.models.values() for name in t.columns)}
        self._before = deepcopy(self.models)

    def _change(self) -> str:
        while True:
            change = self.random.choice(GENTLE if self.is_gentle else GENTLE + STRICT)
            before = deepcopy(self.models)
            try:
                change(self)
            except LookupError:  # There is nothing that could be changed so.
                self.models = before
            else:
                return change.__name__

    # What is chosen.

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

    def _some_column(self) -> Column:
        known = [each for each in KINDS if self.database in KINDS[each].databases.split()]
        column = Column(self.random.choice(known))
        if self.random.random() < 0.2:
            column = self._enum()
        if self.random.random() < 0.4:
            self._set_default(column)
        if "server_default" in column.options and self.random.random() < 0.5:
            column.options["nullable"] = "False"
        return column

    def _set_default(self, column: Column) -> None:
        with suppress(LookupError):
            column.options["server_default"] = self._default(column)

    def _enum(self) -> Column:
        how = self.random.choice(
            ["", ", native_enum=False", ", native_enum=False, create_constraint=True, length=20"]
        )
        values = self.random.sample(VALUES, self.random.randint(1, 4))
        if self._has_mysql:
            # SQLAlchemy does not read an enum right that has these.
            values = [value for value in values if "'" not in value and "\\" not in value] or ["a"]
        name = self._numbered(self.random.choice(["mood", "Mood"]))
        return Column(f"sa.Enum({{}}, name={name!r}{how})", values=values)

    # Changes that rows survive.

    def create_table(self) -> None:
        table = Table({"id": self._key()})
        if self.random.random() < 0.15:
            table = Table(
                {
                    name: Column("sa.Integer", {"primary_key": "True", "autoincrement": "False"})
                    for name in ("a", "b")
                }
            )
        self.models[self._take()] = table
        for _ in range(self.random.randint(1, 4)):
            table.columns[self._take()] = self._some_column()
        for add in (self._add_check, self._add_unique, self._add_index, self._add_reference):
            if self.random.random() < 0.3:
                with suppress(LookupError):
                    add(table)

    def _key(self) -> Column:
        return Column(
            self.random.choice(["sa.Integer"] * 4 + ["sa.Uuid", "sa.String(20)"]),
            {"primary_key": "True"},
        )

    def drop_table(self) -> None:
        name = self.random.choice([*self.models][:-2])
        self._refuse_renamed(name)
        if self.is_gentle and any(self._refers(table, name) for table in self.models):
            raise LookupError  # Its rows do not come back.
        del self.models[name]
        for table in self.models.values():
            table.leave_out(lambda item: item.target == name)

    def rename_table(self) -> None:
        self._only_rename()
        old = self.random.choice([name for name in self.models if name in self._before])
        new = self._take()
        self.models = {new if name == old else name: each for name, each in self.models.items()}
        for table in self.models.values():
            for item in table.items.values():
                item.target = new if item.target == old else item.target
        self.rename = f"{old}:{new}"

    def _refuse_renamed(self, name: str) -> None:
        """In one step nothing gets another name and goes."""
        if name in re.split("[.:]", self.rename):
            raise LookupError

    def _only_rename(self) -> None:
        if self.rename:
            raise LookupError

    def add_column(self) -> None:
        self._table()[1].columns[self._take()] = self._some_column()

    def add_checked_column(self) -> None:
        _, table = self._table()
        name = self._take()
        table.columns[name] = replace(self._some_column(), options={})
        self._add_check(table, name)

    def drop_column(self) -> None:
        table, name = self._column(lambda column: column.is_plain or bool(column.computed))
        self._refuse_renamed(name)
        self._drop_column(table, name)

    def _drop_column(self, table: str, name: str) -> None:
        found = self.models[table]
        del found.columns[name]
        found.leave_out(lambda item: name in item.columns)
        for each in self.models.values():
            each.leave_out(lambda item: item.target == table and name in item.targets)
        for other in [key for key, each in found.columns.items() if each.of == name]:
            self._drop_column(table, other)

    def rename_column(self) -> None:
        self._only_rename()
        (table, old), new = self._column(lambda column: not column.computed), self._take()
        found = self.models[table]
        if table not in self._before or old not in self._before[table].columns:
            raise LookupError  # It is new.
        found.columns = {new if name == old else name: each for name, each in found.columns.items()}
        for each in found.columns.values():
            each.of = new if each.of == old else each.of
        for other in self.models.values():
            for item in other.items.values():
                if other is found:
                    item.columns = [new if key == old else key for key in item.columns]
                if item.target == table:
                    item.targets = [new if key == old else key for key in item.targets]
        self.rename = f"{table}.{old}:{new}"

    def allow_null(self) -> None:
        self._options(lambda column: "nullable" in column.options).pop("nullable")

    def _options(self, fits: Callable[[Column], bool]) -> dict[str, str]:
        table, name = self._column(fits)
        return self.models[table].columns[name].options

    def widen(self) -> None:
        self._convert(lambda column: column.kind.wider)

    def _convert(self, ways: Callable[[Column], str]) -> None:
        table, name = self._column(lambda column: column.is_plain and bool(ways(column)), free=True)
        found, column = self.models[table], self.models[table].columns[name]
        new = self.random.choice(ways(column).split())
        kind = KINDS[new]
        if self.database not in kind.databases.split() or found.computes_with(name):
            raise LookupError  # PostgreSQL refuses the latter.
        if kind.conditions != column.kind.conditions:
            found.leave_out(lambda item: name in item.columns)
        if kind.conditions != column.kind.conditions or new in {"sa.String(3)", "sa.Text"}:
            column.options = {}
        column.type, column.collation = new, column.collation if "(" in new else ""

    def set_default(self) -> None:
        table, name = self._column(
            lambda column: (not column.computed and column.is_plain) or bool(column.values)
        )
        column = self.models[table].columns[name]
        column.options["server_default"] = self._default(column)

    def drop_default(self) -> None:
        self._options(
            lambda column: "server_default" in column.options and "nullable" not in column.options
        ).pop("server_default")

    def comment(self) -> None:
        self._options(lambda column: True)["comment"] = repr(self._value())

    def comment_no_more(self) -> None:
        self._options(lambda column: "comment" in column.options).pop("comment")

    def comment_table(self) -> None:
        self._table()[1].options["comment"] = repr(self._value())

    def add_index(self) -> None:
        self._add_index(self._table()[1])

    def _add_index(self, table: Table) -> None:
        form = self.random.choice(INDEXES)
        name = self.random.choice(self._to_index(table))
        column = table.columns[name]
        if form not in {"index", "partial"} and self._has_mysql and table.refers_by(name):
            raise LookupError  # The server's own index is gone then, and does not come back.
        item = Item(form, [name])
        if form == "partial":
            item.sql = self._condition(column)
        elif form == "expression":
            if self.database == "mariadb":
                raise LookupError
            item.sql = "(-{0})" if column.kind.conditions == NUMBERS else "(lower({0}))"
        elif form == "descending":
            item.sql = "{0} DESC"
        elif len(self._to_index(table)) > 1 and self.random.random() < 0.3:
            item.columns = self.random.sample(self._to_index(table), 2)
        table.items[self._numbered("ix_")] = item

    def _to_index(self, table: Table) -> list[str]:
        return [
            name
            for name, each in table.columns.items()
            if each.is_plain and each.kind.conditions and each.type != "sa.Text"
        ]

    def change_index(self) -> None:
        table, name = self._item(*INDEXES)
        if self._has_mysql and any(map(table.refers_by, table.items[name].columns)):
            raise LookupError  # The server refuses it.
        del table.items[name]
        self._add_index(table)
        _, table.items[name] = table.items.popitem()

    def rename_item(self) -> None:
        table, name = self._item(*INDEXES, "check", "unique")
        item = table.items.pop(name)
        table.items[self._numbered("renamed_")] = item

    def drop_item(self) -> None:
        table, name = self._item(*INDEXES, "check", "unique", "reference", "exclude")
        del table.items[name]

    def compute(self) -> None:
        table, name = self._column(
            lambda column: column.is_plain and bool(column.kind.conditions), free=True
        )
        column = self.models[table].columns[name]
        self.models[table].columns[self._take()] = self._computed(column, name)

    def _computed(self, column: Column, of: str) -> Column:
        if column.kind.conditions == NUMBERS:
            return Column(
                "sa.Numeric(30,4)", computed=f"{{0}} * {self.random.randint(2, 99)}", of=of
            )
        function = self.random.choice(["lower", "upper", "trim"])
        return Column("sa.String(60)", computed=f"{function}({{0}})", of=of)

    def compute_otherwise(self) -> None:
        table, name = self._column(lambda column: bool(column.computed))
        found = self.models[table].columns
        found[name] = self._computed(found[found[name].of], found[name].of)

    def add_value(self) -> None:
        column = self._enum_column()
        fresh = [f"v{self._count}", "zz top", "x:y"]
        column.values.append(self.random.choice([v for v in fresh if v not in column.values]))

    def _enum_column(self) -> Column:
        table, name = self._column(lambda column: bool(column.values))
        return self.models[table].columns[name]

    def collate(self) -> None:
        table, name = self._column(
            lambda column: column.type.startswith("sa.String") and column.is_plain, free=True
        )
        column = self.models[table].columns[name]
        if self.models[table].computes_with(name):
            raise LookupError
        column.collation = "" if column.collation else COLLATIONS[self.database]

    def refer_by_new_column(self) -> None:
        self._add_reference(self._table()[1])

    def _add_reference(self, table: Table) -> None:
        """One column, or as many as the key has; perhaps to the table itself."""
        target, referred = self._table()
        columns = self._refer(table, target, referred, self._action())
        if self.random.random() < 0.3:
            table.items[self._numbered("ix_")] = Item("index", columns)

    def _refer(
        self, table: Table, target: str, referred: Table, options: dict[str, str]
    ) -> list[str]:
        columns = [self._take() for _ in referred.key]
        for name, key in zip(columns, referred.key, strict=True):
            table.columns[name] = Column(referred.columns[key].type)
        item = Item("reference", columns, "", options, target, referred.key)
        table.items[self._numbered("fk_")] = item
        return columns

    def delete_otherwise(self) -> None:
        table, name = self._item("reference")
        table.items[name].options = self._action()

    def _action(self) -> dict[str, str]:
        action = self.random.choice(ACTIONS)
        return {"ondelete": repr(action)} if action else {}

    def circle(self) -> None:
        """Two tables that refer to each other."""
        self.create_table()
        self.create_table()
        (one, first), (two, second) = list(self.models.items())[-2:]
        self._refer(first, two, second, {})
        self._refer(second, one, first, {})

    # Changes that may fail on rows.

    def refuse_null(self) -> None:
        table, name = self._column(
            lambda column: column.is_plain and "nullable" not in column.options
        )
        if self.models[table].refers_by(name):
            raise LookupError  # It may be set to NULL.
        self.models[table].columns[name].options["nullable"] = "False"

    def convert(self) -> None:
        self._convert(lambda column: column.kind.other)

    def add_check(self) -> None:
        self._add_check(self._table()[1])

    def _add_check(self, table: Table, name: str = "") -> None:
        names = [
            key
            for key, each in table.columns.items()
            if each.is_plain and each.kind.conditions and not table.refers_by(key)
        ]
        chosen = name if name in names else self.random.choice(names)
        table.items[self._numbered("ck")] = Item(
            "check", [chosen], self._condition(table.columns[chosen])
        )

    def change_check(self) -> None:
        table, name = self._item("check")
        item = table.items[name]
        item.sql = self._condition(table.columns[item.columns[0]])

    def add_unique(self) -> None:
        self._add_unique(self._table()[1])

    def _add_unique(self, table: Table) -> None:
        names = self._to_index(table)
        chosen = self.random.sample(names, min(len(names), self.random.randint(1, 2)))
        if not chosen or any(
            item.form == "unique" and item.columns == chosen for item in table.items.values()
        ):
            raise LookupError
        table.items[self._numbered("uq_")] = Item("unique", chosen)

    def drop_value(self) -> None:
        column = self._enum_column()
        is_own_type = self.database == "postgresql" and "native_enum" not in column.type
        if is_own_type or len(column.values) < 2:
            raise LookupError  # The former is said, and not written.
        gone = column.values.pop(self.random.randrange(len(column.values)))
        if column.options.get("server_default") == repr(gone):
            column.options["server_default"] = repr(column.values[0])

    def add_required(self) -> None:
        column = self._some_column()
        column.options["nullable"] = "False"
        self._table()[1].columns[self._take()] = column

    def refer(self) -> None:
        """By a column that is there."""
        target, referred = self._table()
        if len(referred.key) > 1:
            raise LookupError
        kind = referred.columns[referred.key[0]].type
        name, column = self._column(
            lambda column: column.is_plain and column.type == kind and not column.collation,
            free=True,
        )
        table = self.models[name]
        is_checked = any(
            item.form == "check" and column in item.columns for item in table.items.values()
        )
        if is_checked or table.computes_with(column):
            raise LookupError  # MySQL refuses it, in places.
        table.items[self._numbered("fk_")] = Item(
            "reference", [column], target=target, targets=referred.key
        )

    def exclude(self) -> None:
        table, name = self._column(lambda column: column.type.endswith("INT4RANGE"))
        self.models[table].items[self._numbered("ex_")] = Item(
            "exclude", [name], self.random.choice(["&&", "-|-"])
        )

    def add_to_key(self) -> None:
        if self.database == "sqlite":
            raise LookupError  # What becomes of AUTOINCREMENT is said, and not written.
        table, name = self._column(
            lambda column: column.is_plain and column.type in {"sa.Integer", "sa.String(20)"},
            free=True,
        )
        if any(
            item.target == table for each in self.models.values() for item in each.items.values()
        ):
            raise LookupError
        column = self.models[table].columns[name]
        column.options.pop("nullable", None)
        column.options["primary_key"] = "True"


A = Author
GENTLE: list[Callable[[Author], None]] = [
    A.create_table,
    A.drop_table,
    A.rename_table,
    A.add_column,
    A.add_checked_column,
    A.drop_column,
    A.rename_column,
    A.rename_column,
    A.allow_null,
    A.widen,
    A.set_default,
    A.drop_default,
    A.comment,
    A.comment_no_more,
    A.comment_table,
    A.add_index,
    A.change_index,
    A.rename_item,
    A.drop_item,
    A.compute,
    A.compute_otherwise,
    A.add_value,
    A.collate,
    A.refer_by_new_column,
    A.delete_otherwise,
    A.circle,
]
STRICT: list[Callable[[Author], None]] = [
    A.refuse_null,
    A.convert,
    A.add_check,
    A.change_check,
    A.add_unique,
    A.drop_value,
    A.add_required,
    A.refer,
    A.exclude,
    A.add_to_key,
]
