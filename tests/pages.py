"""Pages of docs/ whose blocks a test carries out, one after the other."""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from .apply.launcher import Ended

BLOCK = re.compile(r"^```(?P<kind>\w+)(?: (?P<how>[^\n]*))?\n(?P<text>.*?)^```$", re.M | re.S)


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """What each is, what it is about, and its text."""
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        yield block["kind"], block["how"] or "", block["text"]


def play(text: str, run: Callable[[list[str]], Ended]) -> None:
    """Commands, what they must say (… stands for anything), and in brackets how they must end."""
    for block in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, *wanted = block.splitlines()
        code = int(wanted.pop()[1:-1]) if wanted and re.fullmatch(r"\[\d\]", wanted[-1]) else 0
        ended = run(shlex.split(command))
        assert ended.code == code, f"{command}: {ended}"
        for line in wanted:
            pattern = ".*".join(map(re.escape, line.split("…")))
            assert re.search(pattern, ended.output), f"{command}: {line}: {ended}"


def patched(old: str, diff: str) -> str:
    """A hunk without line numbers; one that only takes lines away takes them with their end."""
    lines = diff.splitlines()
    gone = [line[1:] for line in lines if line[0] == "-"]
    kept = [line[1:] for line in lines if line[0] != "-"]
    before = [line[1:] for line in lines if line[0] != "+"]
    assert gone or len(kept) > len(before)
    assert old.count("\n".join(before)) == 1
    was, becomes = ("".join(f"{line}\n" for line in each) for each in (before, kept))
    return old.replace(was, becomes)
