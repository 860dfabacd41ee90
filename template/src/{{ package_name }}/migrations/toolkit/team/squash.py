"""`db squash`: one migration in the place of many, for databases that are yet to be made.

It keeps the id of the last one: a database that is there or beyond has nothing to do.
"""

from collections.abc import Collection, Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.util import cache_from_source
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import wrap

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError, to_tuple
from sqlalchemy import URL

from .... import DISTRIBUTION, driver
from ..config import alembic_config
from ..connection import connect, look
from ..git import Git
from ..history import digests
from ..refusal import RefusedError
from ..review.recording import recorded
from ..rows.fill import all_tables, has_rows
from ..schema.snapshot import Facts, differences, snapshot
from ..scripts import read_scripts, title
from ..throwaway import database_alike, explained, reason, run_step
from .calls import Call, calls, extension, made_calls
from .creation import Creation, creation
from .links import lineage

COMMAND = f"{DISTRIBUTION} db squash"
WIDTH = 90
END_OF_HEADER = "\n\n\ndef upgrade("


@dataclass(frozen=True)
class Old:
    """The migrations that become one, and what was said of them."""

    #: Oldest first.
    scripts: Sequence[Script]
    last: str
    without: Sequence[str]
    #: Those of which new databases need the schema only.
    agreed: frozenset[str]

    @property
    def target(self) -> Script:
        """Whose place the new one takes."""
        return self.scripts[-1]

    def refuse(self, found: Iterable[Call]) -> None:
        """What would be lost to new databases."""
        lost = [each for each in found if each.script.revision not in self.agreed]
        if not lost:
            return
        listed = "".join(f"\n  {each}" for each in dict.fromkeys(lost))
        names = dict.fromkeys(each.script.revision for each in lost)
        first = min(self.scripts.index(each.script) for each in lost)
        way_out = f"if new databases do not need it, say so (`{self._command(self.last, *names)}`)"
        if first:
            up_to = self._command(self.scripts[first - 1].revision)
            way_out = f"squash up to the one before (`{up_to}`), or {way_out}"
        raise RefusedError(
            "These do more than change the schema, and that would be lost to new databases:"
            f"{listed}\nNothing was done: {way_out}."
        )

    def _command(self, last: str, *more: str) -> str:
        # Each stays together, and many go on more lines.
        without = [f"--without\N{NO-BREAK SPACE}{each}" for each in (*self.without, *more)]
        text = " ".join([COMMAND, last, *without])
        lines = wrap(text, WIDTH, break_on_hyphens=False, break_long_words=False)
        return " \\\n    ".join(lines).replace("\N{NO-BREAK SPACE}", " ")


def squash(config: Config, last: str, *, without: Sequence[str]) -> None:
    script = read_scripts(config)
    target = script.get_revision(last)
    scripts = lineage(script, target.revision)[::-1] if target else []
    if target is None or len(scripts) < 2:
        config.print_stdout("%s", "Nothing to do: there is one migration at most.")
        return
    agreed = frozenset(each.revision for each in script.get_revisions(tuple(without)) if each)
    old = Old(scripts, last, without, agreed)
    _refuse_lost_files(Git(script), scripts)
    _refuse_branches(script, scripts)
    old.refuse(call for each in scripts for call in calls(each))
    with TemporaryDirectory(dir=Path(target.path).parent, prefix=".squash") as folder:
        new = _write_and_try(config, Path(folder), script, old)
        new.replace(target.path)
    for each in scripts:
        Path(cache_from_source(each.path)).unlink(missing_ok=True)
        if each is not target:
            Path(each.path).unlink()
    name = Path(target.path).name
    config.print_stdout("%s", f"{len(scripts)} migrations are one now: {name}.")
    config.print_stdout(
        "%s",
        f"Databases that are at {target.revision} or later notice nothing. One that is at an earlier"
        " migration must be brought there with a release from before this change.",
    )


def _refuse_lost_files(git: Git, old: Sequence[Script]) -> None:
    if files := git.uncommitted(each.path for each in old):
        raise RefusedError(
            f"git could not bring these back: {', '.join(files)}. Commit them first. Nothing was"
            " done."
        )


def _refuse_branches(script: ScriptDirectory, old: Sequence[Script]) -> None:
    gone = {each.revision for each in old[:-1]}
    for each in script.walk_revisions():
        if each not in old and gone.intersection(each._all_down_revisions):
            raise RefusedError(
                f"{title(each)} follows one that would be gone. Nothing was done: squash up to a"
                " migration that all later ones come after."
            )


