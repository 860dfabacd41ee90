"""The command line: `serve` runs the service, `db` looks after its database.

Each imports for itself what the other does not need.
"""

import asyncio
import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from socket import socket
from traceback import extract_tb
from typing import Any

from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from . import DISTRIBUTION, driver, features
from .config import load_settings
from .migrations.toolkit.commands import Command, DatabaseCommands
from .migrations.toolkit.config import alembic_config
from .migrations.toolkit.connection import look
from .migrations.toolkit.scripts import read_scripts
from .migrations.toolkit.status import status

EXAMPLES = f"""\
examples:
  {DISTRIBUTION} serve --port 8080
  {DISTRIBUTION} db upgrade
  {DISTRIBUTION} db --help
"""
SERVE_EXAMPLES = f"""\
examples:
  {DISTRIBUTION} serve --reload
  {DISTRIBUTION} serve --host 0.0.0.0 --port 8080 --workers 4
"""
#: Of a feature.
EXAMPLES_FILE = "examples.py"
#: How long requests under way may take when the server is told to stop, in seconds.
GRACE = 20
#: How long a worker may take to start, on a slow machine, before it counts as hung, in seconds.
PATIENCE = 60


def main(argv: Sequence[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments[:1] == ["db"]:
        commands = DatabaseCommands(f"{DISTRIBUTION} db")
        commands.register("every day", SEED)
        commands.register("team", RESET)
        commands.main(arguments[1:])
    else:
        serve(_parser().parse_args(arguments))


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        DISTRIBUTION, epilog=EXAMPLES, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=version(DISTRIBUTION))
    commands = parser.add_subparsers(title="commands", metavar="<command>", required=True)
    serve_parser = commands.add_parser(
        "serve",
        help="run the service",
        description="Run the service. What is not given here comes from the settings.",
        epilog=SERVE_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    serve_parser.add_argument("--host", help="address to listen on (HOST, else 127.0.0.1)")
    serve_parser.add_argument("--port", type=_number(0, 65535), help="port (PORT, else 8000)")
    serve_parser.add_argument(
        "--workers", type=_number(1, 1000), help="processes (WORKERS, else 1)"
    )
    serve_parser.add_argument(
        "--reload", action="store_true", help="start again when a file changes"
    )
    commands.add_parser("db", help="migrate the database", add_help=False)
    return parser


def _number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if text.isdecimal() and least <= int(text) <= most:
            return int(text)
        raise ArgumentTypeError(f"{text} is not a number from {least} to {most}")

    return parse


def serve(options: Namespace) -> None:
    import uvicorn

    from . import log

    # Here, not in the server: it would show a traceback, and try again with several workers.
    settings = load_settings()
    try:
        read_scripts(alembic_config())
    except CommandError as error:
        raise SystemExit(f"FAILED: {error}") from None
    log.configure(settings)
    workers = 1 if options.reload else options.workers or settings.workers
    if workers > 1:
        import_module(".asgi", __package__)  # What fails here, workers would try again for ever.
    # Once it has stopped in order, uvicorn raises the signal again: that would look like a crash.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    run = _supervise if workers > 1 else uvicorn.run
    run(
        f"{__package__}.asgi:app",
        host=settings.host if options.host is None else options.host,
        port=settings.port if options.port is None else options.port,
        workers=workers,
        reload=options.reload,
        reload_dirs=str(Path(__file__).parent) if options.reload else None,
        log_config=None,
        access_log=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        timeout_worker_healthcheck=PATIENCE,
    )


def _supervise(app: str, **options: Any) -> None:
    """As `uvicorn.run`, which ends as if all were well when its workers could not start."""
    from uvicorn.config import STARTUP_FAILURE, Config

    config = Config(app, **options)
    with config.bind_socket() as listening:
        supervisor = _supervisor(config, listening)
        supervisor.run()
    if any(worker.exitcode == STARTUP_FAILURE for worker in supervisor.processes):
        sys.exit(STARTUP_FAILURE)


def _supervisor(config: Any, listening: socket) -> Any:
    from uvicorn.supervisors import Multiprocess

    class Supervisor(Multiprocess):
        def init_processes(self) -> None:
            """Without the workers' ends of the pipes: else one that dies is waited for."""
            super().init_processes()
            for worker in self.processes:
                worker.child_conn.close()

    return Supervisor(config, [listening])


def seed(config: Config) -> None:
    settings = load_settings()
    if not settings.development:
        raise CommandError("Example rows are for development: set ENVIRONMENT=development.")
    with look(settings.database_url) as connection:
        reason = status(connection, read_scripts(config)).reason
    if reason:
        raise CommandError(f"{reason} Run `{DISTRIBUTION} db upgrade` first.")
    add_examples(settings.database_url)
    config.print_stdout("The example rows are there.")


SEED = Command(seed, "add the features' example rows, in development")


def reset(config: Config, yes: bool = False) -> None:
    from .migrations.toolkit.team.reset import reset

    reset(config, add_examples, sure=yes)
    seed(config)


RESET = Command(
    reset,
    "make the development database anew: delete all, migrate, add the example rows",
    ["reset", "reset --yes"],
)


def add_examples(url: URL) -> None:
    try:
        asyncio.run(_add_examples(url))
    except DBAPIError as error:
        raise CommandError(
            f"The example rows cannot be added, and none was: {driver.reason(error)}. If"
            ' the models have what no migration makes, write one: `make migration m="..."`.'
        ) from error
    except Exception as error:
        frames = extract_tb(error.__traceback__)
        places = [each for each in frames if EXAMPLES_FILE in each.filename]
        if not places:
            raise
        raise CommandError(
            f"The example rows cannot be added, and none was: {places[-1].filename}, line"
            f" {places[-1].lineno}: {type(error).__name__}: {error}. Correct the file."
        ) from error


async def _add_examples(url: URL) -> None:
    from .database import open_database

    features.load_models()
    async with (
        open_database(url, 1) as database,
        database.sessions.begin() as session,
    ):
        for add in features.examples():
            await add(session)
