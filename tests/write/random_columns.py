"""Random changes of columns."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from .random_choices import VALUES
from .random_items import Items
from .random_models import KINDS, NUMBERS, Column

COLLATIONS = {
    "sqlite": "NOCASE",
    "postgresql": "C",
    "mysql": "utf8mb4_bin",
    "mariadb": "utf8mb4_bin",
}


class Columns(Items):
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

    def add_column(self) -> None:
        self._table()[1].columns[self._take()] = self._some_column()

    def add_checked_column(self) -> None:
        _, table = self._table()
        name = self._take()
        table.columns[name] = replace(self._some_column(), options={})
        self._add_check(table, name)

    def add_required(self) -> None:
        column = self._some_column()
        column.options["nullable"] = "False"
        self._table()[1].columns[self._take()] = column

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

    def _refuse_renamed(self, name: str) -> None:
        """In one step nothing gets another name and goes."""
        if name in re.split("[.:]", self.rename):
            raise LookupError

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

    def _only_rename(self) -> None:
        if self.rename:
            raise LookupError

    def allow_null(self) -> None:
        self._options(lambda column: "nullable" in column.options).pop("nullable")

    def refuse_null(self) -> None:
        table, name = self._column(
            lambda column: column.is_plain and "nullable" not in column.options
        )
        if self.models[table].refers_by(name):
            raise LookupError  # It may be set to NULL.
        self.models[table].columns[name].options["nullable"] = "False"

    def _options(self, fits: Callable[[Column], bool]) -> dict[str, str]:
        table, name = self._column(fits)
        return self.models[table].columns[name].options

    def widen(self) -> None:
        self._convert(lambda column: column.kind.wider)

    def convert(self) -> None:
        self._convert(lambda column: column.kind.other)

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

    def drop_value(self) -> None:
        column = self._enum_column()
        is_own_type = self.database == "postgresql" and "native_enum" not in column.type
        if is_own_type or len(column.values) < 2:
            raise LookupError  # The former is said, and not written.
        gone = column.values.pop(self.random.randrange(len(column.values)))
        if column.options.get("server_default") == repr(gone):
            column.options["server_default"] = repr(column.values[0])

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
