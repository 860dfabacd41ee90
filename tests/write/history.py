"""Runs in a project: a migration for each step of models that standard input gives, and `check`.

At the end all are run and undone, one after the other, and all run again; if `rows` is asked for, on
tables that have some as well.

In one process, since most of a command's time goes into its beginning.
"""

import gc
import io
import json
import logging
import sys
import warnings
from argparse import Namespace
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import sqlalchemy.dialects.mysql
import sqlalchemy.dialects.postgresql
from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError

PACKAGE = sys.argv[1]
database, features = (import_module(f"{PACKAGE}.{name}") for name in ("database", "features"))
config, connection, throwaway, snapshot, walk = (
    import_module(f"{PACKAGE}.migrations.toolkit.{name}")
    for name in ("config", "connection", "throwaway", "schema.snapshot", "rows.walk")
)


def main() -> None:
    gc.disable()  # It takes a fifth of the time, and nothing here lives long.
    warnings.simplefilter("error", sa.exc.SAWarning)  # As in the tests of a project.
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
        if error:
            break  # What comes after builds upon it.
    rows = _losses() if sys.argv[2:] == ["rows"] else []
    print(json.dumps({"answers": answers, "ways_back": _ways_back(), "losses": rows}))


def _ways_back() -> list[str]:
    """What is another one after a migration was undone than before it was run, or run again."""
    try:
        return _there_and_back()
    except CommandError as error:
        return [str(error)]


def _there_and_back() -> list[str]:
    options = config.alembic_config()
    script = ScriptDirectory.from_config(options)
    revisions = [each.revision for each in script.walk_revisions()][::-1]
    with throwaway.throw_away_database(config.scratch_url(options)) as url:
        # As Python code has it that says `-x`, without a command line.
        elsewhere = config.alembic_config(url, cmd_opts=Namespace(x=[]))
        before, found = [_snapshot(url)], []
        for revision in revisions:
            command.upgrade(elsewhere, revision)
            before.append(_snapshot(url))
        end = before[-1]
        for revision in reversed(revisions):
            command.downgrade(elsewhere, "-1")
            before.pop()
            lines = snapshot.differences(_snapshot(url), before[-1])
            found += [f"{script.get_revision(revision).doc}: {line}" for line in lines]
        command.upgrade(elsewhere, "head")
        found += [f"run again: {line}" for line in snapshot.differences(_snapshot(url), end)]
    return found


def _losses() -> list[str]:
    """What fails on tables that have rows, and what loses some."""
    options = config.alembic_config()
    for path in Path(ScriptDirectory.from_config(options).versions).glob("*.py"):
        path.write_text(path.read_text().replace('": ""', '": "meant"'))
    scratch = throwaway.throw_away_database(config.scratch_url(options))
    with scratch as url, connection.look(url) as looking:
        looking.execution_options(read_only=False)
        return list(walk.Walk(config.alembic_config(url), looking, {}).findings())


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
