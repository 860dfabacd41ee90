"""What is found in a migration, with the safe way to write it; more rules are the database's own."""

from typing import NamedTuple

from . import server

IN_STEPS = "in a release for each step"

#: A code, and the safe way. What has no entry here nor in `server.RULES` does no harm.
RULES: dict[str, str] = {
    "drop-table": "Release code that no longer uses it first; drop it in a release after that.",
    "drop-column": "Release code first that has it in no model (running code names all columns of"
    " its models), with `include_name` in env.py for `check` to leave it alone; drop it in a release"
    " after that.",
    "rename-table": "Make the new table, write to both, copy the rows, read from the new one, and"
    f" drop the old one, {IN_STEPS}.",
    "rename-column": "Add the new column, write both, fill it with safe_ops.batched_update, read"
    f" the new one, and drop the old one, {IN_STEPS}.",
    "not-null-without-default": "Give it a server_default, which running code and existing rows"
    " need; or add it as nullable, fill it, and make it NOT NULL in a later release.",
    "add-unique": "See that there are no duplicates and that running code writes none; then"
    " safe_ops.create_unique.",
    "imports-application": "Say in the migration what it needs: sa.table() and sa.column() for"
    " tables, a literal for a value.",
    "edits-migration": "Leave it as it was, and change the rest by a new migration: databases that have"
    " run it do not run it again.",
    "no-downgrade": "Undo it, or `raise NotImplementedError` where that cannot be done.",
    "fails": "Run it against a throw-away database until it works: `db lint` does.",
    "breaks-previous-release": "Change in steps that the code which is running survives: add what"
    " is new, release code that uses it, and take away what is old in a later release.",
} | server.RULES


class Finding(NamedTuple):
    code: str
    revision: str
    file: str
    line: int
    message: str
    safe_way: str
