"""Two branches with a migration each, and a database that has been on both."""

import os
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from py_compile import PycInvalidationMode

import pytest

from ..apply.lab import Lab, write_migration
from ..projects import Project
from .endings import refuses, succeed

pytestmark = pytest.mark.slow

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
        shutil.rmtree(lab.project.path / ".git", ignore_errors=True)
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


@pytest.fixture
def branches(lab: Lab) -> Iterator[Branches]:
    branches = Branches(lab)
    yield branches
    shutil.rmtree(lab.project.path / ".git")


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


def copy(lab: Lab, revision: str, name: str) -> None:
    (versions(lab) / name).write_text((versions(lab) / f"{revision}.py").read_text())


BROKEN: dict[str, tuple[Callable[[Lab], None], str]] = {
    "missing": (
        lambda lab: spoil(lab, "r2", "'r1'", "'r0'"),
        "r2.py follows migration r0, which no file is.",
    ),
    "conflict": (
        lambda lab: spoil(lab, "r2", "def upgrade", "<<<<<<< HEAD\ndef upgrade"),
        "r2.py, line 11: git has left a conflict there. ",
    ),
    "link": (
        lambda lab: (versions(lab) / "r3.py").symlink_to("nowhere.py"),
        "versions: ImportError: Can't find Python file ",
    ),
    "import": (
        lambda lab: spoil(lab, "r2", "import time", "from time import no_such_thing"),
        "r2.py, line 1: ImportError: ",
    ),
    "twice": (lambda lab: copy(lab, "r2", "r3.py"), "Two files are migration r2: "),
    "squashed": (
        lambda lab: spoil(lab, "r1", "revision = 'r1'", "revision = 'r9'\nreplaces = {'r1': ''}"),
        "r2.py follows migration r1, which was squashed into r9: ",
    ),
    "circle": (
        lambda lab: spoil(lab, "r1", "down_revision = None", "down_revision = 'r2'"),
        "The migrations make no history: ",
    ),
}


@on_sqlite
@pytest.mark.parametrize("fault", BROKEN)
def test_files_that_make_no_history(lab: Lab, fault: str) -> None:
    """One sentence, where Alembic has a traceback."""
    lab.write("r1", CREATE)
    lab.write("r2", "pass")
    spoil_it, sentence = BROKEN[fault]
    spoil_it(lab)
    with lab.fresh() as target:
        jobs = [
            target.job("upgrade", "head"),
            target.job("current"),
            *(
                replace(target.job(*words), ours=True)
                for words in (["db", "status"], ["db", "heads"])
            ),
        ]
        for job in jobs:
            [[ended]] = lab.launch([job])
            assert ended.code != 0
            said = ended.output.strip()
            assert said.startswith("FAILED: ")
            assert sentence in said
            assert "\n" not in said


@on_sqlite
def test_every_new_file_changes_the_head_file(lab: Lab, render: Callable[..., Project]) -> None:
    """Also those that are written without a server, by plain Alembic."""
    assert render(example=False).read(HEAD_FILE) == f"{FIRST_LINE}\n"
    with lab.fresh() as target:
        nowhere = replace(target, url="sqlite:////no/such/folder/app.db")
        plain, ours = nowhere.alembic, nowhere.db
        for command, revision in ((plain, "a"), (ours, "b")):
            succeed(command("revision", "-m", f"add {revision} to users", "--rev-id", revision))
            assert head_file(lab) == [revision]
        succeed(plain("revision", "-m", "add c", "--rev-id", "c", "--head", "a", "--splice"))
        assert head_file(lab) == ["b", "c"]
        succeed(plain("merge", "heads", "-m", "merge b and c", "--rev-id", "d"))
        assert head_file(lab) == ["d"]
        succeed(target.alembic("upgrade", "head"))
        (versions(lab).parent / "head.txt").unlink()
        succeed(target.alembic("downgrade", "base"))
        succeed(target.db("upgrade"))


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


