"""Messages that say nothing are refused, without a server and without a file."""

import pytest

from ..apply.lab import Lab, Target
from .authoring import TESTS, Write, on_sqlite, run_python, versions

pytestmark = pytest.mark.slow


@on_sqlite
def test_messages(lab: Lab, write: Write) -> None:
    """By hand too, for which no server is needed."""
    write({})
    target = Target(lab, f"sqlite:///{lab.project.path}/no folder/app.db")
    for message in (
        "",
        " ",
        "wip",
        "Fix",
        "test",
        "asdf",
        "update",
        "Updates.",
        "more changes",
        "x",
    ):
        for run in (target.alembic, target.db):
            for more in ([], ["--autogenerate"]):
                ended = run("revision", "-m", message, *more)
                assert ended.code == (1 if run == target.db else 255), ended
                assert 'such as `revision -m "add email to users"`' in ended.output
    assert target.alembic("revision").code == 255
    assert not versions(lab)
    for message in ("fix emails", "wip: add email", "ändere", "添加邮箱"):
        assert target.db("revision", "-m", message).code == 0
    assert len(versions(lab)) == 4
    # As they are, the project's own tests refuse them.
    done = run_python(target, *TESTS, "-k", "does")
    assert "fill them in" in done.stdout
    for path in versions(lab):
        text = path.read_text().replace("fix emails", "fix").replace("pass\n", "op.execute('')\n")
        path.write_text(text)
    done = run_python(target, *TESTS, "-k", "does")
    assert "FAILED tests/test_migrations.py::test_each_migration_says_what_it_does" in done.stdout
    assert "test_each_migration_does_something" not in done.stdout


@on_sqlite
def test_message_of_a_merge(lab: Lab, write: Write) -> None:
    """Plain Alembic needs one; `db merge` says itself what it merges."""
    write({})
    target = Target(lab, f"sqlite:///{lab.project.path}/no folder/app.db")
    for message in ("add emails", "add orders"):
        assert target.db("revision", "-m", message, "--head", "base").code == 0
    before = versions(lab)
    for ended, code in (
        (target.alembic("merge", "heads", "-m", "wip"), 255),
        (target.alembic("merge", "heads"), 255),
        (target.db("merge", "-m", "wip"), 1),
    ):
        assert ended.code == code
        assert 'such as `merge -m "merge emails and orders"`' in ended.output
        assert versions(lab) == before
    assert target.alembic("merge", "heads", "-m", "merge both").code == 0
    for path in versions(lab) - before:
        path.unlink()
    assert target.db("merge").code == 0
    [path] = versions(lab) - before
    assert "merge add" in path.read_text()
