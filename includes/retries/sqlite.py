"""On SQLite nothing has to be tried again: who has the turn has the only lock for writing."""

from sqlalchemy import Connection

from ..history import Recorder
from .migrate import Patience, Plan, attempt


def run(connection: Connection, plan: Plan, recorder: Recorder, _: Patience) -> None:
    attempt(connection, plan, recorder)
