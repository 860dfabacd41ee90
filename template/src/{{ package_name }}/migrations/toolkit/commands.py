"""`db`: Alembic's commands under their own names, in a checkout and from an installed wheel."""

import sys
from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from alembic import __version__, command
from alembic.config import CommandLine, Config
from alembic.util import CommandError

from ...config import PROJECT
from .baseline import baseline
from .config import LOCATION, alembic_config
from .environment import refuse_ini
from .invocation import seconds
from .listing import history
from .report import status
from .scripts import read_scripts

# Production imports nothing of the room where migrations are written.


def adopt(config: Config) -> None:
    """Take over the migrations that an update of the template has brought."""
    from .write.adopt import adopt

    adopt(config)


def rebase(
    config: Config, onto: str, files_only: bool = False, lose: Sequence[str] | None = None
) -> None:
    """Put the branch's own migrations behind those of another branch."""
    from .write.rebase import rebase

    rebase(config, onto, files_only=files_only, lose=lose or ())


def merge(
    config: Config,
    sides: Sequence[str],
    message: str | None = None,
    branch_label: str | None = None,
    rev_id: str | None = None,
) -> None:
    """Write a migration that follows several, by default all that are the last."""
    script = read_scripts(config)
    joined = [each for each in script.get_revisions(tuple(sides)) if each]
    if len(joined) < 2:
        config.print_stdout("%s", "Nothing to merge: there is one last migration.")
        return
    message = message or f"merge {' and '.join(each.doc or each.revision for each in joined)}"
    revisions = [each.revision for each in joined]
    command.merge(config, revisions, message, branch_label=branch_label, rev_id=rev_id)


def plan(config: Config, json: bool = False) -> None:
    """Try in a throw-away database what upgrade would do."""
    from .write.plan import plan

    plan(config, as_json=json)


def lint(
    config: Config, since: str | None = None, json: bool = False, github: bool = False
) -> None:
    """Run the migrations in a throw-away database, and look at what they do."""
    from .write.lint import lint

    lint(config, since, as_json=json, github=github)


def squash(config: Config, last: str, without: Sequence[str] | None = None) -> None:
    """Put one migration in the place of many."""
    from .write.squash import squash

    squash(config, last, without=without or ())


Group = Literal["every day", "team", "rare"]


@dataclass(frozen=True)
class Command:
    """What the help says of one."""

    function: Callable[..., Any]
    group: Group
    summary: str
    examples: Sequence[str] = ()

    @property
    def name(self) -> str:
        return self.function.__name__


