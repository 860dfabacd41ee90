"""Whether a database is what its migrations make, or somebody has changed it by hand."""

from collections.abc import Sequence

from alembic.config import Config
from sqlalchemy import Connection

from .config import scratch_url
from .connection import look
from .invocation import ignores_other_tables
from .schema.definitions import other_schemas
from .schema.snapshot import differences, others, snapshot, without
from .throwaway import make_ready, migrate, throw_away_database


def drift(config: Config, connection: Connection, revisions: Sequence[str]) -> list[str]:
    """A line for each difference from a throw-away database at the same revisions."""
    with throw_away_database(scratch_url(config)) as elsewhere:
        make_ready(elsewhere, connection)
        connection.rollback()
        migrate(elsewhere, revisions)
        with look(elsewhere) as other:
            wanted, schemas = snapshot(other), other_schemas(other)
    found = snapshot(connection, schemas)
    surplus = others(found, wanted) if ignores_other_tables(config) else set()
    return list(differences(without(found, surplus), wanted))
