"""Runs in a project: a migration for each step of models that standard input gives, and `check`.

At the end all are run and undone, one after the other.

In one process, since most of a command's time goes into its beginning.
"""

import gc
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
from alembic.script import ScriptDirectory
from alembic.util import CommandError

PACKAGE = sys.argv[1]
database, features = (import_module(f"{PACKAGE}.{name}") for name in ("database", "features"))
config, connection, throwaway, snapshot = (
    import_module(f"{PACKAGE}.migrations.toolkit.{name}")
    for name in ("config", "connection", "throwaway", "schema.snapshot")
)


def main() -> None:
    gc.disable()  # It takes a fifth of the time, and nothing here lives long.
    said = io.StringIO()
    logging.getLogger(PACKAGE).addHandler(logging.StreamHandler(said))
    answers = []
    for step in json.load(sys.stdin):
        vars(features)["load_models"] = lambda text=step["models"]: _tables(text)
        with redirect_stdout(said):
            error = _run(command.revision, step["x"], step["message"], autogenerate=True)
        with redirect_stdout(io.StringIO()):
            found = _run(command.check, [])
        answers.append({"said": said.getvalue(), "error": error, "check": found})
        said.seek(0)
        said.truncate()
    print(json.dumps({"answers": answers, "ways_back": _ways_back()}))


def _ways_back() -> list[str]:
    """What is another one after a migration was undone than before it was run."""
    options = config.alembic_config()
    script = ScriptDirectory.from_config(options)
    revisions = [each.revision for each in script.walk_revisions()][::-1]
    with throwaway.throw_away_database(config.scratch_url(options)) as url:
        elsewhere, before, found = config.alembic_config(url), [_snapshot(url)], []
        for revision in revisions:
            command.upgrade(elsewhere, revision)
            before.append(_snapshot(url))
        for revision in reversed(revisions):
            command.downgrade(elsewhere, "-1")
            before.pop()
            lines = snapshot.differences(_snapshot(url), before[-1])
            found += [f"{script.get_revision(revision).doc}: {line}" for line in lines]
    return found


def _snapshot(url: Any) -> Any:
    with connection.look(url) as looking:
        return snapshot.snapshot(looking)


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
