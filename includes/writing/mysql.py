"""What is written otherwise for MySQL and MariaDB: indexes that are needed, and renames."""

from collections.abc import Sequence

from alembic.operations.ops import UpgradeOps
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from ..schema.snapshot import Facts, Thing
from . import cycles, defaults, dependents, indexes
from .completion import Completion
from .parts import Part


def schemas_of_models(_: Sequence[MetaData]) -> list[str]:
    """Each is a database by itself, which no throw-away one has."""
    return []


def is_unseen(_thing: Thing, _: Connection) -> bool:
    """Whether SQLAlchemy does not reflect it, so that Alembic does not drop it: it reflects all."""
    return False


def put_aside(
    renamed: Part, context: MigrationContext, completion: Completion, found: Facts
) -> Part:
    """What is in the way of a rename, around which it goes and comes back."""
    # MariaDB renames it wherever it is named.
    if context.dialect.name != "mysql":
        return renamed
    return dependents.put_aside(renamed, completion, found)


def around(
    operations: UpgradeOps, context: MigrationContext, found: Facts, wanted: Facts
) -> tuple[list[Part], list[Part]]:
    """What comes before the operations, which are changed, and after them."""
    named = indexes.renamed(operations, context, found, wanted)
    indexes.drop_with_references(operations, found, wanted)
    return [named], []


def complete(part: Part, context: MigrationContext) -> None:
    """What the operations do not say by themselves."""
    cycles.untie(part)
    if context.dialect.name == "mysql":
        for operations in (part.up, part.down):
            defaults.leave_null(operations)
