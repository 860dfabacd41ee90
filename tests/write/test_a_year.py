"""docs/a-year-of-changes.md, word by word: its models, its commands, its migrations."""

import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import indent

import pytest

from ..apply.lab import Lab, Launcher, Target
from ..apply.launcher import Ended
from ..databases import throwaway_database
from ..pages import blocks, patched, play
from ..projects import Renderer
from ..template import ROOT, commit, git

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs" / "a-year-of-changes.md"
#: Below all imports.
REVISION = "\nrevision: str"
SAFE_OPS = "\nfrom my_service.migrations.toolkit import safe_ops\n"
#: What autogenerate has written.
BODY = re.compile(r"\ndef upgrade\(\).*", re.S)
DECLARATIONS = re.compile(r"\n(?:loses|risks) = \{.*?\n\}\n", re.S)


@dataclass(frozen=True)
class Year:
    """A project, and a database, that the page's blocks change one after the other."""

    lab: Lab
    target: Target

    def models(self) -> Path:
        return self.lab.project.package / "customers" / "models.py"

    def python(self, how: str, text: str) -> None:
        if not how:
            folder = self.models().parent
            folder.mkdir()
            (folder / "__init__.py").touch()
            self.models().write_text(text)
            return
        part, message = shlex.split(how)
        [path] = self.migrations(message)
        path.write_text(edited(path.read_text(), part, text))

    def migrations(self, message: str) -> list[Path]:
        versions = self.lab.project.package / "migrations" / "versions"
        return [path for path in versions.glob("*.py") if f'"""{message}\n' in path.read_text()]

    def diff(self, how: str, text: str) -> None:
        path = self.lab.project.package / "migrations" / how if how else self.models()
        path.write_text(patched(path.read_text(), text))

    def console(self, _: str, text: str) -> None:
        play(text, self.run)

    def run(self, words: list[str]) -> Ended:
        if words[0] == "git":
            settings = os.environ["GIT_CONFIG_GLOBAL"]
            done = self.lab.project.run(*words, check=False, GIT_CONFIG_GLOBAL=settings)
            return Ended(done.returncode, done.stdout + done.stderr, 0)
        variables = dict(word.split("=") for word in words[: words.index("my-service")])
        assert words[len(variables) + 1] == "db"
        return self.target.db(*words[len(variables) + 2 :], **variables)


def edited(old: str, part: str, text: str) -> str:
    """As somebody does who has read the page."""
    assert SAFE_OPS.strip() in PAGE.read_text(encoding="utf-8")
    if part == "top":
        return old.replace(REVISION, f"\n{text.rstrip()}{REVISION}", 1)
    if part == "body":
        new = BODY.sub(lambda _: f"\n{text}", DECLARATIONS.sub("", old))
    else:
        before, function, body = old.partition(f"def {part}() -> None:\n")
        new = before + function + body.replace("    pass\n", indent(text, "    "), 1)
    return new if SAFE_OPS in new else new.replace(REVISION, SAFE_OPS + REVISION, 1)


@pytest.fixture
def whole(renderer: Renderer, database: str, tmp_path: Path) -> Iterator[Lab]:
    """A project of its own, in git."""
    project = renderer(tmp_path / "project", {"database": database})
    git(project.path, "init", "--quiet", "--initial-branch", "main")
    commit(project.path, "Begin")
    with closing(Launcher(project)) as launcher:
        opened = partial(throwaway_database, database, tmp_path)
        yield Lab(project, database, launcher, opened)


def test_the_year(whole: Lab) -> None:
    with whole.fresh() as target:
        year = Year(whole, target)
        for number, (kind, how, text) in enumerate(blocks(PAGE)):
            if number == 2:
                fill(target)
            getattr(year, kind)(how, text)
        names = target.query("SELECT first_name, last_name, mobile FROM customers ORDER BY id")
        assert names == [("Ada", "First", "1"), ("Bob", "Second", None)]
        tests = (sys.executable, "-m", "pytest", "tests/test_migrations.py")
        whole.project.run(*tests, url=target.url, PYTHONPATH="src", RELEASE="1")
        whole.project.run(sys.executable, "-m", "ruff", "check")


def fill(target: Target) -> None:
    target.execute("INSERT INTO customers (name, phone) VALUES ('Ada', '1'), ('Bob', NULL)")
