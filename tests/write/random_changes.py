"""Random changes of random models: by a seed, always the same."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass

from .random_columns import Columns
from .random_models import Column, Table, written


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


class Tables(Columns):
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

    def comment_table(self) -> None:
        self._table()[1].options["comment"] = repr(self._value())

    def circle(self) -> None:
        """Two tables that refer to each other."""
        self.create_table()
        self.create_table()
        (one, first), (two, second) = list(self.models.items())[-2:]
        self._refer(first, two, second, {})
        self._refer(second, one, first, {})


class Author(Tables):
    """Who changes the models, as it comes to mind."""

    def steps(self, count: int) -> Iterator[Step]:
        for _ in range(self.random.randint(2, 3)):
            self.create_table()
        yield Step(["begin"], written(self.models, self.database), "")
        for _ in range(count):
            self._begin()
            done = [self._change() for _ in range(self.random.randint(1, 3))]
            yield Step(done, written(self.models, self.database), self.rename)

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
