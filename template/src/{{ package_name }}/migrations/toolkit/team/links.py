"""Which migration follows which: in the history, and as its file says it."""

import ast
import re

from alembic.script import Script, ScriptDirectory


def lineage(script: ScriptDirectory, *heads: str) -> list[Script]:
    """They, and all that they follow; newest first."""
    found = script.iterate_revisions(heads, "base")
    return [each for each in found if isinstance(each, Script)]


def follow(text: str, before: str | None) -> str:
    """The same file behind another one."""
    text = _with_down_revision(text, f'"{before}"' if before else "None")
    return re.sub(
        r"^Revises:[^\r\n]*", f"Revises: {before or ''}".rstrip(), text, count=1, flags=re.M
    )


def _with_down_revision(text: str, value: str) -> str:
    lines = text.encode().splitlines(keepends=True)
    node = next(filter(None, map(_value_of_down_revision, ast.parse(text).body)))
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    start, end = lines[first][: node.col_offset], lines[last][node.end_col_offset or 0 :]
    lines[first : last + 1] = [start + value.encode() + end]
    return b"".join(lines).decode()


def _value_of_down_revision(node: ast.stmt) -> ast.expr | None:
    match node:
        case ast.Assign(targets=[ast.Name(id="down_revision")], value=value):
            return value
        case ast.AnnAssign(target=ast.Name(id="down_revision"), value=value):
            return value
    return None
