"""CHECKs that come with the type of a column: of an Enum or a Boolean with `create_constraint`."""

from collections.abc import Iterable, Iterator
from copy import copy
from typing import Any

from alembic.operations import MigrateOperation, ops
from alembic.util import CommandError
from alembic.util.sqla_compat import _is_type_bound
from sqlalchemy import CheckConstraint, Dialect, MetaData, Table, types
from sqlalchemy.exc import InvalidRequestError

from ..schema.snapshot import Thing
from .completion import Completion
from .items import table_of, thing_of
from .parts import changes, changes_of_columns, take_out

Operations = list[MigrateOperation]


def refuse_nameless(tables: Iterable[MetaData], dialect: Dialect) -> None:
    """SQLAlchemy does not say where it is that the naming convention lacks a name."""
    for table in (table for each in tables for table in each.tables.values()):
        for check in _of_types(table):
            try:
                dialect.identifier_preparer.format_constraint(check)
            except InvalidRequestError:
                names = ", ".join(check.columns.keys())
                raise CommandError(
                    f"The CHECK that the type of {table.fullname}.{names} brings along has no name,"
                    " and the naming convention needs one: give it to the type in the model, such as"
                    f' Boolean(create_constraint=True, name="{names}").'
                ) from None


def _of_types(table: Table) -> Iterator[CheckConstraint]:
    for check in table.constraints:
        if isinstance(check, CheckConstraint) and _is_type_bound(check):
            yield check


def leave_out_of_changes(operations: Operations) -> None:
    """Alembic would add one, under the name of the one that is there: it is a change of its own."""
    for change in changes_of_columns(operations):
        if _has_check(change.modify_type):
            change.modify_type = copy(change.modify_type)
            vars(change.modify_type)["create_constraint"] = False


def drop_namesakes(operations: Operations, completion: Completion) -> None:
    """The one of a column that goes may have the name of the one of a column that comes."""
    for each in operations:
        if isinstance(each, ops.ModifyTableOps):
            brought = [thing for change in each.ops for thing in _brought(change, completion)]
            gone = [thing for thing in brought if thing in completion.found]
            each.ops[:0] = [drop for thing in gone for drop in completion.drop(thing).up]


def leave_out_doubled(operations: Operations, completion: Completion) -> None:
    """Alembic 1.20.1 adds them once more."""
    brought = {thing for change in changes(operations) for thing in _brought(change, completion)}
    take_out(
        operations,
        lambda each: isinstance(each, ops.CreateCheckConstraintOp) and thing_of(each) in brought,
    )


def _has_check(kind: types.TypeEngine[Any] | None) -> bool:
    return isinstance(kind, types.Enum | types.Boolean) and kind.create_constraint


def _brought(change: MigrateOperation, completion: Completion) -> Iterator[Thing]:
    table = completion.models.get(table_of(change))
    if isinstance(change, ops.AddColumnOp) and table is not None:
        for check in _of_types(table):
            if change.column.name in check.columns:
                yield Thing(table.fullname, "check", str(check.name))
