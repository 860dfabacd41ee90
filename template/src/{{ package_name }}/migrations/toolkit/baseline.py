"""`db baseline`: find the migration that tables match which no migration has made."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, inspect

from ... import DISTRIBUTION
from .apply import server
from .config import migration_url, scratch_url
from .connection import look
from .history import OWN_TABLES
from .invocation import ignores_other_tables
from .schema import definitions
from .schema.snapshot import Facts, Thing, differences, others, snapshot, without
from .scripts import read_scripts, title
from .status import Status, status
from .throwaway import make_ready, migrate, throw_away_database


@dataclass
class Place:
    """Where the migrations lead, and how the database differs from it."""

    heads: tuple[str, ...]
    differences: list[str]
    #: Tables, views and the like that are not made so far.
    surplus: set[Thing]


def baseline(config: Config) -> None:
    """Say where the database is, if its tables are those of a migration."""
    script = read_scripts(config)
    url = migration_url(config)
    with look(url) as connection:
        _refuse(connection, status(connection, script))
        places = _walk(config, connection)
    matching = [place for place in places if not place.differences]
    if not matching:
        # Of several, the newest.
        nearest = min(reversed(places), key=lambda place: len(place.differences))
        config.print_stdout("%s", "\n".join(_differences(nearest, script)))
        raise CommandError(_advice(nearest))
    command.stamp(config, list(matching[-1].heads))
    config.print_stdout("%s", "\n".join(_found(matching, places[-1], script)))


def _refuse(connection: Connection, found: Status) -> None:
    if found.database or server.has_begun(connection):
        raise CommandError(
            "This database is migrated already, or just now: see"
            f" `{DISTRIBUTION} db status`. Nothing was recorded."
        )
    schemas = definitions.other_schemas(connection)
    elsewhere = any(map(inspect(connection).get_table_names, schemas))
    if not elsewhere and not set(definitions.tables(connection)) - OWN_TABLES:
        raise CommandError(
            f"This database has no tables: `{DISTRIBUTION} db upgrade` makes them. Nothing was"
            " recorded."
        )
    if not found.pending:
        raise CommandError("This release has no migrations: write one first.")


def _walk(config: Config, connection: Connection) -> list[Place]:
    """Run all migrations elsewhere, and compare after each."""
    places: list[Place] = []
    made: set[Thing] = set()

    @cache
    def seen(*schemas: str) -> Facts:
        found = snapshot(connection, schemas)
        connection.rollback()
        return found

    def compare(*, ctx: MigrationContext, heads: set[str], **_: Any) -> None:
        other = cast(Connection, ctx.connection)
        wanted = snapshot(other)
        found = seen(*definitions.other_schemas(other))
        surplus = others(found, wanted)
        lines = list(differences(without(found, surplus), wanted))
        places.append(Place(tuple(sorted(heads)), lines, surplus))
        made.update(wanted)

    with throw_away_database(scratch_url(config)) as elsewhere:
        make_ready(elsewhere, connection)
        connection.rollback()
        migrate(elsewhere, each=compare)
    ignores_others = ignores_other_tables(config)
    for place in places:
        # What a later migration makes is never somebody else's.
        wrong = place.surplus & made if ignores_others else place.surplus
        place.differences += [f"{thing} should not be there" for thing in sorted(wrong)]
    return places


def _differences(nearest: Place, script: ScriptDirectory) -> Iterator[str]:
    yield f"The migration that the database is nearest to is {_title(nearest, script)}. But:"
    for line in nearest.differences:
        yield f"  {line}"


def _advice(nearest: Place) -> str:
    heads = " ".join(nearest.heads)
    return (
        "The database differs from every migration, and nothing was recorded. Change the tables as"
        " listed above, or write the migration that is missing, if the models are like the tables"
        f" (`{DISTRIBUTION} db revision --autogenerate`), and run this again. If there are tables of somebody"
        f" else's: `{DISTRIBUTION} db -x other-tables=ignore baseline`. If no difference matters:"
        f" `{DISTRIBUTION} db stamp {heads}`."
    )


def _found(matching: list[Place], last: Place, script: ScriptDirectory) -> Iterator[str]:
    newest = matching[-1]
    yield f"The tables are those of migration {_title(newest, script)}, which is recorded now."
    if newest.surplus:
        yield f"Ignored: {', '.join(map(str, sorted(newest.surplus)))}."
    if len(matching) > 1:
        yield (
            f"They are those of {_title(matching[0], script)}, too. What the later ones change is"
            " in no table's definition: see whether the rows are as these leave them."
        )
    if newest is not last:
        yield f"Next: {DISTRIBUTION} db upgrade"


def _title(place: Place, script: ScriptDirectory) -> str:
    scripts = [script.get_revision(head) for head in place.heads]
    return " and ".join(title(each) for each in scripts)
