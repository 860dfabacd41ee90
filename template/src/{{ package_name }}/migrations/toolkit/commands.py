"""`db`: Alembic's commands under their own names, in a checkout and from an installed wheel."""

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from inspect import getdoc
from pathlib import Path
from typing import Any

from alembic import __version__, command
from alembic.config import CommandFunction, CommandLine, Config
from alembic.util import CommandError

from ...config import PROJECT
from .apply.migrate import seconds
from .config import LOCATION, alembic_config
from .environment import refuse_ini

#: Every command of Alembic, the ones for every day first, with examples for its help.
COMMANDS: dict[Callable[..., Any], list[str]] = {
    command.upgrade: ["upgrade", "upgrade +1", "upgrade 27c6", "upgrade head --sql > upgrade.sql"],
    command.downgrade: ["downgrade -1", "downgrade base", "downgrade head:base --sql > undo.sql"],
    command.revision: ['revision --autogenerate -m "add email"', 'revision -m "fill email"'],
    command.check: ["check"],
    command.current: ["current", "current --check-heads"],
    command.history: ["history", "history --indicate-current", "history -r -3:current"],
    command.heads: ["heads"],
    command.show: ["show head", "show 27c6"],
    command.merge: ['merge heads -m "merge email and orders"'],
    command.branches: ["branches"],
    command.edit: ["edit head"],
    command.stamp: ["stamp head", "stamp 27c6"],
    command.ensure_version: ["ensure_version"],
    command.list_templates: ["list_templates"],
    command.init: [],
}
CHANGE_DATABASE = {command.upgrade, command.downgrade, command.stamp}
WRITE_FILES = {command.revision, command.merge, command.edit}


class DatabaseCommands(CommandLine):
    _POSITIONAL_OPTS = CommandLine._POSITIONAL_OPTS | {
        "target": {"nargs": "?", "default": "head", "help": "revision identifier (head)"},
        "folder": {"nargs": "?"},
    }
    _POSITIONAL_TRANSLATIONS = CommandLine._POSITIONAL_TRANSLATIONS | {
        command.upgrade: {"revision": "target"},
        command.init: {"directory": "folder"},
    }

    def _generate_args(self, prog: str | None) -> None:
        """Without Alembic's options for a configuration file, which is always this project's."""
        self.parser = ArgumentParser(
            prog=prog,
            description="Migrate the database: Alembic's commands, for this service.",
            epilog=f"examples:\n  {prog} upgrade\n  {prog} revision --help\n\n"
            "https://alembic.sqlalchemy.org/en/latest/tutorial.html explains each command.",
            formatter_class=RawDescriptionHelpFormatter,
        )
        self.parser.add_argument("--version", action="version", version=f"Alembic {__version__}")
        self.parser.add_argument("-x", action="append", help="an argument for env.py: -x key=value")
        self.parser.add_argument("--raiseerr", action="store_true", help="show where errors arise")
        self.parser.add_argument("-q", "--quiet", action="store_true", help="write less")
        self.subparsers = self.parser.add_subparsers(
            title="commands", metavar="<command>", required=True
        )
        for function, examples in COMMANDS.items():
            self.register_command(function, examples)

    def register_command(self, fn: CommandFunction, examples: Sequence[str] = ()) -> None:
        super().register_command(fn)
        parser = self.subparsers.choices[fn.__name__]
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.description = (getdoc(fn) or "").partition("\n\n")[0]
        lines = [f"  {self.parser.prog} {example}" for example in examples]
        parser.epilog = "\n".join(["examples:", *lines]) if lines else None
        if fn in CHANGE_DATABASE:
            parser.add_argument(
                "--lock-wait",
                type=seconds,
                metavar="SECONDS",
                help="how long to wait for another migration, and for locks (MIGRATION_LOCK_WAIT)",
            )

    def main(self, argv: Sequence[str] | None = None) -> None:
        options = self.parser.parse_args(argv)
        self.run_cmd(alembic_config(cmd_opts=options, stdout=sys.stdout), options)

    def run_cmd(self, config: Config, options: Namespace) -> None:
        wants_traceback, options.raiseerr = options.raiseerr, True
        try:
            self._refuse(options.cmd[0])
            super().run_cmd(config, options)
        except CommandError as error:
            if wants_traceback:
                raise
            raise SystemExit(f"FAILED: {error}") from None

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
