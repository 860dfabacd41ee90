"""`head.txt`: git conflicts in it where two branches have each added a migration.

Nothing reads it but git, a test of the project, and `db rebase`, which writes it anew.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from alembic.config import Config
from alembic.script import Script, ScriptDirectory

from .... import DISTRIBUTION
from ..git import find

FIRST_LINE = (
    "# The last migration. If git has a conflict here, two branches have each added one: run"
    f" `{DISTRIBUTION} db rebase`."
)


def file_of(script: ScriptDirectory) -> Path:
    """Without links, as git names it."""
    return Path(script.dir).resolve() / "head.txt"


def is_right(script: ScriptDirectory) -> bool:
    try:
        lines = file_of(script).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return False
    return [line for line in lines if not line.startswith("#")] == sorted(script.get_heads())


def write(script: ScriptDirectory, new: Path | None = None) -> None:
    """The heads of what was loaded, and of a file that was written since."""
    heads = set(script.get_heads())
    added = Script._from_path(script, new) if new else None
    if added:
        heads = heads.difference(added._versioned_down_revisions) | {added.revision}
    file_of(script).write_text(_text(heads), encoding="utf-8")


def settle(config: Config, script: ScriptDirectory, changed: Sequence[Path]) -> None:
    """In the middle of a merge that has a conflict here, which is over when the files say so."""
    git = find(script)
    if git and file_of(script) in git.unmerged():
        git.add(changed)
        config.print_stdout("%s", "Added to git's index, as the conflict is settled.")


def _text(heads: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in [FIRST_LINE, *sorted(heads)])
