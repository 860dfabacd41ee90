"""`/livez`: the process works. `/readyz`: it can serve requests."""

import time
from asyncio import Lock, timeout
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


class Health(BaseModel):
    status: str


@router.get("/livez")
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
        self.asking = Lock()
        self.known_until = 0.0
        self.known: str | None = None

    async def reason(self) -> str | None:
        """Why the service is not ready, or None."""
        async with self.asking:
            if time.monotonic() >= self.known_until:
                self.known = await self.ask()
                self.known_until = time.monotonic() + self.KEPT
            return self.known

    async def ask(self) -> str | None:
        try:
            async with timeout(self.LIMIT), self.engine.connect() as connection:
                found = await connection.run_sync(status, self.script)
        except TimeoutError:
            return "The database does not answer."
        except (SQLAlchemyError, OSError) as error:
            log.warning("not ready", error=repr(getattr(error, "orig", error)))
            return "The database cannot be reached."
        return found.reason


@asynccontextmanager
async def open_readiness(url: URL) -> AsyncGenerator[Readiness, None]:
    script = ScriptDirectory.from_config(alembic_config())
    script.get_heads()
    async with open_engines(url, 1) as (_, reader):
        yield Readiness(reader, script)
