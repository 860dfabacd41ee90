"""`db rebase`: put this branch's migrations behind those that another has added meanwhile."""

from collections.abc import Sequence
from importlib.util import cache_from_source
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError

from .... import DISTRIBUTION
from ..git import Git, find
from ..refusal import RefusedError
from ..scripts import read_scripts, squashes, title
from . import head
from .developers import Undo
from .links import follow, lineage

Moves = dict[Script, str | None]

#: By default; so it need not be there where nothing is put behind it.
ONTO = "origin/main"


def rebase(config: Config, onto: str, *, files_only: bool, lose: Sequence[str]) -> None:
    script, git = read_scripts(config), None
    if len(script.get_heads()) > 1:
        git = Git(script)
        moves = _moves(script, git, onto)
    else:
        git, moves = find(script) if onto == ONTO else Git(script), {}
        if git and (onto != ONTO or git.knows(onto)):
            _refuse_missing(git.revisions(onto), script, onto)
    undo = Undo(config, script, {each.revision for each in moves}, onto, set(lose))
    if not files_only:
        try:
            undo.look()
        except RefusedError:
            raise
        except CommandError as error:
            raise CommandError(f"{error} Or leave the database as it is: --files-only.") from None
        if undo.scripts and git:
            _refuse_conflicts(git, script)
        undo.run()
    changed = [_relink(each, before) for each, before in moves.items()]
    changed += _settle_head_file(config, git)
    for path, what in changed:
        config.print_stdout("%s", f"{path.name}: {what}")
    head.settle(config, script, [path for path, _ in changed])
    if undo.scripts:
        command.upgrade(config, "heads")
    elif moves and not undo.is_elsewhere:
        config.print_stdout(
            "%s", f"Next: {DISTRIBUTION} db {'status' if files_only else 'upgrade'}"
        )
    elif not changed:
        unknown = f"; git knows no {onto}" if git and not git.knows(onto) else ""
        config.print_stdout("%s", f"Nothing to do: the migrations are in one line{unknown}.")


def _moves(script: ScriptDirectory, git: Git, onto: str) -> Moves:
    """The migrations that get another one before them, and which."""
    theirs = git.revisions(onto)
    if not theirs:
        raise RefusedError(
            f"{onto} has no migration in {', '.join(git.versions)}, so that all would be yours. Nothing"
            f" was done: name the branch that has the others (`{DISTRIBUTION} db rebase <branch>`), or if"
            " the folder was moved, correct `down_revision` by hand."
        )
    _refuse_missing(theirs, script, onto)
    all_ = list(script.walk_revisions())
    followed = {before for each in all_ if each.revision in theirs for before in _before(each)}
    heads = [each for each in all_ if each.revision in theirs - followed]
    if len(heads) > 1:
        names = " and ".join(each.revision for each in heads)
        raise RefusedError(
            f"{onto} itself has more than one last migration, {names}. Join them there first"
            f" (`{DISTRIBUTION} db merge`), or name the branch to put yours behind."
        )
    last = heads[0].revision if heads else None
    moves: Moves = {}
    for each in _in_line(script, theirs, last):
        if len(_before(each)) > 1:
            raise RefusedError(
                f"{title(each)} joins {' and '.join(_before(each))}, so your"
                " migrations cannot be put in one line. Delete that file if nobody has applied it,"
                f" and run this again; or join all with `{DISTRIBUTION} db merge`."
            )
        if each.down_revision != last:
            moves[each] = last
        last = each.revision
    return moves


def _refuse_missing(theirs: set[str], script: ScriptDirectory, onto: str) -> None:
    """What is not here cannot be followed."""
    here = {each.revision for each in script.walk_revisions()}
    squashed = squashes(script.walk_revisions())
    if missing := sorted(theirs - here - squashed.keys()):
        raise RefusedError(
            f"{onto} has migrations that are not here yet: {', '.join(missing)}. Nothing was done:"
            f" bring them here first (`git merge {onto}`), and run this again."
        )


def _in_line(script: ScriptDirectory, theirs: set[str], last: str | None) -> list[Script]:
    """Ours, parents first: what follows theirs already, then by the names of the files."""
    lines = [lineage(script, each)[::-1] for each in script.get_heads() if each not in theirs]
    lines.sort(key=lambda line: (last not in {each.revision for each in line}, line[-1].path))
    ours = (each for line in lines for each in line if each.revision not in theirs)
    return list(dict.fromkeys(ours))


def _before(script: Script) -> tuple[str, ...]:
    return script._versioned_down_revisions


def _refuse_conflicts(git: Git, script: ScriptDirectory) -> None:
    """The database cannot be brought along as long as the code cannot run."""
    others = [path for path in git.unmerged() if path != head.file_of(script)]
    if python := [str(path) for path in others if path.suffix == ".py"]:
        raise RefusedError(
            f"git has conflicts in {', '.join(python)}. Nothing was done: resolve them first, since"
            " the database is brought along, which needs the models; or use --files-only."
        )


def _relink(script: Script, before: str | None) -> tuple[Path, str]:
    path = Path(script.path)
    # With the ends of lines that it has.
    path.write_bytes(follow(path.read_bytes().decode(), before).encode())
    # It is as long as before, and Python looks at the second only.
    Path(cache_from_source(str(path))).unlink(missing_ok=True)
    return path, f"follows {before or 'no other'} now"


def _settle_head_file(config: Config, git: Git | None) -> list[tuple[Path, str]]:
    script = read_scripts(config)
    path = head.file_of(script)
    if head.is_right(script) and not (git and path in git.unmerged()):
        return []
    head.write(script)
    return [(path, f"names {', '.join(script.get_heads()) or 'no migration'}")]
