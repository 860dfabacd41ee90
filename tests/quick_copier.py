"""`copier`, without what takes longer than the rendering and is the same in every test."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import CodeType
from typing import Any
from unittest.mock import patch

from copier._main import Worker
from jinja2 import Environment

_CODES: dict[tuple[object, ...], CodeType] = {}


@contextmanager
def quick() -> Iterator[None]:
    """Ask git nothing about each file, and compile each text once, not for each file and project."""
    compile_anew = Environment.compile

    def compile_once(
        environment: Environment, source: str, name: str | None = None, *place: Any
    ) -> CodeType:
        # One lexer for all who read a text in the same way.
        key = environment.lexer, source, name
        if key not in _CODES:
            _CODES[key] = compile_anew(environment, source, name, *place)
        return _CODES[key]

    with ExitStack() as patches:
        patches.enter_context(patch.object(Environment, "compile", compile_once))
        patches.enter_context(
            patch.object(Worker, "_sync_git_index_executable_bit", lambda *_: None)
        )
        yield


if __name__ == "__main__":
    from copier._cli import CopierApp

    with quick():
        CopierApp.run()
