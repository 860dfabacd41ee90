"""Whether a database is what its migrations make, or somebody has changed it by hand."""

from collections.abc import Sequence

from sqlalchemy import URL, Connection

from .connection import look
from .schema.definitions import other_schemas
from .schema.snapshot import differences, others, snapshot, without
from .throwaway import make_ready, migrate, throw_away_database


def drift(
    scratch: URL, connection: Connection, revisions: Sequence[str], *, ignores_others: bool
) -> list[str]:
    """A line for each difference from a throw-away database at the same revisions."""
    with throw_away_database(scratch) as elsewhere:
        make_ready(elsewhere, connection)
        connection.rollback()
        migrate(elsewhere, revisions)
        with look(elsewhere) as other:
            wanted, schemas = snapshot(other), other_schemas(other)
    found = snapshot(connection, schemas)
    surplus = others(found, wanted) if ignores_others else set()
    return list(differences(without(found, surplus), wanted))
