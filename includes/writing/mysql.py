"""What is written otherwise for MySQL and MariaDB: indexes that are needed, and renames."""

import re
from collections.abc import Iterator, Sequence

from alembic.operations import ops
from sqlalchemy import Connection, Dialect, MetaData

from ..schema.snapshot import Facts, Thing, named_otherwise
from . import circles, dependents, implicit_defaults, key_indexes, names
from .completion import Completion
from .parts import Part, put_references_first

#: What a column that is NOT NULL does to rows that are there.
WITHOUT_DEFAULT = "gives rows that are there '', 0 or the like without a word, or fails"
RENAME = {"index": "ALTER TABLE {table} RENAME INDEX {old} TO {new}"}


def schemas_of_models(_: Sequence[MetaData]) -> list[str]:
    """Each is a database by itself, which no throw-away one has."""
    return []


def is_unseen(thing: Thing, _: Connection, found: Facts, wanted: Facts) -> bool:
    """Whether Alembic does not drop it: it does not see of an expression that it is another one."""
    computes = re.compile(dependents.COMPUTES["index"])
    is_index = thing.kind == "index" and thing in wanted
    return is_index and all(computes.search(each[thing]) for each in (found, wanted))


def part(_: Thing, _found: str | None, _wanted: str | None, _by: Connection) -> Part | None:
    """For a thing that no other database has: there is none."""
    return None


def put_aside(renamed: Part, completion: Completion) -> Part:
    """What is in the way of a rename, around which it goes and comes back."""
    implicit_defaults.keep_counting(renamed, completion.found)
    # MariaDB renames it wherever it is named.
    if _is_mariadb(completion.connection.dialect):
        return renamed
    return dependents.put_aside(renamed, completion)


def around(operations: ops.UpgradeOps, completion: Completion) -> tuple[list[Part], list[Part]]:
    """What comes before the operations, which are changed, and after them."""
    named = names.changed(operations, completion, RENAME)
    key_indexes.create_before_drops(operations, completion)
    put_references_first(operations)
    implicit_defaults.leave_computed_alone(operations)
    changed = Part(operations.ops, operations.ops)
    implicit_defaults.keep_counting(changed, completion.wanted or completion.found)
    key_indexes.drop_with_references(operations, completion)
    made = key_indexes.drop_on_way_back(operations, completion)
    first, last = key_indexes.around(completion)
    return [made, *named, *_given_up(completion), first], [last]


def _given_up(completion: Completion) -> Iterator[Part]:
    """Names of foreign keys of a table that was renamed, where another table needs them now.

    The keys are made anew, since no server of this kind can give them other names.
    """
    needed = {thing.name for thing in completion.wanted if thing.kind == "foreign key"}
    for old, new in named_otherwise(completion.found, completion.wanted):
        if old.kind == "foreign key" and old.name in needed:
            yield completion.part(new, old) or Part()


def complete(part: Part, dialect: Dialect) -> None:
    """What the operations do not say by themselves."""
    circles.untie(part)
    for operations in (part.up, part.down):
        if _is_mariadb(dialect):
            implicit_defaults.leave_computed_open(operations)
        else:
            implicit_defaults.leave_null(operations)


def _is_mariadb(dialect: Dialect) -> bool:
    """By the server: a URL may say mysql:// for both."""
    return bool(getattr(dialect, "is_mariadb", False))