def _write_and_try(config: Config, folder: Path, script: ScriptDirectory, old: Old) -> Path:
    """The new file, once a database that it makes is the same as one that the old ones make."""
    with database_alike(config) as elsewhere:
        made_by_old = _run(elsewhere, script, old)
        kept = dict.fromkeys(filter(None, (extension(call.what) for call in made_by_old)))
        left_out = [call for call in made_by_old if not extension(call.what)]
        old.refuse(left_out)
        first = [f"CREATE EXTENSION IF NOT EXISTS {name}" for name in kept]
        with look(elsewhere) as other:
            wanted, made = snapshot(other), creation(other, first)
    new = _write(folder, old, made)
    with database_alike(config) as elsewhere:
        found = _try(elsewhere, folder, old.target)
    if lines := list(differences(found, wanted)):
        config.print_stdout("%s", "\n".join(["The squashed migration would differ:", *lines]))
        raise RefusedError(
            "What is listed above cannot be squashed. Nothing was done: squash up to a migration"
            " before it comes; or drop it in a new migration, make it again in the next, and squash"
            " up to the former, with --without for each that has made or dropped it."
        )
    for call in dict.fromkeys(left_out):
        config.print_stdout("%s", f"Left out: {call}")
    return new


def _run(elsewhere: URL, script: ScriptDirectory, old: Old) -> list[Call]:
    """All of them, and what they have called."""
    found: list[Call] = []
    with connect(driver.create_migration_engine(elsewhere)) as connection:
        config = alembic_config(elsewhere)
        config.attributes["connection"] = connection
        full: list[str] = []
        for each in old.scripts:
            path = str(each.module.__file__)
            with recorded(connection, path, lambda _: None) as recording, explained():
                run_step(config, script, each, "upgrade")
            found += made_calls(each, recording)
            # Rows may come past SQLAlchemy, too. A table that was renamed is not another.
            tables = all_tables(connection)
            before, full = full, [table.fullname for table in tables if has_rows(connection, table)]
            if len(full) > len(before):
                found.append(Call(each, 1, f"rows for {', '.join(set(full) - set(before))}"))
            connection.rollback()
    return found


def _try(url: URL, folder: Path, target: Script) -> Facts:
    config = alembic_config(url)
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(folder).replace("%", "%%"))
    try:
        command.upgrade(config, target.revision)
        with look(url) as connection:
            found = snapshot(connection)
        command.downgrade(config, "base")
        command.upgrade(config, target.revision)
    except CommandError as error:
        raise RefusedError(
            f"The squashed migration does not run, and nothing was done: {reason(error)}"
        ) from None
    return found


def _write(folder: Path, old: Old, made: Creation) -> Path:
    """As any new migration: by script.py.mako, and with the hooks of pyproject.toml."""
    config = alembic_config()
    writer = ScriptDirectory.from_config(config)
    writer.version_locations = [str(folder)]
    labels = {label for each in old.scripts for label in each._orig_branch_labels}
    with redirect_stdout(StringIO()):
        writer.generate_revision(
            old.target.revision,
            f"Everything up to {old.target.doc or old.target.revision}",
            head="base",
            branch_labels=sorted(labels) or None,
            upgrades=made.upgrade,
            downgrades=made.downgrade,
            imports=made.imports,
            config=config,
        )
    [path] = folder.glob("*.py")
    text = path.read_text(encoding="utf-8")
    if END_OF_HEADER not in text:
        raise CommandError(
            "script.py.mako has no `def upgrade(` after two empty lines. Nothing was done: write it so,"
            " and run the command again."
        )
    header = f"\n\n{_replaces(old.scripts)}{END_OF_HEADER}"
    path.write_text(text.replace(END_OF_HEADER, header, 1), encoding="utf-8")
    return path


def _replaces(old: Sequence[Script]) -> str:
    found: dict[str, str | Collection[str]] = {}
    for each in old:
        found |= getattr(each.module, "replaces", {})
        found[each.revision] = digests(each)
    lines = "".join(
        f'    "{revision}": [{_quoted(known)}\n    ],\n' for revision, known in found.items()
    )
    return (
        "# These were squashed into this one: what databases that have run them know of the files.\n"
        f"replaces = {{\n{lines}}}"
    )


def _quoted(digests: str | Collection[str]) -> str:
    return "".join(f'\n        "{each}",' for each in sorted(to_tuple(digests)))
