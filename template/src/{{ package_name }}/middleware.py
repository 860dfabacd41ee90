"""What happens to every request before and after the application. Pure ASGI: it costs little."""

import re
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import quote
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import has_route, respond

log = structlog.stdlib.get_logger(__name__)
access = structlog.stdlib.get_logger("access")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestLog:
    """A request id, and one line per request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        status: int | None = None

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        with _context(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_id)
            finally:
                access.info(
                    "request",
                    method=scope["method"],
                    path=quote(scope["path"]),  # no control characters on a terminal
                    status=status,
                    milliseconds=round((time.perf_counter() - started) * 1000, 1),
                    client=(scope.get("client") or [None])[0],
                )


@contextmanager
def _context(**values: str) -> Iterator[None]:
    """What is bound within does not outlive the request."""
    outer = structlog.contextvars.get_contextvars()
    structlog.contextvars.bind_contextvars(**values)
    try:
        yield
    finally:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(**outer)


def _request_id(scope: Scope) -> str:
    sent = Headers(scope=scope).get("X-Request-ID", "")
    return sent if REQUEST_ID.fullmatch(sent) else uuid4().hex


class CrossOrigin(CORSMiddleware):
    """Answers a refusal, too, with a problem document."""

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code < HTTPStatus.BAD_REQUEST:
            return response
        detail = bytes(response.body).decode()
        return respond(response.status_code, detail, headers={"Vary": response.headers["Vary"]})


class CatchErrors:
    """An answer to what nobody expected; the log has the traceback."""

    def __init__(self, app: ASGIApp, *, show: bool) -> None:
        self.app = app
        self.show = show

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answered = False

        async def send_and_remember(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_remember)
        except Exception as error:
            log.exception("unexpected error")
            if answered:
                raise
            await self.answer(error)(scope, receive, send)

    def answer(self, error: Exception) -> ASGIApp:
        detail = "".join(traceback.format_exception(error)) if self.show else None
        return respond(HTTPStatus.INTERNAL_SERVER_ERROR, detail)


class AllowedHosts:
    """Refuse requests for other names: links and redirects are made from the Host header."""

    def __init__(self, app: ASGIApp, *, names: Sequence[str], open_paths: Sequence[str]) -> None:
        self.app = app
        self.names = [name.lower() for name in names]
        self.open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and not self.allows(scope):
            response = respond(HTTPStatus.BAD_REQUEST, "This host name is not served here.")
            await response(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def allows(self, scope: Scope) -> bool:
        host = re.sub(r"\.?(:\d*)?$", "", Headers(scope=scope).get("host", "")).lower()
        return scope["path"] in self.open_paths or any(
            name in {"*", host} or (name.startswith("*.") and host.endswith(name[1:]))
            for name in self.names
        )


class HeadAsGet:
    """Answer HEAD as GET where no route does so itself; servers leave the body out."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        if is_head and not has_route(scope, "HEAD"):
            scope = {**scope, "method": "GET"}
        await self.app(scope, receive, send)


class TooLarge(HTTPException):
    def __init__(self, size: int) -> None:
        super().__init__(413, f"The body may have {size} bytes at most.")


class BodyLimit:
    """Refuse a body over the size, by its announced length or while it arrives."""

    def __init__(self, app: ASGIApp, *, size: int) -> None:
        self.app = app
        self.size = size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.size:
                raise TooLarge(self.size)
            return message

        announced = Headers(scope=scope).get("content-length", "") if "headers" in scope else ""
        if announced.isdigit() and int(announced) > self.size:
            error = TooLarge(self.size)
            await respond(error.status_code, error.detail)(scope, receive, send)
        else:
            limited = receive_limited if scope["type"] == "http" else receive
            await self.app(scope, limited, send)
