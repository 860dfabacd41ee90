"""What squawk, a linter for PostgreSQL, knows and the server does not tell, where it is installed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .changes import Change
from .recording import Recording
from .sql import COMMENT

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
    # A line each; what has parameters is about rows.
    statements = [each for each in recording.statements if each.is_shown and "%(" not in each.sql]
    if command is None or not statements:
        return
    done = subprocess.run(  # noqa: S603
        [command, "--reporter", "json"],
        input="".join(f"{_one_line(each.sql)};\n" for each in statements),
        capture_output=True,
        text=True,
        check=False,
    )
    for each in json.loads(done.stdout or "[]"):
        if each["rule_name"] in ADVICE:
            statement = statements[each["line"]]
            code = f"squawk-{each['rule_name']}"
            yield statement.line, Change(code, "", each["message"].rstrip("."))


def _one_line(sql: str) -> str:
    return " ".join(COMMENT.sub(" ", sql).rstrip("; \n").split())
