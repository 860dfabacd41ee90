"""A database for a moment, on the same server: what the migrations make, to look at or compare."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import shorten
from typing import Any, Literal, cast
from uuid import uuid4

from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import RevisionStep
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError

from ... import driver
from ...config import load_settings
from .apply.failure import is_about_database, said
from .config import alembic_config, migration_url, scratch_url
from .connection import look
from .schema import definitions
from .schema.omissions import without_warnings
from .scripts import line_in

Way = Literal["upgrade", "downgrade"]


@contextmanager
def throw_away_database(url: URL) -> Iterator[URL]:
    """An empty one, with the server's defaults; its user must be allowed to make it."""
    with TemporaryDirectory() as folder:
        elsewhere = driver.throw_away_url(url, Path(folder), uuid4().hex[:12])
        create_database(elsewhere, url)
        try:
            yield elsewhere
        finally:
            driver.drop_database(elsewhere)


def create_database(elsewhere: URL, url: URL) -> None:
    """On the server of the second, which is what a refusal speaks of."""
    try:
        driver.create_database(elsewhere)
    except DBAPIError as error:
        if error.statement is None:  # There is no connection.
            said = driver.explain(error, url)
            settings = load_settings()
            if url == settings.scratch_url != settings.migration_url:
                said = said.replace("DATABASE_URL", "DATABASE_SCRATCH_URL")
            raise CommandError(said) from None
        how = definitions.ALLOW.format(user=url.username, database=url.database)
        raise CommandError(
            "To compare with, and for tests, the migrations are run in a throw-away database on"
            f" the same server, and this user may not make one ({driver.reason(error)}). Let an"
            f" administrator run `{how}`, or set DATABASE_SCRATCH_URL to a user who may."
        ) from None


@contextmanager
def database_alike(config: Config) -> Iterator[URL]:
    """Without tables, like that of the settings, if there is one already."""
    with throw_away_database(scratch_url(config)) as elsewhere:
        with suppress(CommandError), look(migration_url(config)) as live:
            make_ready(elsewhere, live)
        yield elsewhere


def make_ready(elsewhere: URL, connection: Connection) -> None:
    """Give it what the migrations of the other may need and do not make."""
    files = (path for folder in _folders() for path in folder.rglob("*.py"))
    make_alike(elsewhere, connection, "".join(path.read_text("utf-8") for path in files))


def make_alike(elsewhere: URL, connection: Connection, migrations: str = "") -> None:
    """With what no migration makes, but for what is made in these."""
    with look(elsewhere) as other:
        other.execution_options(read_only=False)
        definitions.make_alike(other, connection, migrations)
        other.commit()


def migrate(
    elsewhere: URL,
    revisions: Sequence[str] = ("heads",),
    *,
    each: Callable[..., None] | None = None,
) -> None:
    """From base to there; each is called as `on_version_apply`, after every migration."""
    config = alembic_config(elsewhere)
    config.attributes["on_version_apply"] = each
    with explained():
        # At once: where branches meet, another order would make other things.
        command.upgrade(config, cast(str, tuple(revisions)))


@contextmanager
def explained() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not is_about_database(error):
            raise
        raise CommandError(
            f"The migrations cannot be run in a throw-away database: {_line(error)}{reason(error)}"
        ) from None


def _line(error: Exception) -> str:
    """Of the migration, if it is what fails."""
    place = line_in(_folders(), error)
    return f"{Path(place[0]).name}, line {place[1]}: " if place else ""


def _folders() -> Sequence[Path]:
    return ScriptDirectory.from_config(alembic_config())._version_locations


def run_step(config: Config, scripts: ScriptDirectory, script: Script, way: Way) -> None:
    """One migration, through env.py as every command does, but without loading all each time.

    It runs on `config.attributes["connection"]`.
    """
    step = RevisionStep(scripts.revision_map, script, way == "upgrade")
    options: dict[str, Any] = {"fn": lambda *_: [step], "destination_rev": script.revision}
    connection: Connection = config.attributes["connection"]
    try:
        with EnvironmentContext(config, scripts, **options), without_warnings():
            scripts.run_env()
    finally:
        connection.rollback()


def reason(error: Exception) -> str:
    """Without what is said of the state that the database is in: it is gone."""
    cause = error if isinstance(error, DBAPIError) else error.__cause__
    if isinstance(cause, DBAPIError):
        return f"`{shorten(cause.statement or '', 200)}` failed: {driver.reason(cause)}."
    return str(error) if isinstance(error, CommandError) else said(error)
