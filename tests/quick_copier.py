"""`copier`, without what takes longer than the rendering and is the same in every test."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from copier._main import Worker
from jinja2 import Environment, Template


@contextmanager
def quick() -> Iterator[None]:
    """Ask git nothing about each file, and compile each path once, not for each file under it."""
    compile_anew = Environment.from_string

    def compile_once(environment: Environment, source: str) -> Template:
        known: dict[str, Template] = vars(environment).setdefault("known", {})
        if source not in known:
            known[source] = compile_anew(environment, source)
        return known[source]

    with ExitStack() as patches:
        patches.enter_context(patch.object(Environment, "from_string", compile_once))
        patches.enter_context(
            patch.object(Worker, "_sync_git_index_executable_bit", lambda *_: None)
        )
        yield


if __name__ == "__main__":
    from copier._cli import CopierApp

    with quick():
        CopierApp.run()
