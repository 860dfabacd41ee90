"""A project that is served, and what is sent to it."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest

from ..projects import Project
from ..serving import Server, start

ADA = {"name": "Ada", "email": "ada@example.com"}
JSON = b"Content-Type: application/json"
VERBOSE = {"LOG_LEVEL": "DEBUG", "ENVIRONMENT": "development"}


def on(*databases: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("database", databases, indirect=True)


@dataclass(frozen=True)
class Service:
    project: Project
    url: str

    def command(self, *parts: str) -> list[str]:
        """With the project's own names."""
        names = {"slug": self.project.console_script, "package": self.project.package.name}
        return [part.format(**names) for part in parts]

    def serve(
        self, *options: str, url: str = "", **variables: str
    ) -> AbstractAsyncContextManager[Server]:
        command = self.command("{slug}", "serve", *options)
        return start(self.project, *command, url=url or self.url, variables=variables)

    def migrate(self, url: str) -> None:
        self.project.run("alembic", "upgrade", "head", url=url)


def request(method: bytes, path: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    length = [b"Content-Length: %d" % len(body)] if body else []
    lines = [b"%s %s HTTP/1.1" % (method, path), b"Host: localhost", *length, *headers]
    return b"\r\n".join([*lines, b"", body])


def post(path: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return request(b"POST", path, JSON, *headers, body=body)
