"""`db reset`: make the development database anew."""

import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL

from .... import DISTRIBUTION
from ....config import load_settings
from ..apply import server
from ..config import migration_url
from ..connection import look
from ..history import OWN_TABLES
from ..invocation import agrees
from ..refusal import RefusedError
from ..schema import definitions
from ..scripts import read_scripts
from ..throwaway import database_alike, migrate

SCRIPT = f"{DISTRIBUTION} db upgrade --sql base:heads"


def reset(config: Config, add_examples: Callable[[URL], None], *, sure: bool) -> None:
    if not load_settings().development:
        raise RefusedError(
            "`reset` deletes everything in the database, and is for development: set"
            " ENVIRONMENT=development if this is one. Nothing was done."
        )
    read_scripts(config)
    url = migration_url(config)
    with look(url) as connection:
        # Of a database that is made anew there is no table in its way.
        if script := server.script_instead(connection, ["base"], SCRIPT):
            raise RefusedError(
                "Migrations cannot take turns on this server, so `reset` cannot run them. Nothing was"
                f" done: create the database anew, and apply {script}."
            )
        tables = set(definitions.tables(connection)) - OWN_TABLES
        schemas = definitions.other_schemas(connection)
        if tables or schemas:
            counted = "1 table" if len(tables) == 1 else f"{len(tables)} tables"
            named = f", and the schemas {', '.join(schemas)}" if schemas else ""
            if not sure:
                _ask(f"This deletes {counted} in {url.database}{named}, with all rows.")
            _try_out(config, add_examples)
        connection.rollback()
        connection.execution_options(read_only=False)
        with connection.begin():
            definitions.empty(connection)
    command.upgrade(config, "heads")


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise RefusedError(
            f"{question} Nothing was done. If that is meant: `{DISTRIBUTION} db reset --yes`."
        )
    with suppress(EOFError):
        if agrees(f"{question} Go on?", "nothing was done"):
            return
    raise RefusedError("Nothing was done.")


def _try_out(config: Config, add_examples: Callable[[URL], None]) -> None:
    """Before anything is lost; not where this user may make no database."""
    with ExitStack() as stack:
        try:
            elsewhere = stack.enter_context(database_alike(config))
        except CommandError:
            return
        try:
            migrate(elsewhere)
            add_examples(elsewhere)
        except CommandError as error:
            raise RefusedError(f"{error} Nothing was deleted.") from None
