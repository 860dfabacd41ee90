"""What env.py does: connect, and let Alembic run its command."""

import logging
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

from alembic import context
from alembic.command import history
from alembic.script import write_hooks
from alembic.util import CommandError, to_list
from sqlalchemy import URL, Connection, MetaData

from ...config import Settings
from ...driver import SCRIPT, TRANSACTIONAL_DDL
from . import autogenerate, progress, server_defaults
from .apply import attempts, failure, loss, migrate, server
from .connection import look
from .history import Recorder, create_history
from .invocation import (
    given,
    given_seconds,
    interruptible,
    is_plain_alembic,
    refuse_misspelled,
)
from .scripts import check_scripts
from .whereabouts import advising

logger = logging.getLogger(__name__)

#: `db status` and `/readyz` look at Alembic's own, and never at env.py.
FIXED = ["version_table", "version_table_schema"]

Options = dict[str, Any]
OPTIONS: Options = attempts.OPTIONS | {
    "autogenerate_plugins": autogenerate.PLUGINS,
    "compare_server_default": server_defaults.COMPARE,
}

#: The hook that Alembic calls for a new file.
HEAD_FILE = "head file"


def run(
    settings: Settings, *, target_metadata: MetaData | Callable[[], MetaData], **options: Any
) -> None:
    """The options are those of `context.configure`, and win over the ones given here.

    A function that loads the tables is called only when something needs them.
    """
    with _interruptible():
        _run(settings, {"target_metadata": target_metadata} | options)


def _interruptible() -> AbstractContextManager[None]:
    """`db` is so itself, and who calls from Python has a way of their own."""
    typed = context.config.cmd_opts
    if typed is None or not is_plain_alembic():
        return nullcontext()
    return interruptible(typed, changes=_changes())


def _run(settings: Settings, options: Options) -> None:
    refuse_ini(context.config.config_file_name)
    _refuse_fixed(options)
    refuse_misspelled(context.get_x_argument())
    check_scripts(context.script)
    if _is_for_files_only():
        return
    url: URL = context.config.attributes.get("url") or settings.migration_url
    connection: Connection | None = context.config.attributes.get("connection")
    options = OPTIONS | options
    if _changes():
        _asked()["fn"] = migrate.leaving_once(_asked()["fn"])
    if context.is_offline_mode():
        _write_sql(url, options)
    elif connection is not None:
        _run_on(connection, options)
    elif _changes():
        _change(url, options, settings)
    elif _writes():
        from .write import revision  # Production needs none of it.

        scratch = context.config.attributes.get("url") or settings.scratch_url
        revision.run(scratch, _with_ours(_with_tables(options), Recorder()), _asked())
    else:
        with look(url) as connection:
            _run_on(connection, options)


@write_hooks.register(HEAD_FILE)
def _write_head_file(path: str, hook: dict[str, Any]) -> None:
    from .team import head

    head.write(hook["script"], Path(path))


def _is_for_files_only() -> bool:
    """What `revision_environment` runs env.py for: files are written, or listed, without a server."""
    options = _asked()
    if _writes():
        from .write import revision

        hook: Any = {"_hook_name": HEAD_FILE, "type": HEAD_FILE, "script": context.script}
        context.script.hooks.append(hook)
        return not revision.compares(options)
    typed: Any = context.config.cmd_opts
    # Python code may give `-x` without a command.
    if not hasattr(typed, "cmd") or typed.cmd[0] is not history:
        return False
    if typed.indicate_current or "current" in (typed.rev_range or ""):
        return False
    options["fn"]((), None)
    return True


def refuse_ini(name: str | None) -> None:
    if name and Path(name).exists():
        raise CommandError(
            f"{name} takes the place of [tool.alembic] in pyproject.toml, so that migrations are"
            " not found or go elsewhere. Delete it: this project needs none."
        )


def _refuse_fixed(options: Options) -> None:
    for name in filter(options.get, FIXED):
        raise CommandError(
            f"env.py passes {name}={options[name]!r}, and the database's revision is only looked for"
            " in alembic_version, in the default schema. Leave it out, and if there is such a table"
            " already, rename it."
        )


