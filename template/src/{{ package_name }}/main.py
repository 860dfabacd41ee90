"""Put the application together. Yours to change: middleware, handlers, resources of your own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from . import web
from .config import Settings


def create_app(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with web.open_resources(settings) as state:
            yield {**state}

    app = FastAPI(lifespan=lifespan, **web.describe(settings))
    web.install(app, settings)
    return app
