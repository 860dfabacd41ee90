"""What squawk, a linter for PostgreSQL, knows and the server does not tell, where it is installed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import shorten

from alembic.util import CommandError

from ..connection import LENGTH
from .changes import Change
from .recording import Recording, Statement

#: What is about locks, rewrites and scans the server knows better; and what SQLAlchemy makes of plain
#: integers (SERIAL, INTEGER) nobody has to explain.
ADVICE = {
    "ban-alter-domain-with-add-constraint": "Put the CHECK on the columns instead.",
    "ban-char-field": "sa.String or sa.Text: CHAR fills up with spaces.",
    "ban-create-domain-with-constraint": "Put the CHECK on the columns instead.",
    "identifier-too-long": "A name of at most 63 characters: PostgreSQL cuts off the rest.",
    "prefer-timestamp-tz": "sa.DateTime(timezone=True): without, nobody knows which time is meant.",
    "require-enum-value-ordering": "ADD VALUE ... AFTER or BEFORE, so that the order is what it says.",
}
RULES = {f"squawk-{name}": advice for name, advice in ADVICE.items()}


def advised(recording: Recording) -> Iterator[tuple[int, Change]]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = shutil.which("squawk", path=path)
    statements = [each for each in recording.statements if each.is_shown]
    if command is None or not statements:
        return
    for number, rule, message in _said(command, statements):
        if rule in ADVICE:
            yield statements[number].line, Change(f"squawk-{rule}", "", message.rstrip("."))


def _said(command: str, statements: list[Statement]) -> list[tuple[int, str, str]]:
    """A file each: what it cannot read, such as a parameter, hides all else in the same file."""
    with TemporaryDirectory() as folder:
        for number, statement in enumerate(statements):
            (Path(folder) / f"{number}.sql").write_text(statement.sql, encoding="utf-8")
        try:
            done = subprocess.run(  # noqa: S603
                [command, "--reporter", "json", f"{folder}/*.sql"],
                capture_output=True,
                encoding="utf-8",
                check=False,
            )
        except OSError as error:
            raise _not_squawk(command, str(error.strerror)) from None
    try:
        return [
            (int(Path(each["file"]).stem), each["rule_name"], each["message"])
            for each in json.loads(done.stdout)
        ]
    except (ValueError, LookupError, TypeError):
        why = shorten(done.stderr or done.stdout, LENGTH) or f"exit code {done.returncode}"
        raise _not_squawk(command, why) from None


def _not_squawk(command: str, why: str) -> CommandError:
    return CommandError(
        f"{command}, which is asked where it is installed, does not answer as squawk 2.70 does"
        f" ({why}): install that, or correct its configuration."
    )
