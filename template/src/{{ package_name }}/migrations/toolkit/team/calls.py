"""What migrations do besides the schema, which a squashed one would not do."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import shorten
from typing import NamedTuple

from alembic.operations.ops import BulkInsertOp
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


class Call(NamedTuple):
    """What changes more than the schema, and where that is said."""

    script: Script
    line: int
    what: str

    def __str__(self) -> str:
        return f"{Path(self.script.path).name}, line {self.line}: {shorten(self.what, 80)}"


def calls(script: Script) -> Iterator[Call]:
    """As they stand in the file, but for those on the way down."""
    tree = ast.parse(Path(script.path).read_text(encoding="utf-8"))
    for part in tree.body:
        if isinstance(part, ast.FunctionDef) and part.name == "downgrade":
            continue
        for node in ast.walk(part):
            if isinstance(node, ast.Call) and _name(node.func) in CALLS and not _is_harmless(node):
                yield Call(script, node.lineno, ast.unparse(node))


def _is_harmless(call: ast.Call) -> bool:
    sql = call.args[0] if len(call.args) == 1 else None
    return isinstance(sql, ast.Constant) and _stays(str(sql.value))


def _stays(sql: str) -> bool:
    return bool(reflections.is_seen(sql) or EXTENSION.fullmatch(sql))


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def made_calls(script: Script, recording: Recording) -> Iterator[Call]:
    """While it ran, through whatever other module."""
    for statement in recording.statements:
        if statement.origin == "sql" and not reflections.is_seen(statement.sql):
            yield Call(script, statement.line, statement.sql)
    for line, operation, _ in recording.operations:
        if isinstance(operation, BulkInsertOp):
            yield Call(script, line, f"rows for {operation.table.name}")
