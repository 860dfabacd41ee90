"""What happens to every request before and after the application. Pure ASGI: it costs little."""

import re
import time
import traceback
from collections.abc import Sequence
from http import HTTPStatus
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import respond

log = structlog.stdlib.get_logger("access")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestLog:
    """A request id, one line per request, and an answer to what nobody expected."""

    def __init__(self, app: ASGIApp, *, show_errors: bool) -> None:
        self.app = app
        self.show_errors = show_errors

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
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_id)
            except Exception as error:
                log.exception("unexpected error")
                if status is not None:
                    raise
                await self.answer(error)(scope, receive, send_with_id)
            finally:
                log.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    milliseconds=round((time.perf_counter() - started) * 1000, 1),
                )

    def answer(self, error: Exception) -> ASGIApp:
        detail = "".join(traceback.format_exception(error)) if self.show_errors else None
        return respond(HTTPStatus.INTERNAL_SERVER_ERROR, detail)


def _request_id(scope: Scope) -> str:
    sent = Headers(scope=scope).get("X-Request-ID", "")
    return sent if REQUEST_ID.fullmatch(sent) else uuid4().hex


class AllowedHosts:
    """Refuse requests for other names: links and redirects are made from the Host header."""

    def __init__(self, app: ASGIApp, *, names: Sequence[str]) -> None:
        self.app = app
        self.names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and not self.allows(scope):
            response = respond(HTTPStatus.BAD_REQUEST, "This host name is not served here.")
            await response(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def allows(self, scope: Scope) -> bool:
        host = Headers(scope=scope).get("host", "").rsplit(":", 1)[0].lower()
        return any(
            name in {"*", host} or (name.startswith("*.") and host.endswith(name[1:]))
            for name in self.names
        )


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
            await respond(HTTPStatus(error.status_code), error.detail)(scope, receive, send)
        else:
            limited = receive_limited if scope["type"] == "http" else receive
            await self.app(scope, limited, send)