def test_rebase_in_the_middle_of_a_conflicted_merge(branches: Branches) -> None:
    lab = branches.lab
    with lab.fresh() as target:
        target.upgrade()
        target.execute("INSERT INTO houses VALUES (1)")
        branches.merge()

        loss = "that loses the table houses (1 row). Nothing was done."
        refuses(target.db("rebase", "theirs"), loss, "db rebase theirs --lose houses`")
        refuses(target.db("rebase", ENVIRONMENT="production"), "ENVIRONMENT is not development")
        assert line(lab) in (["r1", "r7"], ["r1", "r3", "r4"])
        assert target.query("SELECT id FROM houses") == [(1,)]

        succeed(target.db("rebase", "--lose", "houses"))
        assert line(lab) == ["r1", "r7", "r3", "r4"]
        assert "Revises: r7" in (versions(lab) / "r3.py").read_text()
        assert head_file(lab) == ["r4"]
        assert branches.git("diff", "--name-only") == ""
        assert branches.git("diff", "--name-only", "--diff-filter=U", "HEAD") == ""
        assert {"users", "orders", "houses"} <= target.tables()
        assert target.query("SELECT name FROM users") == []
        assert '"state": "current"' in succeed(target.db("status", "--json"))

        branches.commit("merged")
        assert "Nothing to do" in succeed(target.db("rebase"))
        assert branches.git("status", "--short") == ""


