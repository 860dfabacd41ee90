"""`/livez`: the process works. `/readyz`: it can serve requests."""

import time
from asyncio import Task, create_task, timeout, wait
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog
from alembic.script import ScriptDirectory
from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.responses import Response

from .database import open_engines
from .errors import RESPONSES, unavailable
from .migrations.toolkit.config import alembic_config
from .migrations.toolkit.status import status

log = structlog.stdlib.get_logger(__name__)
router = APIRouter(tags=["health"])
#: Load balancers call them by address, whatever the service's name is.
PATHS = ("/livez", "/readyz")
NO_ANSWER = "The database does not answer."


class Health(BaseModel):
    status: str


@router.get("/livez", responses=RESPONSES)
async def livez() -> Health:
    return Health(status="alive")


@router.get("/readyz", responses=RESPONSES, response_model=Health)
async def readyz(request: Request) -> Response | Health:
    readiness: Readiness = request.state.readiness
    reason = await readiness.reason()
    return unavailable(reason) if reason else Health(status="ready")


class Readiness:
    """Asks over a connection of its own, so that a full pool does not look like a failure."""

    #: How long an answer is kept and how long the database may take for one, in seconds.
    KEPT = 1.0
    LIMIT = 1.0

    def __init__(self, engine: AsyncEngine, script: ScriptDirectory) -> None:
        self.engine = engine
        self.script = script
        self.asked_at = 0.0
        self.asking: Task[str | None] | None = None

    async def reason(self) -> str | None:
        """Why the service is not ready, or None."""
        if self.asking is None or (self.asking.done() and self.is_old()):
            self.asked_at = time.monotonic()
            self.asking = create_task(self.ask())
        # Not for its end: a driver that is cancelled may wait for the server once more.
        await wait({self.asking}, timeout=self.LIMIT)
        return self.asking.result() if self.asking.done() else NO_ANSWER

    def is_old(self) -> bool:
        return time.monotonic() >= self.asked_at + self.KEPT

    async def ask(self) -> str | None:
        try:
            async with timeout(self.LIMIT), self.engine.connect() as connection:
                found = await connection.run_sync(status, self.script)
        except TimeoutError:
            return NO_ANSWER
        except (SQLAlchemyError, OSError) as error:
            log.warning("not ready", error=repr(getattr(error, "orig", error)))
            return "The database cannot be reached."
        return found.reason

    def close(self) -> None:
        if self.asking:
            self.asking.cancel()


@asynccontextmanager
async def open_readiness(url: URL) -> AsyncGenerator[Readiness, None]:
    script = ScriptDirectory.from_config(alembic_config())
    script.get_heads()
    async with open_engines(url, 1) as (_, reader):
        readiness = Readiness(reader, script)
        try:
            yield readiness
        finally:
            readiness.close()
