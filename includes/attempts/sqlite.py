"""On SQLite one attempt is enough: who has the turn has the only lock."""

from typing import Any

from sqlalchemy import Connection

from ..history import Recorder
from .migrate import Patience, Plan, attempt

#: All migrations or none: nobody else writes meanwhile anyway.
OPTIONS: dict[str, Any] = {
    "transaction_per_migration": False,
    "transactional_ddl": True,
    "render_as_batch": True,
}


def run(connection: Connection, plan: Plan, recorder: Recorder, patience: Patience) -> None:
    attempt(connection, plan, recorder)