#: Every command of Alembic, `history` in our own way, and more.
COMMANDS = [
    Command(
        command.upgrade,
        "every day",
        "bring the database to the newest revision, or to another",
        ["upgrade", "upgrade +1", "upgrade 27c6", "upgrade head --sql > upgrade.sql"],
    ),
    Command(
        command.downgrade,
        "every day",
        "bring the database back to an earlier revision",
        ["downgrade -1", "downgrade base", "downgrade base --lose orders"],
    ),
    Command(
        command.revision,
        "every day",
        "write a new migration, with --autogenerate from the models",
        ['revision --autogenerate -m "add email"', 'revision -m "fill email"'],
    ),
    Command(
        command.check,
        "every day",
        "see whether the models lack a migration",
        ["check"],
    ),
    Command(
        status,
        "every day",
        "compare the database with this release, and say what to do",
        ["status", "status --json"],
    ),
    Command(
        command.current,
        "every day",
        "show the revision that the database is at",
        ["current", "current --check-heads"],
    ),
    Command(
        plan,
        "every day",
        "show what upgrade would do: SQL, locks, and what is dangerous",
        ["plan", "plan --json"],
    ),
    Command(
        lint,
        "every day",
        "find what is dangerous in migrations, and the safe way to write it",
        ["lint --since origin/main", "lint --json"],
    ),
    Command(
        history,
        "every day",
        "list the migrations, newest first, and who applied each",
        ["history", "history --verbose", "history -r -3:current", "history --json"],
    ),
    Command(
        command.show,
        "team",
        "show one migration, its file and its place",
        ["show head", "show 27c6"],
    ),
    Command(
        command.heads,
        "team",
        "list the migrations that no other follows: of several, rebase or merge",
        ["heads"],
    ),
    Command(
        command.branches,
        "team",
        "list the migrations that more than one follows",
        ["branches"],
    ),
    Command(
        rebase,
        "team",
        "put this branch's migrations behind the other's: yours that nobody has applied",
        ["rebase", "rebase main", "rebase --lose orders"],
    ),
    Command(
        merge,
        "team",
        "write a migration that follows several: where both sides were applied",
        ["merge", 'merge 27c6 4b1f -m "merge email and orders"'],
    ),
    Command(
        adopt,
        "rare",
        "take over the migrations that an update of the template has brought",
        ["adopt"],
    ),
    Command(
        squash,
        "rare",
        "put one migration in the place of all up to this one",
        ["squash", "squash 27c6", "squash --without 4b1f"],
    ),
    Command(
        command.stamp,
        "rare",
        "say where the database is, and migrate nothing",
        ["stamp head", "stamp 27c6"],
    ),
    Command(
        baseline,
        "rare",
        "find the migration that tables match which no migration has made",
        ["baseline", "-x other-tables=ignore baseline"],
    ),
    Command(command.edit, "rare", "open a migration in $EDITOR", ["edit head"]),
    Command(
        command.ensure_version,
        "rare",
        "make the table that holds the revision",
        ["ensure_version"],
    ),
    Command(
        command.list_templates,
        "rare",
        "list Alembic's templates for new projects",
        ["list_templates"],
    ),
    Command(command.init, "rare", "none: this project is set up"),
]
CHANGE_DATABASE = {command.upgrade, command.downgrade, command.stamp, rebase}
#: Exit code 1 is for what they find, 2 for not being able to look.
FIND = {plan, lint}
WRITE_FILES = {adopt, command.revision, merge, command.edit, rebase, squash}
#: Those of Alembic's that read the migrations' files without env.py.
READ_FILES = {command.show, command.heads, command.branches, command.edit}


