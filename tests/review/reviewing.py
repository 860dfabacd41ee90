"""Runs in a project: reviews each history that standard input gives, and tells what was found."""

import json
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

HEADER = "import sqlalchemy as sa\nfrom alembic import op\n\n"


def main() -> None:
    histories: dict[str, dict[str, Any]] = json.load(sys.stdin)
    rules = import_module(f"{sys.argv[1]}.migrations.toolkit.review.rules").RULES
    found = {name: _review(**history) for name, history in histories.items()}
    print(json.dumps({"rules": list(rules), "found": found}))


def _review(files: dict[str, str], new: list[str] | None, models: dict[str, list[str]]) -> Any:
    """All as they stand by themselves, or those that are new as one release."""
    package = f"{sys.argv[1]}.migrations.toolkit"
    config, review = (import_module(f"{package}.{name}") for name in ("config", "review.review"))
    folder = Path(tempfile.mkdtemp())
    before = None
    for revision, text in files.items():
        (folder / f"{revision}.py").write_text(
            f'"""{revision}"""\n{HEADER}revision = {revision!r}\ndown_revision = {before!r}\n{text}'
        )
        before = revision
    given = config.alembic_config()
    given.set_main_option("version_locations", str(folder))
    chosen = set(files) if new is None else set(new)
    done = review.review(given, chosen, are_one_release=new is not None, models=models)
    return {
        "findings": [finding._asdict() for finding in done.findings],
        "breaks": [each.what for each in done.breaks],
        "statements": {
            each.script.revision: [
                [statement.sql, statement.cost.locks, statement.cost.rewrites, statement.cost.scans]
                for statement in each.statements
                if statement.is_shown
            ]
            for each in done.migrations
        },
    }


if __name__ == "__main__":
    main()
