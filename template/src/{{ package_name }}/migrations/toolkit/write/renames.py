"""What goes and what comes of the same type may be one thing with a new name: that is asked.

To drop the one and to add the other would lose what is in it.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from typing import Any

from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Column, Table
from sqlalchemy.types import NullType

from ..invocation import again, agrees, given
from ..schema.snapshot import qualified
from .parts import Part


@dataclass(frozen=True)
class Candidate:
    """`users.fullname` and `name`, or of tables `users` and `people`."""

    old: str
    new: str
    is_alike: bool
    part: Part

    @property
    def place(self) -> str:
        table, dot, _ = self.old.rpartition(".")
        return f"{table}{dot}{self.new}"

    def excludes(self, other: "Candidate") -> bool:
        return self.old == other.old or self.place == other.place


class Renames:
    """As `-x rename=users.fullname:name` says, or somebody at a terminal."""

    def __init__(self, context: MigrationContext) -> None:
        self._impl = context.impl
        self._dialect: Any = context.dialect
        self._has_none = bool(given("no-rename"))
        self._said = [_said(text) for text in given("rename")]

    def settle(
        self, find: Callable[[], ops.UpgradeOps], run: Callable[[Sequence[Part]], list[Part]]
    ) -> list[Part]:
        """Tables first, so that their columns can be compared: `run` compares again."""
        parts: list[Part] = []
        for look in (self._tables, self._columns):
            chosen = self._choose(list(look(find())), look == self._columns)
            parts += run([each.part for each in chosen])
        return parts

    def _choose(self, candidates: Sequence[Candidate], of_columns: bool) -> list[Candidate]:
        known = {(each.old, each.new): each for each in candidates}
        # What has a dot is a column, or a table in another schema.
        said = [names for names in self._said if names in known or ("." in names[0]) is of_columns]
        self._said = [names for names in self._said if names not in said]
        for old, new in said:
            if (old, new) not in known:
                raise CommandError(_wrong(old, new, candidates))
        chosen = [known[names] for names in said]
        for candidate in candidates:
            if candidate.is_alike and not any(map(candidate.excludes, chosen)):
                rivals = [each for each in candidates if each.excludes(candidate)]
                if self._is_renamed(candidate, rivals):
                    chosen.append(candidate)
        return chosen

    def _is_renamed(self, candidate: Candidate, rivals: Sequence[Candidate]) -> bool:
        if self._has_none:
            return False
        if sys.stdin.isatty():
            with suppress(EOFError):
                question = f"Was {candidate.old} renamed to {candidate.new}?"
                return agrees(question, "nothing was written")
        ways = " or ".join(
            f"`{again(f'rename={each.old}:{each.new}')}`" for each in rivals if each.is_alike
        )
        raise CommandError(
            f"{candidate.old} goes, and {candidate.place} of the same type comes: was it renamed?"
            f" Nothing was written. If so: {ways}. If not, and what is in it is to be lost:"
            f" `{again('no-rename')}`."
        )

    def _tables(self, found: ops.UpgradeOps) -> Iterator[Candidate]:
        gone = [each for each in found.ops if isinstance(each, ops.DropTableOp)]
        new = [each for each in found.ops if isinstance(each, ops.CreateTableOp)]
        for drop, create in product(gone, new):
            if create.schema == drop.schema:
                yield self._table(drop, create)

    def _table(self, drop: ops.DropTableOp, create: ops.CreateTableOp) -> Candidate:
        is_alike = self._are_alike(drop.to_table(), create.to_table())
        old, new, schema = drop.table_name, create.table_name, drop.schema
        part = Part(
            [ops.RenameTableOp(old, new, schema=schema)],
            [ops.RenameTableOp(new, old, schema=schema)],
        )
        return Candidate(qualified(old, schema), new, is_alike, part)

    def _columns(self, found: ops.UpgradeOps) -> Iterator[Candidate]:
        for table in found.ops:
            if isinstance(table, ops.ModifyTableOps):
                gone = [each for each in table.ops if isinstance(each, ops.DropColumnOp)]
                new = [each for each in table.ops if isinstance(each, ops.AddColumnOp)]
                for drop, add in product(gone, new):
                    yield self._column(table, drop.to_column(), add.column)

    def _column(self, table: ops.ModifyTableOps, old: Column[Any], new: Column[Any]) -> Candidate:
        is_alike = self._is_of_type(old, new)
        kept: dict[str, Any] = {
            # In the words of the model, which are fewer.
            "existing_type": new.type if is_alike else old.type,
            "existing_nullable": old.nullable,
            "existing_server_default": old.server_default or False,
            "existing_comment": old.comment,
        }
        name, schema = table.table_name, table.schema
        up = ops.AlterColumnOp(name, old.name, schema=schema, modify_name=new.name, **kept)
        down = ops.AlterColumnOp(name, new.name, schema=schema, modify_name=old.name, **kept)
        part = Part(
            [ops.ModifyTableOps(name, [up], schema=schema)],
            [ops.ModifyTableOps(name, [down], schema=schema)],
        )
        return Candidate(f"{qualified(name, schema)}.{old.name}", new.name, is_alike, part)

    def _are_alike(self, old: Table, new: Table) -> bool:
        """In most of their columns: something else may have changed as well."""
        names = {*old.columns.keys(), *new.columns.keys()}
        common = [name for name in names if name in old.columns and name in new.columns]
        alike = [name for name in common if self._is_of_type(old.columns[name], new.columns[name])]
        return 3 * len(alike) >= 2 * len(names)

    def _is_of_type(self, old: Column[Any], new: Column[Any]) -> bool:
        if isinstance(old.type, NullType):  # What SQLAlchemy does not know may be one of these.
            name, *_ = new.type.compile(self._dialect).lower().partition("(")
            return name not in self._dialect.ischema_names
        return not self._impl.compare_type(old, new)


def _wrong(old: str, new: str, candidates: Sequence[Candidate]) -> str:
    known = [f"{each.old}:{each.new}" for each in candidates]
    what = f"What could have been renamed: {', '.join(known)}" if known else "Nothing was renamed"
    return f"-x rename={old}:{new} is not what has changed. {what}. Nothing was written."


def _said(text: str) -> tuple[str, str]:
    old, colon, new = text.partition(":")
    if not (old and colon and new) or "." in new:
        raise CommandError(
            f"-x rename={text}: say `-x rename=users.fullname:name` for a column, and `-x"
            " rename=users:people` for a table."
        )
    return old, new
