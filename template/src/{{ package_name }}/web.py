"""What every service needs around its features: resources, middleware, errors, health."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import metadata
from typing import Any

from fastapi import FastAPI

from . import DISTRIBUTION, errors, features, health
from .config import Settings
from .database import open_database
from .middleware import (
    AllowedHosts,
    BodyLimit,
    CatchErrors,
    CrossOrigin,
    HeadAsGet,
    RequestLog,
)


def describe(settings: Settings) -> dict[str, Any]:
    """Arguments for FastAPI. The documentation is open in development only."""
    about = metadata(DISTRIBUTION)
    return {
        "title": about["Name"],
        "description": about["Summary"],
        "version": about["Version"],
        "openapi_url": "/openapi.json" if settings.development else None,
        # Clients that are generated from the document call their functions as we call ours.
        "generate_unique_id_function": lambda route: route.name,
    }


@asynccontextmanager
async def open_resources(settings: Settings) -> AsyncGenerator[dict[str, Any], None]:
    """The state that requests see as `request.state`."""
    async with (
        open_database(settings.database_url, settings.database_pool_size) as database,
        health.open_readiness(settings.database_url) as readiness,
    ):
        yield {"database": database, "readiness": readiness}


def install(app: FastAPI, settings: Settings) -> None:
    errors.install(app)
    app.include_router(health.router)
    for router in features.routers():
        app.include_router(router, responses=errors.RESPONSES)

    # The last one added is the first to see a request.
    app.add_middleware(HeadAsGet)
    app.add_middleware(BodyLimit, size=settings.max_body_size)
    app.add_middleware(AllowedHosts, names=settings.allowed_hosts, open_paths=health.PATHS)
    app.add_middleware(CatchErrors, show=settings.development)
    app.add_middleware(
        CrossOrigin,
        allow_origins=settings.cors_origins,
        allow_origin_regex=LOCAL_ORIGIN if settings.development else None,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["X-Request-ID"],
    )
    app.add_middleware(RequestLog)


LOCAL_ORIGIN = r"https?://(localhost|127\.0\.0\.1)(:\d+)?"
