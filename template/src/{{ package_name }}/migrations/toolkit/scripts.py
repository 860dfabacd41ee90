"""The files of the migrations, which must make one history before anything can be done."""

import re
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import MultipleHeads, RevisionError, RevisionMap
from alembic.util import CommandError, to_tuple

from ... import DISTRIBUTION
from .refusal import RefusedError

#: What Alembic says of a file in the folder of the migrations.
NAMELESS = re.compile(r"Could not determine revision id from filename (.+?)\. Be sure")
#: How git marks what it could not merge.
CONFLICT = ("<<<<<<<", "=======", ">>>>>>>")
#: What was put before a migration that is in use, where nothing is undone.
PUT_BEHIND = "in their files, let them follow the last migration that it has (`down_revision`)"


class History(RevisionMap):
    """Where it has more than one end, `head` is refused with how it gets one."""

    def get_current_head(self, branch_label: str | None = None) -> str | None:
        try:
            return super().get_current_head(branch_label)
        except MultipleHeads as error:
            found = self.get_revisions(error.heads)
            names = [title(each) for each in found if isinstance(each, Script)]
            raise RefusedError(
                f"{len(names)} migrations are the last, {' and '.join(names)}. Nothing was done:"
                f" {' or '.join(ways_to_one_head())}, or `{DISTRIBUTION} db upgrade heads` applies"
                " all, if they are to stay apart."
            ) from None


def ways_to_one_head() -> tuple[str, str]:
    return (
        f"`{DISTRIBUTION} db rebase` puts yours behind the other, if only you have applied it,",
        f"`{DISTRIBUTION} db merge` joins them, if they are in use",
    )


def read_scripts(config: Config) -> ScriptDirectory:
    return check_scripts(ScriptDirectory.from_config(config))


def check_scripts(script: ScriptDirectory) -> ScriptDirectory:
    """Read all files, once; a sentence for what would end in a traceback of Alembic's."""
    if "_revision_map" in vars(script.revision_map):
        return script
    try:
        _refuse_hidden(script)
        found = list(script._load_revisions())
    except CommandError as error:
        if not (nameless := NAMELESS.match(str(error))):
            raise  # Alembic's own sentence.
        raise CommandError(
            f"{nameless[1]} in {script.versions} is no migration: it has no `revision`. Put it"
            " elsewhere, or give it one."
        ) from None
    except Exception as error:  # noqa: BLE001
        raise CommandError(_unreadable(error, script)) from None
    if problem := next(_problems(found), None):
        raise CommandError(problem)
    script.revision_map = History(lambda: found)
    try:
        script.get_heads()
    except RevisionError as error:
        raise CommandError(f"The migrations make no history: {error}.") from None
    return script


def _refuse_hidden(script: ScriptDirectory) -> None:
    """Alembic takes a folder that it may not read for one without migrations."""
    for folder in map(Path, script._version_locations):
        if folder.exists():
            next(folder.iterdir(), None)


def squashes(scripts: Iterable[Script]) -> dict[str, str]:
    """The revisions that have no file any more, and the one that stands for each."""
    return {
        revision: script.revision
        for script in scripts
        for revision in getattr(script.module, "replaces", ())
        if revision != script.revision
    }


def title(script: Script) -> str:
    return f"{script.revision} ({headline(script)})" if script.doc else script.revision


def headline(script: Script) -> str:
    """Its first line: where no empty one follows, Alembic takes what comes after for it, too."""
    return script.doc.partition("\n")[0]


def line_in(files: Iterable[Path], error: Exception) -> tuple[str, int | None] | None:
    """Of a migration, and of what it has called: where there."""
    errors = filter(None, (error, error.__cause__))
    frames = [frame for each in errors for frame in traceback.extract_tb(each.__traceback__)]
    places = [(frame.filename, frame.lineno) for frame in frames]
    inside = [each for each in places if any(map(Path(each[0]).is_relative_to, files))]
    return inside[-1] if inside else None


def _unreadable(error: Exception, script: ScriptDirectory) -> str:
    """With the place in the migration, whatever it has called."""
    unopened = getattr(error, "filename", None) or script.versions
    file, line = line_in(script._version_locations, error) or (
        unopened,
        getattr(error, "lineno", None),
    )
    at = f", line {line}" if line else ""
    return (
        f"A migration cannot be read: {file}{at}: {_reason(error)}. Correct that, and run the command"
        " again."
    )


def _reason(error: Exception) -> str:
    if not isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error}"
    if (error.text or "").startswith(CONFLICT):
        return "git has left a conflict there"
    return f"{type(error).__name__}: {error.msg}"


def _problems(scripts: Sequence[Script]) -> Iterator[str]:
    files: dict[str, str] = {}
    for script in scripts:
        if other := files.get(script.revision):
            yield (
                f"Two files are migration {script.revision}: {other} and {script.path}. Delete one,"
                " or give it another id."
            )
        files[script.revision] = script.path
    squashed = squashes(scripts)
    labels = {label for script in scripts for label in script.branch_labels}
    for script in scripts:
        dependencies = to_tuple(script.dependencies or ())  # Alembic takes "" for none.
        for before in [*script._versioned_down_revisions, *dependencies]:
            if before in files or before in labels:
                continue
            if before in squashed:
                yield (
                    f"{script.path} follows migration {before}, which was squashed into"
                    f" {squashed[before]}: let it follow that one."
                )
            else:
                yield (
                    f"{script.path} follows migration {before}, which no file is. Get that file"
                    f" (`git log --all -S{before}` finds who has it), or correct"
                    f" `{'depends_on' if before in dependencies else 'down_revision'}`."
                )
