"""What migrations do besides the schema, which a squashed one would not do."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from alembic.operations import ops
from alembic.script import Script

from ..review.recording import Recording
from ..schema import reflections

#: What these do is not in the schema that they leave, or cannot be told from it.
CALLS = {
    "batched_update",
    "bulk_insert",
    "exec_driver_sql",
    "execute",
    "get_bind",
    "run_async",
    "scalar",
    "scalars",
}
#: It stays as it is.
EXTENSION = re.compile(r"CREATE EXTENSION (?:IF NOT EXISTS )?([^;]+)", re.IGNORECASE)
#: On each database, all that it does is seen in the schema.
SEEN = re.compile(
    r"(CREATE (UNIQUE )?|DROP )INDEX [^;]+|ALTER TABLE [^;]+? RENAME TO [^;]+", re.IGNORECASE
)
#: Of a call, so much is shown.
LENGTH = 80


class Call(NamedTuple):
    """What changes more than the schema, and where that is said."""

    script: Script
    line: int
    what: str

    def __str__(self) -> str:
        what = _in_one_line(self.what)
        shown = what if len(what) <= LENGTH else f"{what[: LENGTH - 6]} [...]"
        return f"{Path(self.script.path).name}, line {self.line}: {shown}"


def calls(script: Script) -> Iterator[Call]:
    """As they stand in the file, but for those on the way down."""
    tree = ast.parse(Path(script.path).read_text(encoding="utf-8"))
    for part in tree.body:
        if isinstance(part, ast.FunctionDef) and part.name == "downgrade":
            continue
        found = (node for node in ast.walk(part) if isinstance(node, ast.Call))
        for call in sorted(found, key=lambda call: call.lineno):
            if _name(call.func) in CALLS and not _is_harmless(call):
                yield Call(script, call.lineno, ast.unparse(call))


def _is_harmless(call: ast.Call) -> bool:
    sql = call.args[0] if len(call.args) == 1 else None
    if not isinstance(sql, ast.Constant):
        return False
    return _is_seen(str(sql.value)) or extension(str(sql.value)) is not None


def _is_seen(sql: str) -> bool:
    statement = _in_one_line(sql).removesuffix(";")
    return bool(reflections.is_seen(statement) or SEEN.fullmatch(statement))


def extension(sql: str) -> str | None:
    """Which one it makes."""
    found = EXTENSION.fullmatch(_in_one_line(sql).removesuffix(";"))
    return found and found[1]


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def made_calls(script: Script, recording: Recording) -> Iterator[Call]:
    """While it ran, through whatever other module."""
    for statement in recording.statements:
        if statement.origin == "sql" and not _is_seen(statement.sql):
            yield Call(script, statement.line, statement.sql)
    for line, operation, _ in recording.operations:
        if isinstance(operation, ops.BulkInsertOp):
            yield Call(script, line, f"rows for {operation.table.name}")
