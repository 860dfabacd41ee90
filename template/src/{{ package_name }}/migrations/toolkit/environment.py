"""What env.py does: connect, and let Alembic run its command."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy import URL, Connection, MetaData

from ...config import Settings
from . import autogenerate, progress
from .connection import look, take_turn
from .history import Recorder, create_history

Options = dict[str, Any]


def run(settings: Settings, *, target_metadata: MetaData, **options: Any) -> None:
    """The options are those of `context.configure`, and win over the ones given here."""
    refuse_ini(context.config.config_file_name)
    url: URL = context.config.attributes.get("url") or settings.migration_url
    connection: Connection | None = context.config.attributes.get("connection")
    options = _options(url.get_backend_name()) | {"target_metadata": target_metadata} | options
    if context.is_offline_mode():
        _write_sql(url, options)
    elif connection is not None:
        _run_on(connection, options)
    else:
        with take_turn(url) if _changes() else look(url) as connection:
            _run_on(connection, options)


def refuse_ini(name: str | None) -> None:
    if name and Path(name).exists():
        raise CommandError(
            f"{name} takes the place of [tool.alembic] in pyproject.toml, so that migrations are"
            " not found or go elsewhere. Delete it: this project needs none."
        )


def _run_on(connection: Connection, options: Options) -> None:
    recorder = Recorder()
    context.configure(
        connection=connection, dont_mutate=not _changes(), **_with_ours(options, recorder)
    )
    with _progress(), context.begin_transaction():
        if _changes():
            create_history(connection)
        context.run_migrations()
        if recorder.steps and connection.dialect.name == "sqlite":
            _check_foreign_keys(connection)


def _write_sql(url: URL, options: Options) -> None:
    options = {"literal_binds": True, "dialect_opts": {"paramstyle": "named"}} | options
    context.configure(dialect_name=url.get_backend_name(), **_with_ours(options, Recorder()))
    with _progress(), context.begin_transaction():
        context.run_migrations()


def _options(backend: str) -> Options:
    options: Options = {
        "autogenerate_plugins": autogenerate.PLUGINS,
        # PostgreSQL answers itself whether two defaults are equal.
        "compare_server_default": (
            True if backend == "postgresql" else autogenerate.compare_default
        ),
        # Each migration on its own, so that locks are short.
        "transaction_per_migration": True,
    }
    if backend == "sqlite":
        # All or none: nobody else writes meanwhile anyway.
        options |= {
            "transaction_per_migration": False,
            "transactional_ddl": True,
            "render_as_batch": True,
        }
    return options


def _with_ours(options: Options, recorder: Recorder) -> Options:
    """These the user's options add to, and do not replace."""
    given = options.get("on_version_apply") or ()
    return options | {
        "on_version_apply": [recorder, *([given] if callable(given) else given)],
        "process_revision_directives": _in_turn(
            autogenerate.drop_tables_whole, options.get("process_revision_directives")
        ),
        "include_name": _both(autogenerate.include_name, options.get("include_name")),
        "render_item": _first(options.get("render_item"), autogenerate.render_item),
    }


def _in_turn(ours: Callable[..., None], given: Callable[..., None] | None) -> Callable[..., None]:
    if given is None:
        return ours

    def run_both(*arguments: Any) -> None:
        ours(*arguments)
        given(*arguments)

    return run_both


def _both(ours: Callable[..., bool], given: Callable[..., bool] | None) -> Callable[..., bool]:
    return (lambda *names: ours(*names) and given(*names)) if given else ours


def _first(given: Callable[..., Any] | None, ours: Callable[..., Any]) -> Callable[..., Any]:
    return (lambda *item: given(*item) or ours(*item)) if given else ours


def _changes() -> bool:
    """Whether the command moves the database to a revision; the others only look."""
    try:
        context.get_revision_argument()
    except KeyError:
        return False
    return True


def _progress() -> AbstractContextManager[None]:
    """Only for a command line: who calls from Python has a logging of their own."""
    options = context.config.cmd_opts
    return progress.shown() if options and not options.quiet else nullcontext()


def _check_foreign_keys(connection: Connection) -> None:
    """They are off while SQLite migrates: see that each still points to a row."""
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken:
        raise CommandError(
            f"Nothing was changed: a row of {broken[0]} would point to a row of {broken[2]} that"
            " is not there. Let the migration delete or correct such rows."
        )
