"""Random changes of what a table has beside its columns: indexes, CHECKs, references."""

from .random_choices import Choices
from .random_models import NUMBERS, Column, Item, Table

ACTIONS = ["CASCADE", "SET NULL", "RESTRICT", ""]
INDEXES = ("index", "partial", "expression", "descending")


class Items(Choices):
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

    def delete_otherwise(self) -> None:
        table, name = self._item("reference")
        table.items[name].options = self._action()

    def _action(self) -> dict[str, str]:
        action = self.random.choice(ACTIONS)
        return {"ondelete": repr(action)} if action else {}

    def exclude(self) -> None:
        table, name = self._column(lambda column: column.type.endswith("INT4RANGE"))
        self.models[table].items[self._numbered("ex_")] = Item(
            "exclude", [name], self.random.choice(["&&", "-|-"])
        )
