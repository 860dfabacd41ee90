"""Runs in a project: a migration for each step of models that standard input gives, and `check`.

In one process, since most of a command's time goes into its beginning.
"""

import io
import json
import logging
import sys
from argparse import Namespace
from contextlib import redirect_stdout
from importlib import import_module
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.util import CommandError

PACKAGE = sys.argv[1]
config, database, features = (
    import_module(f"{PACKAGE}.{name}")
    for name in ("migrations.toolkit.config", "database", "features")
)


def main() -> None:
    said = io.StringIO()
    logging.getLogger(PACKAGE).addHandler(logging.StreamHandler(said))
    answers = []
    for step in json.load(sys.stdin):
        vars(features)["load_models"] = lambda text=step["models"]: _tables(text)
        x = [f"rename={step['rename']}"] if step["rename"] else []
        with redirect_stdout(said):
            error = _run(command.revision, x, step["message"], autogenerate=True)
        with redirect_stdout(io.StringIO()):
            found = _run(command.check, []) if step["check"] else ""
        answers.append({"said": said.getvalue(), "error": error, "check": found})
        said.seek(0)
        said.truncate()
    print(json.dumps(answers))


def _run(function: Any, x: list[str], *arguments: str, **options: Any) -> str:
    typed = Namespace(x=x, quiet=True, cmd=(function, [], []))
    found = config.alembic_config(cmd_opts=typed, stdout=sys.stdout)
    try:
        function(found, *arguments, **options)
    except CommandError as error:
        return str(error)
    return ""


def _tables(text: str) -> Any:
    """Anew for each command, as in a process of its own."""
    convention = database.Base.metadata.naming_convention
    database.Base.metadata = sa.MetaData(naming_convention=convention)
    exec(text, {"sa": sa, "Base": database.Base})  # noqa: S102
    return database.Base.metadata


main()
