"""On SQLite one attempt is enough: who has the turn has the only lock."""

from sqlalchemy import Connection

from ..history import Recorder
from .migrate import Patience, Plan, attempt


def run(connection: Connection, plan: Plan, recorder: Recorder, patience: Patience) -> None:
    attempt(connection, plan, recorder)
