"""`db squash`: one migration in the place of many, for databases that are yet to be made.

It keeps the id of the last one: a database that is there or beyond has nothing to do.
"""

import ast
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from importlib.util import cache_from_source
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import shorten

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection

from .... import DISTRIBUTION
from ..config import alembic_config
from ..connection import look
from ..git import Git
from ..history import digest
from ..refusal import RefusedError
from ..rows.fill import in_order, reflect
from ..schema.snapshot import Facts, differences, snapshot
from ..scripts import read_scripts, title
from ..throwaway import database_alike, migrate
from .creation import Creation, creation

#: What these do is not in the schema that they leave, or cannot be told from it.
CALLS = {
    "batched_update",
    "bulk_insert",
    "exec_driver_sql",
    "execute",
    "get_bind",
    "run_async",
    "scalar",
    "scalars",
}
COMMAND = f"{DISTRIBUTION} db squash"
END_OF_HEADER = "\n\n\ndef upgrade("


def squash(config: Config, last: str, *, without: Sequence[str]) -> None:
    script = read_scripts(config)
    target = script.get_revision(last)
    found = script.iterate_revisions(target.revision if target else "base", "base")
    old = [each for each in found if isinstance(each, Script)][::-1]
    if target is None or len(old) < 2:
        config.print_stdout("%s", "Nothing to do: there is one migration at most.")
        return
    _refuse_lost_files(Git(script), old)
    _refuse_branches(script, target, old)
    _refuse_more_than_schema(script, old, last, without)
    with TemporaryDirectory(dir=Path(target.path).parent, prefix=".squash") as folder:
        new = _write_and_try(config, Path(folder), script, target, old, has_consent=bool(without))
        new.replace(target.path)
    for each in old:
        Path(cache_from_source(each.path)).unlink(missing_ok=True)
        if each is not target:
            Path(each.path).unlink()
    name = Path(target.path).name
    config.print_stdout("%s", f"{len(old)} migrations are one now: {name}.")
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


def _refuse_branches(script: ScriptDirectory, target: Script, old: Sequence[Script]) -> None:
    gone = {each.revision for each in old} - {target.revision}
    for each in script.walk_revisions():
        if each not in old and gone.intersection(each._all_down_revisions):
            raise RefusedError(
                f"{title(each)} follows one that would be gone. Nothing was done: squash up to a"
                " migration that all later ones come after."
            )


def _refuse_more_than_schema(
    script: ScriptDirectory, old: Sequence[Script], last: str, without: Sequence[str]
) -> None:
    agreed = {each.revision for each in script.get_revisions(tuple(without)) if each}
    found = [
        (each, line, code)
        for each in old
        if each.revision not in agreed and not hasattr(each.module, "replaces")
        for line, code in _more_than_schema(Path(each.path))
    ]
    if found:
        names = list(dict.fromkeys(each.revision for each, _, _ in found))
        listed = "".join(
            f"\n  {Path(each.path).name}, line {line}: {code}" for each, line, code in found
        )
        options = " ".join(f"--without {name}" for name in [*without, *names])
        before = old[: old.index(found[0][0])]
        up_to = f"squash up to the one before (`{COMMAND} {before[-1].revision}`)" if before else ""
        raise RefusedError(
            "These do more than change the schema, and that would be lost to new databases:"
            f"{listed}\nNothing was done: {up_to}{', or' if before else ''} if new databases do not"
            f" need it, say so (`{COMMAND} {last} {options}`)."
        )


def _more_than_schema(path: Path) -> Iterator[tuple[int, str]]:
    """The calls, but for those on the way down."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for part in tree.body:
        if isinstance(part, ast.FunctionDef) and part.name == "downgrade":
            continue
        for node in ast.walk(part):
            if isinstance(node, ast.Call) and _name(node.func) in CALLS:
                yield node.lineno, shorten(ast.unparse(node), 80)


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _write_and_try(
    config: Config,
    folder: Path,
    script: ScriptDirectory,
    target: Script,
    old: Sequence[Script],
    *,
    has_consent: bool,
) -> Path:
    """The new file, once a database that it makes is the same as one that the old ones make."""
    with database_alike(config) as elsewhere:
        migrate(elsewhere, [target.revision])
        with look(elsewhere) as other:
            wanted, made = snapshot(other), creation(other)
            if not has_consent:
                _refuse_rows(other)
    new = _write(folder, script, target, old, made)
    with database_alike(config) as elsewhere:
        found = _try(elsewhere, folder, target)
    if lines := list(differences(found, wanted)):
        config.print_stdout("%s", "\n".join(["The squashed migration would differ:", *lines]))
        raise RefusedError(
            "What is listed above cannot be squashed. Nothing was done: squash up to a migration"
            " before it comes; or drop it in a new migration, make it again in the next, and squash"
            " up to the former."
        )
    return new


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
            f"The squashed migration does not run, and nothing was done: {error}"
        ) from None
    return found


def _refuse_rows(connection: Connection) -> None:
    tables = in_order(reflect(connection))
    full = [
        table.name
        for table in tables
        if connection.execute(sa.select(sa.text("1")).select_from(table)).first()
    ]
    if full:
        raise RefusedError(
            f"The migrations put rows into {', '.join(full)}, which would be lost to new databases."
            " Nothing was done: squash up to a migration before that."
        )


def _write(
    folder: Path, script: ScriptDirectory, target: Script, old: Sequence[Script], made: Creation
) -> Path:
    """As any new migration: by script.py.mako, and with the hooks of pyproject.toml."""
    config = alembic_config()
    writer = ScriptDirectory.from_config(config)
    writer.version_locations = [str(folder)]
    with redirect_stdout(StringIO()):
        writer.generate_revision(
            target.revision,
            f"Everything up to {target.doc or target.revision}",
            head="base",
            branch_labels=sorted({label for each in old for label in each._orig_branch_labels})
            or None,
            upgrades=made.upgrade,
            downgrades=made.downgrade,
            imports=made.imports,
            config=config,
        )
    [path] = folder.glob("*.py")
    text = path.read_text(encoding="utf-8")
    if END_OF_HEADER not in text:
        raise CommandError("script.py.mako has no `def upgrade(` after two empty lines.")
    header = f"\n\n{_replaces(old)}{END_OF_HEADER}"
    path.write_text(text.replace(END_OF_HEADER, header, 1), encoding="utf-8")
    return path


def _replaces(old: Sequence[Script]) -> str:
    digests: dict[str, str] = {}
    for each in old:
        digests |= getattr(each.module, "replaces", {})
        digests[each.revision] = digest(each.path)
    lines = "".join(f'    "{revision}": "{found}",\n' for revision, found in digests.items())
    return (
        "# These were squashed into this one: what databases that have run them know of the files.\n"
        f"replaces = {{\n{lines}}}"
    )
