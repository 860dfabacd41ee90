"""What git knows: which migrations a branch adds, and which models the code had before."""

import json
import subprocess
import sys
import tarfile
from os import environ
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic.script import ScriptDirectory
from alembic.util import CommandError

from ....config import PROJECT
from .compat import Models
from .git import Git

PACKAGE = __name__.partition(".")[0]
LIST_MODELS = """
import json
import sys
from importlib import import_module
tables = import_module(sys.argv[1]).load_models().tables.values()
print(json.dumps({table.name: [column.name for column in table.columns] for table in tables}))
"""


def new_since(ref: str, scripts: ScriptDirectory) -> set[str]:
    """The revisions whose files the ref does not have, committed or not."""
    git = Git(scripts)
    if not git.knows(ref):
        raise CommandError(
            f"git knows no {ref}: `--since` names a branch, tag or commit of this repository, which"
            " may have to be fetched first (`git fetch origin`)."
        )
    names = git("ls-tree", "-r", "-z", "--name-only", "--full-tree", ref).split("\0")
    known = {git.root / name for name in names}
    return {each.revision for each in scripts.walk_revisions() if Path(each.path) not in known}


def models_at(ref: str, scripts: ScriptDirectory) -> Models | None:
    """The tables and columns that the ref's models name; None if its code cannot be run here."""
    if PROJECT is None:
        return None
    git = Git(scripts)
    source = (PROJECT / "src").resolve().relative_to(git.root).as_posix()
    with TemporaryDirectory() as folder:
        archive = Path(folder) / "src.tar"
        root = str(git.root)
        git("-C", root, "archive", "--output", str(archive), f"{ref}:{source}")
        with tarfile.open(archive) as files:
            files.extractall(folder, filter="data")
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-W", "ignore", "-c", LIST_MODELS, f"{PACKAGE}.features"],
            env={**environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    models: Models | None = json.loads(done.stdout) if done.returncode == 0 else None
    return models
