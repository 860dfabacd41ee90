"""docs/an-update.md, word by word: an update of a project that is lived in."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from .apply.launcher import Ended
from .pages import blocks, patched, play
from .projects import Renderer
from .template import ROOT

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "an-update.md"
QUICK = [sys.executable, str(ROOT / "tests" / "quick_copier.py")]
# Of the tests only some: all of them run in other tests.
FEWER_TESTS = "TEST_ARGS = -k one_head --no-cov\n"


@dataclass
class Owner:
    """At a shell."""

    folder: Path
    template: Path
    mypy_cache: str

    def python(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def diff(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(patched(path.read_text(), text))

    def console(self, _: str, text: str) -> None:
        play(text.replace("<repository>", str(self.template)), self.run)

    def run(self, words: list[str]) -> Ended:
        if words[0] == "cd":
            self.folder /= words[1]
            (self.folder / "project.mk").write_text(FEWER_TESTS)
            return Ended(0, "", 0)
        if words[0] == "uvx":
            words = [*QUICK, *words[2:]]
        # Without what another make, which may run this test, hands down.
        kept = {name: os.environ[name] for name in os.environ if not name.startswith("MAKE")}
        kept.pop("TEST_ARGS", None)
        path = f"{self.folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            words,
            cwd=self.folder,
            env={
                **kept,
                "PATH": path,
                "COPIER": " ".join(QUICK),
                "MYPY_CACHE_DIR": self.mypy_cache,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Ended(done.returncode, done.stdout, 0)


def test_the_page(renderer: Renderer, tmp_path: Path) -> None:
    owner = Owner(tmp_path, renderer.template, renderer.look({}).mypy_cache)
    for kind, how, text in blocks(PAGE):
        getattr(owner, kind)(how, text)
    assert (owner.folder / "uv.lock").exists()
    assert "audit: true" in (owner.folder / ".copier-answers.yml").read_text()
