"""Every error leaves the service as an RFC 9457 problem document."""

import json
from collections.abc import Iterable, Mapping
from http import HTTPMethod, HTTPStatus
from http.client import responses as phrases
from typing import Any, ClassVar

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.params import Form
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match
from starlette.types import ExceptionHandler, Scope

from . import driver
from .database import Base, Busy

log = structlog.stdlib.get_logger(__name__)


class Problem(Exception):
    """Raise a subclass from anywhere below a router."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFound(Problem):
    status = HTTPStatus.NOT_FOUND


class Conflict(Problem):
    status = HTTPStatus.CONFLICT


class InvalidField(BaseModel):
    """One member of a problem's `errors`."""

    field: str
    detail: str


class ProblemResponse(JSONResponse):
    media_type = "application/problem+json"

    def render(self, content: Any) -> bytes:
        # Escaped: what a problem quotes from a request may be text that UTF-8 cannot express.
        return json.dumps(content, separators=(",", ":")).encode()


def respond(
    status: int,
    detail: str | None = None,
    errors: Iterable[InvalidField] = (),
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    title = phrases.get(status, "Error")
    problem: dict[str, Any] = {"type": "about:blank", "title": title, "status": status}
    if detail:
        problem["detail"] = detail
    if fields := [error.model_dump() for error in errors]:
        problem["errors"] = fields
    return ProblemResponse(problem, status, headers)


#: Documents the errors of every route in OpenAPI.
RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "An RFC 9457 problem document",
        "content": {
            "application/problem+json": {
                "schema": {
                    "type": "object",
                    "required": ["type", "title", "status"],
                    "properties": {
                        "type": {"type": "string"},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "detail": {"type": "string"},
                        "errors": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["field", "detail"],
                                "properties": {
                                    "field": {"type": "string"},
                                    "detail": {"type": "string"},
                                },
                            },
                        },
                    },
                }
            }
        },
    }
}


def install(app: FastAPI) -> None:
    handlers: dict[type[Exception], ExceptionHandler] = {
        Problem: handle_problem,
        HTTPException: handle_http,
        RequestValidationError: handle_invalid,
        DBAPIError: handle_database,
        StaleDataError: handle_stale,
        PoolTimeout: handle_busy,
        Busy: handle_busy,
        # Only what fails outside of `CatchErrors` comes here: middleware of your own.
        Exception: handle_unexpected,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


async def handle_problem(_: Request, error: Any) -> ProblemResponse:
    return respond(error.status, error.detail)


async def handle_http(request: Request, error: Any) -> Response:
    status: int = error.status_code
    if status < 400:
        return Response(status_code=status, headers=error.headers)
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = {"Allow": ", ".join(allowed_methods(request.scope))}
        return respond(status, headers={**(error.headers or {}), **allowed})
    detail = None if error.detail == phrases.get(status) else str(error.detail)
    return respond(status, detail, headers=error.headers)


def allowed_methods(scope: Scope) -> list[str]:
    """Those of every route of this path; the router names the first route's only."""
    found = {method.value for method in HTTPMethod if has_route(scope, method)}
    return sorted(found | {"HEAD"} if "GET" in found else found)


def has_route(scope: Scope, method: str) -> bool:
    routes = scope["app"].routes
    return any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)


async def handle_invalid(request: Request, error: Any) -> ProblemResponse:
    if await _is_of_wrong_type(request):
        return respond(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send a body of type application/json.")
    fields = [_explain(found) for found in error.errors()]
    return respond(HTTPStatus.UNPROCESSABLE_ENTITY, errors=fields)


def _explain(found: dict[str, Any]) -> InvalidField:
    if found["msg"] == "JSON decode error":
        detail = f"{found['msg']}: {found['ctx']['error']} at character {found['loc'][-1]}"
        return InvalidField(field="body", detail=detail)
    return InvalidField(field=".".join(map(str, found["loc"])), detail=found["msg"])


async def _is_of_wrong_type(request: Request) -> bool:
    """Whether the route takes JSON and was sent something else."""
    field = getattr(request.scope.get("route"), "body_field", None)
    if field is None or isinstance(field.field_info, Form) or not await request.body():
        return False
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return not (kind == "application/json" or kind.endswith("+json"))


async def handle_database(request: Request, error: Any) -> ProblemResponse:
    if isinstance(error, IntegrityError):
        return handle_conflict(error)
    if driver.is_unavailable(error):
        log.warning("the database is unavailable", error=repr(error.orig))
        return unavailable("The database cannot be reached.")
    if driver.is_unstorable(error):
        detail = "A text has a character that the database cannot store, such as NUL."
        return respond(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    raise error


def handle_conflict(error: IntegrityError) -> ProblemResponse:
    if columns := driver.taken_columns(error, Base.metadata):
        detail = f"{' and '.join(columns)} must be unique and is taken."
        fields = [InvalidField(field=f"body.{name}", detail="is taken") for name in columns]
        return respond(HTTPStatus.CONFLICT, detail, fields)
    return respond(HTTPStatus.CONFLICT, "A constraint of the database does not allow this.")


async def handle_unexpected(_: Request, error: Any) -> ProblemResponse:
    return respond(HTTPStatus.INTERNAL_SERVER_ERROR)


async def handle_stale(_: Request, error: Any) -> ProblemResponse:
    return respond(HTTPStatus.CONFLICT, "It was changed or deleted by somebody else meanwhile.")


async def handle_busy(_: Request, error: Any) -> ProblemResponse:
    log.warning("no session was free in time")
    return unavailable("The service is busy.")


def unavailable(detail: str) -> ProblemResponse:
    return respond(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "1"})
