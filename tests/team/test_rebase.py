"""Migrations of two branches are put in one line, and the database with them."""

import os
import py_compile
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from py_compile import PycInvalidationMode

import pytest

from ..apply.lab import write_migration
from .branches import (
    HEAD_FILE,
    NO_FILES,
    Branches,
    head_file,
    line,
    on_sqlite,
    spoil,
    table,
    versions,
)
from .endings import refuses, succeed

pytestmark = pytest.mark.slow


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


@pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)
def test_rebase_of_what_was_interrupted(branches: Branches) -> None:
    """Behind another migration it could not be completed."""
    lab = branches.lab
    spoil(lab, "r3", "\n\n\ndef downgrade", "\n    op.execute('SELECT nothing')\n\n\ndef downgrade")
    branches.commit("wrong")
    with lab.fresh() as target:
        assert target.db("upgrade").code == 1
        branches.merge()
        for command in (["rebase", "--lose", "houses"], ["upgrade", "r7"]):
            refuses(target.db(*command), "complete it first, with `my-service db upgrade r3`")
        assert "my-service db upgrade r3, which completes it" in target.db("status").output
        spoil(lab, "r3", "SELECT nothing", "SELECT 1")
        succeed(target.db("upgrade", "r3"))
        succeed(target.db("rebase", "--lose", "houses"))
        assert line(lab) == ["r1", "r7", "r3", "r4"]
        assert '"state": "current"' in succeed(target.db("status", "--json"))


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
        refuses(target.db("rebase", "nosuch"), "git knows no nosuch: ", code=2)
        (lab.project.path / ".git").rename(lab.project.path / "git")
        succeed(target.db("rebase"))
        refuses(target.db("rebase", "nosuch"), "failed: not a git repository", code=2)
        (lab.project.path / "git").rename(lab.project.path / ".git")
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
        # git says it in five lines, as in a container that somebody else's folder is mounted in.
        ended = target.db("rebase", GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
        refuses(ended, "dubious ownership", " git config --global --add safe.directory ", code=2)
        (lab.project.path / ".git").rename(lab.project.path / "git")
        refuses(target.db("rebase"), "run this in a clone", "not a git repository", code=2)
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
