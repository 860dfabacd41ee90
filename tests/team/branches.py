"""A repository with two branches that have a migration each."""

import subprocess
from pathlib import Path

import pytest

from ..apply.lab import Lab

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

CREATE = 'op.create_table("users", sa.Column("id", sa.Integer, primary_key=True))'
ADD = 'op.add_column("users", sa.Column("name", sa.String(50)))'
DROP = 'op.drop_column("users", "name")'
#: git's own id for a tree without files.
NO_FILES = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
HEAD_FILE = "src/my_service/migrations/head.txt"
# As rendered, and as written by the commands.
FIRST_LINE = (
    "# The last migration. If git has a conflict here, two branches have each added one: run"
    " `my-service db rebase`."
)


def table(name: str) -> str:
    return f'op.create_table("{name}", sa.Column("id", sa.Integer, primary_key=True))'


class Branches:
    """The project as a repository: `r1` is in use, `theirs` has `r7`, `mine` has `r3` and `r4`."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.git("init", "-q", "-b", "main")
        # As people like it; a program must not depend on it.
        for option, value in (("grep.lineNumber", "true"), ("color.grep", "always")):
            self.git("config", option, value)
        self.write("r1", CREATE)
        self.commit("main")
        self.branch("theirs")
        self.write("r7", table("orders"), 'op.drop_table("orders")')
        self.commit("theirs")
        self.branch("mine")
        self.write("r3", table("houses"), 'op.drop_table("houses")')
        self.commit("mine")
        self.write("r4", ADD, DROP)
        self.commit("mine as well")

    def git(self, *arguments: str, check: bool = True, given: str = "") -> str:
        command = ["git", *arguments]
        done = subprocess.run(
            command,
            cwd=self.lab.project.path,
            capture_output=True,
            text=True,
            input=given,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def branch(self, name: str) -> None:
        self.git("checkout", "-q", "-b", name, "main")

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "-q", "-m", message)

    def write(self, revision: str, upgrade: str, downgrade: str = "pass") -> None:
        self.lab.write(revision, upgrade, downgrade)
        path = versions(self.lab) / f"{revision}.py"
        path.write_text(f'"""Step {revision}\n\nRevises: of old\n"""\n\n{path.read_text()}')
        self.head(revision)

    def head(self, revision: str) -> None:
        (versions(self.lab).parent / "head.txt").write_text(f"{FIRST_LINE}\n{revision}\n")

    def publish(self) -> None:
        """Somebody else's branch comes to `origin/main`."""
        self.git("update-ref", "refs/remotes/origin/main", "theirs")

    def merge(self) -> None:
        self.publish()
        self.git("merge", "origin/main", check=False)
        assert f"UU {HEAD_FILE}" in self.git("status", "--short")

    def conflict(self, name: str) -> None:
        """As if both sides had changed the file."""
        [_, blob, *_] = self.git("ls-files", "--stage", name).split()
        entries = "".join(f"100644 {blob} {stage}\t{name}\n" for stage in (1, 2, 3))
        self.git("update-index", "--force-remove", name)
        self.git("update-index", "--index-info", given=entries)


def versions(lab: Lab) -> Path:
    return lab.project.package / "migrations" / "versions"


def head_file(lab: Lab) -> list[str]:
    first, *heads = (versions(lab).parent / "head.txt").read_text().splitlines()
    assert first == FIRST_LINE
    return heads


def spoil(lab: Lab, revision: str, old: str, new: str) -> None:
    path = versions(lab) / f"{revision}.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def line(lab: Lab) -> list[str]:
    """The migrations in their order, as the files say it."""
    followers = {}
    for path in versions(lab).glob("r*.py"):
        [place] = [each for each in path.read_text().splitlines() if "down_revision = " in each]
        followers[place.removeprefix("down_revision = ").strip("'\"")] = path.stem
    found = ["None"]
    while found[-1] in followers:
        found.append(followers[found[-1]])
    return found[1:]
