"""`db adopt`: migrations that an update of the template has brought become this project's own.

They arrive in `migrations/template/`, from where nothing is run. What was taken from there is
written down in `template.lock`, so that it stays the project's: it may be edited, or squashed.
"""

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from .... import DISTRIBUTION
from ..git import REVISION
from ..scripts import read_scripts
from . import head
from .links import follow

FIRST_LINE = f"# Migrations of the template that are this project's own. `{DISTRIBUTION} db adopt` adds to it.\n"
#: Git leaves these in a file that both branches have added to.
MARKERS = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")


def adopt(config: Config) -> None:
    """Put what has arrived behind the last migration, in the order of the files' names."""
    script = read_scripts(config)
    pending = to_adopt(script)
    if not pending:
        config.print_stdout("The template has brought no migration.")
        return
    last = script.get_current_head()
    for revision, path in pending.items():
        if script.revision_map._revision_map.get(revision) is None:
            _copy(path, Path(script.versions), last)
            config.print_stdout("%s", f"{path.name} follows {last or 'no other'}.")
            last = revision
        _write_down(script, revision)
    head.write(read_scripts(config))
    config.print_stdout("%s", f"Next: {DISTRIBUTION} db upgrade")


def to_adopt(script: ScriptDirectory) -> dict[str, Path]:
    """The files that have arrived, by their revisions; oldest first."""
    arrived = sorted((Path(script.dir) / "template").glob("*.py"))
    revisions = {_revision(path): path for path in arrived}
    adopted = _adopted(script)
    return {revision: path for revision, path in revisions.items() if revision not in adopted}


def _revision(path: Path) -> str:
    found = REVISION.search(path.read_text(encoding="utf-8"))
    if found is None:
        raise CommandError(f"{path} says no `revision`: bring it back as the template has it.")
    return found[1]


def _lock(script: ScriptDirectory) -> Path:
    return Path(script.dir) / "template.lock"


def _adopted(script: ScriptDirectory) -> set[str]:
    lock = _lock(script)
    lines = lock.read_text(encoding="utf-8").splitlines() if lock.exists() else []
    return {line for line in lines if line and not line.startswith(("#", *MARKERS))}


def _copy(path: Path, folder: Path, before: str | None) -> None:
    folder.mkdir(exist_ok=True)
    text = follow(path.read_text(encoding="utf-8"), before)
    (folder / path.name).write_text(text, encoding="utf-8")


def _write_down(script: ScriptDirectory, revision: str) -> None:
    lock = _lock(script)
    before = lock.read_text(encoding="utf-8") if lock.exists() else FIRST_LINE
    lock.write_text(f"{before}{revision}\n", encoding="utf-8")
