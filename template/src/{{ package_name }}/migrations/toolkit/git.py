"""What git knows of the migrations, and of the code that they came with."""

import re
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

from alembic.script import ScriptDirectory
from alembic.util import CommandError

REVISION = re.compile(r"^revision\b.*?=\s*[\"'](.+?)[\"']", re.MULTILINE)

REFS = "--format=%(refname:short)"
#: In words that git's regular expressions have on every system.
LINE = "^revision[ :=]"
#: Whatever people have configured for themselves.
GREP = ("grep", "--no-color", "--no-line-number", "--no-column", "--extended-regexp")


class Git:
    """The repository that the migrations are in."""

    def __init__(self, script: ScriptDirectory) -> None:
        self.versions = [str(folder) for folder in script._version_locations if folder.exists()]
        self.root = Path(script.dir)
        try:
            self.root = Path(self("rev-parse", "--show-toplevel").strip())
        except FileNotFoundError:
            raise CommandError("git is not installed, and only git knows branches.") from None
        except CommandError as error:
            raise CommandError(
                "Only git knows what was there before: run this in a clone of the project, or begin a"
                f" history (`git init`, and commit). {error}"
            ) from None

    def __call__(self, *arguments: str, nothing: int = 0) -> str:
        """git's answer; there may be none, which has an exit code of its own."""
        done = self._run(*arguments)
        if done.returncode not in {0, nothing}:
            reason = " ".join(done.stderr.removeprefix("fatal: ").split())
            # It may end with a command to be copied.
            raise CommandError(f"`git {arguments[0]}` failed: {reason}")
        return done.stdout

    def knows(self, ref: str) -> bool:
        return self._run("rev-parse", "--verify", "--quiet", ref + "^{commit}").returncode == 0

    def revisions(self, ref: str) -> set[str]:
        """Of the migrations that are there."""
        if not self.knows(ref):
            raise CommandError(
                f"git knows no {ref}: name a branch, tag or commit of this repository, which may have"
                " to be fetched first (`git fetch origin`)."
            )
        if not self.versions:
            return set()
        found = self(*GREP, "-h", LINE, ref, "--", *self.versions, nothing=1)
        return set(REVISION.findall(found))

    def edited(self, ref: str) -> dict[Path, str]:
        """What files of migrations were where the branch has left the ref, and are not any more."""
        base = self._run("merge-base", ref, "HEAD").stdout.strip() or ref
        changed = ("diff", "--name-only", "-z", "--no-renames", "--diff-filter=M", base)
        names = self(*changed, "--", *self.versions).split("\0")[:-1]
        return {self.root / name: self("show", f"{base}:{name}") for name in names}

    def export(self, ref: str, folder: Path, to: Path) -> bool:
        """What is in a folder there, if there is such a folder."""
        tree = f"{ref}:{folder.resolve().relative_to(self.root).as_posix()}"
        if self._run("cat-file", "-e", tree).returncode:
            return False
        archive = to / "archive.tar"
        self("archive", "--output", str(archive), tree)
        with tarfile.open(archive) as files:
            files.extractall(to, filter="data")
        return True

    def unmerged(self) -> list[Path]:
        """The files that have conflicts."""
        listed = self("diff", "--name-only", "-z", "--diff-filter=U", "--", str(self.root))
        return [self.root / name for name in listed.split("\0") if name]

    def uncommitted(self, paths: Iterable[str]) -> list[str]:
        """Those of the files whose content is in no commit."""
        lines = self("status", "--porcelain", "-z", "--ignored", "--", *paths).split("\0")
        return [line[3:] for line in lines if line]

    def whereabouts(self, revision: str) -> str | None:
        """The file of a revision that is not here, and the branch that has it, or once had."""
        pattern = f"{LINE}.*[\"']{re.escape(revision)}[\"']"
        refs = self("for-each-ref", "--sort=-committerdate", "--count=300", REFS).split()
        grep = (*GREP, "--files-with-matches", pattern)
        found = self._run(*grep, *refs, "--", *self.versions).stdout.splitlines()
        if found:
            ref, _, path = found[0].partition(":")
            return f"its file is {Path(path).name} on {ref}"
        log = ("log", "--all", "-1", "--format=%h", "--name-only", "--diff-filter=A")
        lines = self._run(*log, f"-G{pattern}", "--", *self.versions).stdout.split()
        if lines:
            return f"its file is {Path(lines[-1]).name} in commit {lines[0]}"
        return None

    def add(self, paths: Iterable[Path]) -> None:
        self("add", "--", *map(str, paths))

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )


def find(script: ScriptDirectory) -> Git | None:
    """None where there is no git, or no repository."""
    try:
        return Git(script)
    except CommandError:
        return None