class DatabaseCommands(CommandLine):
    _POSITIONAL_OPTS: dict[str, Any] = CommandLine._POSITIONAL_OPTS | {
        "target": {"nargs": "?", "default": "head", "help": "revision identifier (head)"},
        "folder": {"nargs": "?"},
        "sides": {"nargs": "*", "default": ["heads"], "help": "revisions (all heads)"},
        "last": {
            "nargs": "?",
            "default": "head",
            "help": "the last one that is squashed, whose id stays (head)",
        },
        "onto": {
            "nargs": "?",
            "default": "origin/main",
            "help": "branch that has the others (origin/main)",
        },
    }
    _KWARGS_OPTS = CommandLine._KWARGS_OPTS | {
        "json": ("--json", {"action": "store_true", "help": "write JSON"}),
        "files_only": (
            "--files-only",
            {"action": "store_true", "help": "do not ask the database, nor bring it along"},
        ),
        "without": (
            "--without",
            {
                "action": "append",
                "metavar": "REVISION",
                "help": "what this one does besides the schema is not needed by new databases",
            },
        ),
        "yes": ("--yes", {"action": "store_true", "help": "do not ask"}),
        "lose": (
            "--lose",
            {
                "action": "append",
                "metavar": "NAME",
                "help": "a table, or table.column, that may be lost on the way",
            },
        ),
        "since": (
            "--since",
            {"metavar": "REF", "help": "only files that this branch or commit does not have"},
        ),
        "github": (
            "--github",
            {"action": "store_true", "help": "write annotations, as in GitHub Actions by itself"},
        ),
    }
    _POSITIONAL_TRANSLATIONS = CommandLine._POSITIONAL_TRANSLATIONS | {
        command.upgrade: {"revision": "target"},
        command.init: {"directory": "folder"},
    }

    def _generate_args(self, prog: str | None) -> None:
        """Without Alembic's options for a configuration file, which is always this project's."""
        self._listed: dict[Group, list[Command]] = {group: [] for group in get_args(Group)}
        self.parser = ArgumentParser(
            prog=prog,
            usage=f"{prog} [options] <command> ...",
            epilog=f"examples:\n  {prog} upgrade\n  {prog} revision --help\n\n"
            "https://alembic.sqlalchemy.org/en/latest/tutorial.html explains each command.",
            formatter_class=RawDescriptionHelpFormatter,
        )
        self.parser.add_argument("--version", action="version", version=f"Alembic {__version__}")
        self.parser.add_argument("-x", action="append", help="an argument for env.py: -x key=value")
        # By this, messages know that they are for `db`; most commands have no such option.
        self.parser.set_defaults(lock_wait=None)
        self.parser.add_argument("--raiseerr", action="store_true", help="show where errors arise")
        self.parser.add_argument("-q", "--quiet", action="store_true", help="write less")
        # argparse knows no groups of commands: the description lists them.
        self.subparsers = self.parser.add_subparsers(
            prog=prog, help=SUPPRESS, metavar="<command>", required=True
        )
        for known in COMMANDS:
            self.register(known)

    def register(self, new: Command) -> None:
        self._listed[new.group].append(new)
        self.register_command(new.function)
        parser = self.subparsers.choices[new.name]
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.description = f"{new.summary[0].upper()}{new.summary[1:]}."
        lines = [f"  {self.parser.prog} {example}" for example in new.examples]
        parser.epilog = "\n".join(["examples:", *lines]) if lines else None
        if new.function in CHANGE_DATABASE:
            parser.add_argument(
                "--wait",
                type=seconds,
                metavar="SECONDS",
                help="how long to wait for a server that is not there yet",
            )
            parser.add_argument(
                "--lock-wait",
                type=seconds,
                metavar="SECONDS",
                help="how long to wait for another migration, and for locks (MIGRATION_LOCK_WAIT)",
            )

        if new.function is command.downgrade:
            parser.add_argument(
                "--lose",
                action="append",
                metavar="NAME",
                help="a table, or table.column, that may be lost; needed unless in development",
            )

    def main(self, argv: Sequence[str] | None = None) -> None:
        self.parser.description = self._overview()
        options = self.parser.parse_args(argv)
        self.run_cmd(alembic_config(cmd_opts=options, stdout=sys.stdout), options)

    def _overview(self) -> str:
        lines = ["Migrate the database: Alembic's commands, for this service."]
        for group, commands in self._listed.items():
            lines += ["", f"{group}:"]
            lines += [f"  {each.name:<16}{each.summary}" for each in commands]
        return "\n".join(lines)

    def run_cmd(self, config: Config, options: Namespace) -> None:
        wants_traceback, options.raiseerr = options.raiseerr, True
        try:
            self._refuse(options.cmd[0])
            if options.cmd[0] in READ_FILES:
                read_scripts(config)
            super().run_cmd(config, options)
        except CommandError as error:
            if wants_traceback:
                raise
            if options.cmd[0] in FIND:
                print(f"FAILED: {error}", file=sys.stderr)
                raise SystemExit(2) from None
            raise SystemExit(f"FAILED: {error}") from None
        except KeyboardInterrupt:
            if wants_traceback:
                raise
            raise SystemExit(
                "INTERRUPTED: run the same command again, and it completes what was begun."
            ) from None

    def _refuse(self, function: Callable[..., Any]) -> None:
        if PROJECT is None:
            if function in WRITE_FILES or function is command.init:
                raise CommandError(
                    f"`{function.__name__}` writes files of the project, and this is an installed"
                    " package: run it in a checkout of the project."
                )
            return
        if function is command.init:
            raise CommandError(f"There is nothing to set up: the migrations are in {LOCATION}.")
        refuse_ini(str(PROJECT / "alembic.ini"))
        if Path.cwd().is_relative_to(PROJECT):
            refuse_ini(str(Path.cwd() / "alembic.ini"))