def _change(url: URL, options: Options, settings: Settings) -> None:
    """Look first, without a lock: often there is nothing to do."""
    recorder, patience = Recorder(), _patience(settings)
    wait, consent = given_seconds("wait", default=0), _consent(settings)
    with _progress() as progress, look(url, wait=wait, may_change=True) as connection:
        without_tables = options | {"target_metadata": None}
        context.configure(connection=connection, **_with_ours(without_tables, recorder))
        plan = migrate.Plan(context.get_context(), progress, consent)
        plan.tell_of_skipped(connection)
        if migrate.has_nothing_to_do(connection, plan):
            logger.info("Nothing to do: the database is at %s.", plan.place)
            return
        options = _with_tables(options)
        migrate.refuse_unmanaged(connection, plan, to_list(options["target_metadata"]))
        connection.rollback()
        connection.execution_options(read_only=False)
        with server.turn(connection, wait=patience.wait, script=plan.script) as migrating:
            ours = _with_ours(options, recorder, plan.applied)
            context.configure(connection=migrating, fn=plan, **ours)
            with failure.explained(migrating, plan):
                migrate.prepare(migrating, patience)
                attempts.run(migrating, plan, recorder, patience)


def _run_on(connection: Connection, options: Options) -> None:
    """For commands that only look, and for a connection, and a transaction, of the caller's."""
    options = _with_ours(_with_tables(options), Recorder())
    context.configure(connection=connection, dont_mutate=not _changes(), **options)
    with _progress(), advising(context.script), context.begin_transaction():
        if _changes() and not TRANSACTIONAL_DDL:
            create_history(connection)
        context.run_migrations()
        if _changes():
            server.finish(connection)


def _write_sql(url: URL, options: Options) -> None:
    options = {"literal_binds": True, "dialect_opts": {"paramstyle": "named"}} | options
    options = _with_ours(_with_tables(options), Recorder())
    # A database may be at several.
    if start := _asked().get("starting_rev"):
        options["starting_rev"] = list(filter(None, start.split(",")))
    output: Any = options.pop("output_buffer", None) or context.config.output_buffer or sys.stdout
    # Half a script would leave half a migration where the server commits each statement.
    script: Any = BytesIO() if options.get("output_encoding") else StringIO()
    context.configure(dialect_name=url.get_backend_name(), output_buffer=script, **options)
    context.get_context().impl.static_output(SCRIPT)
    with _progress(), failure.unwritable(), context.begin_transaction():
        context.run_migrations()
    if output is sys.stdout and isinstance(output, TextIOWrapper):
        output.reconfigure(encoding="utf-8")  # As the script says, whatever the terminal has.
    output.write(script.getvalue())


def _with_tables(options: Options) -> Options:
    tables = options["target_metadata"]
    return options | {"target_metadata": tables() if callable(tables) else tables}


def _with_ours(options: Options, *on_version_apply: Callable[..., None]) -> Options:
    """These the user's options add to, and do not replace."""
    given = options.get("on_version_apply") or ()
    callbacks = [*on_version_apply, *([given] if callable(given) else given)]
    if compare := context.config.attributes.get("on_version_apply"):
        callbacks.append(compare)
    return options | {
        "on_version_apply": callbacks,
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
    return "destination_rev" in _asked()


def _writes() -> bool:
    """Whether a file is written, or would be: `revision`, `merge`, `check`."""
    return "template_args" in _asked()


def _asked() -> Options:
    """What the command tells env.py."""
    options: Options = vars(context)["_proxy"].context_opts
    return options


def _patience(settings: Settings) -> migrate.Patience:
    wait = given_seconds("lock-wait", default=settings.migration_lock_wait)
    return migrate.Patience(wait, settings.migration_lock_timeout)


def _consent(settings: Settings) -> loss.Consent:
    """Not where a caller from Python names a database: a throw-away one of tests."""
    matters = context.config.attributes.get("url") is None
    is_needed = matters and not settings.development
    return loss.Consent(frozenset(given("lose")), is_needed=is_needed, matters=matters)


def _progress() -> AbstractContextManager[progress.Progress]:
    """Shown only to a command line: who calls from Python has a logging of their own."""
    is_quiet = getattr(context.config.cmd_opts, "quiet", True)
    return nullcontext(progress.Progress()) if is_quiet else progress.shown()
