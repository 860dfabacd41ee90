"""The digest of a migration: of what it does, the same on each Python."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .projects import Project

Render = Callable[..., Project]

pytestmark = pytest.mark.slow

MIGRATION = '''"""Add a note

Revises: 27c6
"""

import sqlalchemy as sa
from alembic import op

revision: str = "f00d"
down_revision: str | None = "27c6"


def upgrade() -> None:
    """Add it."""
    size = 80
    op.add_column("users", sa.Column("note", sa.String(length=size), server_default=None))
    op.execute(f"UPDATE users SET note = {size!r:>4}" " || 'x'")
'''
IMPORTS = "import sqlalchemy as sa\nfrom alembic import op\n"
# Made by Python 3.11; 3.12 and 3.13 agree.
DIGEST = "632af71048c8afef9a46b4f8c1d504ac62d6c15748841b38bbb821c35b4df7bc"
# In the order that ruff has for them, and their digest as releases up to 0.8.0 made it.
IN_ORDER = """import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy import text
from sqlalchemy import types as kinds
from sqlalchemy.dialects import postgresql

from ..words import WORDS, Word, words
"""
IN_ORDER_DIGEST = "0a7bf273c6de0ea6740c3d096c39114a8cd67a2de702a4a40d9124cb5da1802e"
SAME = {
    "text": ("Add a note", "Add a remark"),
    "docstring": ('"""Add it."""', '"""Really."""'),
    "comment": ("size = 80", "size = 80  # enough"),
    "place": ('= "27c6"', '= "4711"'),
    "loss": ('= "27c6"', '= "27c6"\nloses = {"users": "moved"}'),
    "quotes": ('"note"', "'note'"),
    "commas": ("server_default=None)", "server_default=None,)"),
    "lines": ("    op.add_column(", "    op.add_column(\n        "),
    "parentheses": ("size = 80", "size = (80)"),
    "order of imports": (IMPORTS, "from alembic import op\n\nimport sqlalchemy as sa\n"),
    "imports in one line": (IMPORTS, f"import sqlalchemy as sa, sqlalchemy as sa\n{IMPORTS}"),
}
OTHER = {
    "value": ("size = 80", "size = 81"),
    "name": ('"note"', '"remark"'),
    "statement": ("    op.execute", "    # op.execute"),
    "indentation": ("    op.execute", "    if size:\n        op.execute"),
    "import": (IMPORTS, f"{IMPORTS}from alembic import context\n"),
    "revision": ('"f00d"', '"beef"'),
}


def test_digest(render: Render, tmp_path: Path) -> None:
    changes = {"as-it-is": ("", "")} | SAME | OTHER
    files = [write(tmp_path / name, *change) for name, change in changes.items()]
    changes["in-order"] = ("", "")
    files.append(str(tmp_path / "in-order"))
    (tmp_path / "in-order").write_text(IN_ORDER)
    project = render().install()
    code = (
        f"import sys; from {project.answers['package_name']}.migrations.toolkit.history import"
        " digest_of; print(*(digest_of(open(path).read()) for path in sys.argv[1:]))"
    )
    digests = dict(
        zip(changes, project.run("python", "-c", code, *files).stdout.split(), strict=True)
    )
    assert digests.pop("as-it-is") == DIGEST
    assert digests.pop("in-order") == IN_ORDER_DIGEST
    assert {name for name, digest in digests.items() if digest == DIGEST} == set(SAME)


def write(path: Path, old: str, new: str) -> str:
    assert old in MIGRATION
    path.write_text(MIGRATION.replace(old, new, 1))
    return str(path)
