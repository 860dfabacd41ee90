"""What is written otherwise for SQLite: little, since batch operations make tables anew."""

from collections.abc import Sequence

from alembic.operations import ops
from sqlalchemy import Connection, Dialect, MetaData, inspect

from ..schema import reflections
from ..schema.snapshot import Facts, Thing
from .completion import Completion
from .parts import Part, changes_of_columns

#: What a column that is NOT NULL does to rows that are there.
WITHOUT_DEFAULT = "fails where there are rows"


def schemas_of_models(_: Sequence[MetaData]) -> list[str]:
    """Beside the default one; another file is none."""
    return []


def is_unseen(thing: Thing, connection: Connection, _found: Facts, _wanted: Facts) -> bool:
    """Whether SQLAlchemy does not reflect it, so that Alembic does not drop it."""
    if thing.kind != "index":
        return False
    return thing.name not in {
        index["name"] for index in inspect(connection).get_indexes(thing.table)
    }


def part(_: Thing, _found: str | None, _wanted: str | None, _by: Connection) -> Part | None:
    """For a thing that no other database has: there is none."""
    return None


def put_aside(renamed: Part, _: Completion) -> Part:
    """What is in the way of a rename, around which it goes and comes back: nothing."""
    return renamed


def around(_: ops.UpgradeOps, _completion: Completion) -> tuple[list[Part], list[Part]]:
    """What comes before the operations, which are changed, and after them."""
    return [], []


def complete(part: Part, _: Dialect) -> None:
    """What the operations do not say by themselves: that a collation comes back."""
    for change in changes_of_columns(part.down):
        if change.modify_type is not None and getattr(change.existing_type, "collation", None):
            change.modify_type = reflections.collated(change.modify_type)