@on_sqlite
def test_rebase_in_a_folder_that_is_a_link(branches: Branches, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(branches.lab.project.path)
    branches.merge()
    script = "from my_service.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "db", "rebase", "--files-only"],
        cwd=link,
        env={**os.environ, "PYTHONPATH": str(link / "src"), "RELEASE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert branches.git("diff", "--name-only", "--diff-filter=U") == ""


@on_sqlite
def test_rebase_after_that_of_git(branches: Branches) -> None:
    """Which puts a migration in front of some that the database has already."""
    lab = branches.lab
    with lab.fresh() as target:
        target.upgrade()
        branches.publish()
        branches.git("rebase", "origin/main", check=False)
        said = succeed(target.db("rebase"))
        assert "at r4, which has no file here, and stays" in said
        assert "db upgrade" not in said
        branches.git("-c", "core.editor=true", "rebase", "--continue")
        assert line(lab) == ["r1", "r7", "r3", "r4"]
        assert "orders" not in target.tables()
        assert "Skipped:    r7 (Step r7)\n  Next:       my-service db rebase, which" in succeed(
            target.db("status")
        )
        by_hand = "let them follow the last migration that it has (`down_revision`)"
        assert by_hand in target.db("status", ENVIRONMENT="production").output
        refuses(target.db("rebase", ENVIRONMENT="production"), by_hand)
        lab.write("r8", "pass")
        spoil(lab, "r8", "'r7'", "'r4'")
        assert "Next:       my-service db rebase, which" in target.db("status").output
        (versions(lab) / "r8.py").unlink()
        succeed(target.db("rebase"))
        assert "orders" in target.tables()
        assert target.query("SELECT name FROM users") == []
        assert target.revision == "r4"
        assert "Nothing to do" in succeed(target.db("rebase"))
        assert "Skipped" not in succeed(target.db("status"))


@on_sqlite
def test_rebase_where_a_migration_has_another_id(branches: Branches) -> None:
    """As after a review: what the database has of it would be made again, or be there twice."""
    lab = branches.lab
    with lab.fresh() as target:
        target.upgrade()
        spoil(lab, "r3", "'r3'", "'r5'")
        spoil(lab, "r3", "Step r3\n\n", "Step r3\n")  # As files are that Alembic did not write.
        (versions(lab) / "r3.py").rename(versions(lab) / "r5.py")
        spoil(lab, "r4", "'r3'", "'r5'")
        refuses(
            target.db("rebase"), "has had r3, which has no file here, and not r5 (Step r3), which"
        )
        assert target.revision == "r4"
        succeed(target.db("stamp", "--purge", "r4"))
        assert "Nothing to do" in succeed(target.db("rebase"))
        assert "Skipped" not in succeed(target.db("status"))


@on_sqlite
def test_rebase_of_what_the_last_one_had_followed(branches: Branches) -> None:
    """As where it was merged by itself: the database does not tell that it has those before."""
    lab = branches.lab
    branches.write("r7", table("orders"), 'op.drop_table("orders")')
    with lab.fresh() as target:
        target.upgrade()
        branches.git("checkout", "-q", "--", HEAD_FILE)
        (versions(lab) / "r7.py").unlink()
        branches.merge()
        succeed(target.db("rebase"))
        assert line(lab) == ["r1", "r7", "r3", "r4"]
        assert '"state": "current"' in succeed(target.db("status", "--json"))
        assert {"users", "orders", "houses"} <= target.tables()


@on_sqlite
def test_rebase_says_what_is_in_its_way(branches: Branches) -> None:
    lab = branches.lab
    with lab.fresh() as target:
        assert "in one line; git knows no origin/main." in succeed(target.db("rebase"))
        branches.publish()
        refuses(target.db("rebase"), "origin/main has migrations that are not here yet: r7.")
        branches.merge()
        refuses(target.db("rebase", "upstream/main"), "git knows no upstream/main: ", code=2)
        empty = branches.git("commit-tree", "-m", "nothing", NO_FILES).strip()
        refuses(target.db("rebase", empty), " has no migration in ", "so that all would be yours")

        target.upgrade("r3")
        branches.conflict("src/my_service/main.py")
        refuses(target.db("rebase"), "git has conflicts in ", "main.py")
        branches.git("add", "src/my_service/main.py")
        (lab.project.path / ".git").rename(lab.project.path / "git")
        refuses(target.db("rebase"), "`git rev-parse` failed: not a git repository", code=2)
        (lab.project.path / "git").rename(lab.project.path / ".git")

        write_migration(lab.project, "r5", "pass")
        spoil(lab, "r5", "'r4'", "('r4', 'r7')")
        write_migration(lab.project, "r6", "pass")
        spoil(lab, "r6", "'r5'", "'r7'")
        refuses(target.db("rebase"), "r5 joins r4 and r7, so ")
        assert line(lab)[:1] == ["r1"]
        branches.commit("two ends")
        ends = "mine itself has more than one last migration, r5 and r6. Join them there first"
        refuses(target.db("rebase", "mine"), ends, "`my-service db merge`")


@on_sqlite
def test_rebase_of_several_heads(branches: Branches) -> None:
    """Without a server, and without a conflict in git."""
    lab = branches.lab
    branches.merge()
    branches.head("r7")
    branches.commit("merged")
    write_migration(lab.project, "r5", "pass")
    spoil(lab, "r5", "'r4'", "'r1'")
    for name in ("r3", "r5"):
        # As one that is taken for new: Python looks at the second and the size only.
        file = str(versions(lab) / f"{name}.py")
        py_compile.compile(file, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    third = versions(lab) / "r3.py"
    third.write_bytes(third.read_bytes().replace(b"\n", b"\r\n"))
    with lab.fresh() as target:
        nowhere = replace(target, url="sqlite:////no/such/folder/app.db")
        refuses(nowhere.db("rebase"), "SQLite cannot open ", "--files-only", code=2)
        succeed(nowhere.db("rebase", "--files-only"))
        assert line(lab) == ["r1", "r7", "r3", "r4", "r5"]
        assert head_file(lab) == ["r5"]
        assert branches.git("diff", "--cached", "--name-only") == ""
        text = third.read_bytes()
        assert b"Revises: r7\r\n" in text
        assert text.count(b"\r\n") == text.count(b"\n")


@on_sqlite
def test_merge(branches: Branches) -> None:
    lab = branches.lab
    with lab.fresh() as target:
        assert "Nothing to merge" in succeed(target.db("merge"))
        branches.merge()
        target.upgrade("r4")
        succeed(target.db("merge"))
        [merge] = set(versions(lab).iterdir()) - set(versions(lab).glob("r?.py"))
        assert "merge_step_r4_and_step_r7" in merge.name
        target.upgrade()
        assert {"users", "orders", "houses"} <= target.tables()


@on_sqlite
def test_a_database_that_was_migrated_on_another_branch(branches: Branches) -> None:
    with branches.lab.fresh() as target:
        target.upgrade()
        branches.git("checkout", "-q", "theirs")
        for ended in (target.alembic("upgrade", "head"), target.db("status")):
            assert ended.code != 0
            assert "its file is r4.py on mine" in ended.output
            assert "or make this database anew with `my-service db reset`" in ended.output
        for command in (["current"], ["show", "r4"], ["squash", "r4"]):
            refused = target.db(*command)
            assert "identified by 'r4': its file is r4.py on mine.\n" in refused.output, refused
        refused = target.db("history", "-r-1:current")
        assert refused.output.endswith(": its file is r4.py on mine.\n"), refused
        with branches.lab.fresh() as other:
            assert "'r4': its file is r4.py on mine. Nothing" in other.db("upgrade", "r4").output
        ended = target.db("upgrade", ENVIRONMENT="production")
        assert "r4.py on mine" in ended.output
        assert "reset" not in ended.output
        branches.git("branch", "-q", "-D", "mine")
        assert "its file is" not in target.db("upgrade").output
        branches.write("r4", ADD, DROP)
        branches.commit("r4")
        (versions(branches.lab) / "r4.py").unlink()
        branches.commit("not r4")
        assert "its file is r4.py in commit " in target.db("upgrade").output
