"""`db status` tells where the database is, and `upgrade` lets an old release start on a new one."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from .lab import Lab, Target
from .test_deploy import failure

pytestmark = pytest.mark.slow

CREATE = 'op.create_table("users", sa.Column("id", sa.Integer, primary_key=True))'
ADD = 'op.add_column("users", sa.Column("name", sa.String(50)))'
DROP = 'op.drop_column("users", "name")'
ORDERS = 'op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True))'
FORGET = "DELETE FROM alembic_history WHERE revision = 'r2'"


@pytest.fixture
def two(lab: Lab) -> Lab:
    lab.write("r1", CREATE)
    lab.write("r2", ADD, DROP)
    return lab


def status(target: Target, state: str) -> dict[str, Any]:
    """What both forms say, and with which code they end."""
    code = 0 if state in {"current", "ahead"} else 1
    ended = target.db("status", "--json")
    found: dict[str, Any] = json.loads(ended.output)
    assert (found["state"], ended.code) == (state, code), ended.output
    if state != "half-applied":
        assert found["ready"] == (state in {"current", "ahead", "edited"})
    ended = target.db("status")
    assert ended.output.startswith(f"{state}: ")
    assert ended.code == code
    return found | {"text": ended.output}


def test_from_behind_to_current(two: Lab) -> None:
    with two.fresh() as target:
        found = status(target, "behind")
        assert [each["revision"] for each in found["pending"]] == ["r1", "r2"]
        assert f"  Pending:    r1\n{'':14}r2\n" in found["text"]
        target.upgrade("r1")
        found = status(target, "behind")
        assert [each["revision"] for each in found["pending"]] == ["r2"]
        assert (found["database"], found["code"]) == (["r1"], ["r2"])
        assert "my-service db upgrade" in found["text"]
        target.execute("DROP TABLE alembic_history")  # As if plain Alembic had applied it.
        target.upgrade()
        found = status(target, "current")
        assert (found["database"], found["skipped"]) == (["r2"], [])
        assert target.alembic("downgrade", "base").code == 0
        status(target, "behind")


@pytest.mark.parametrize("name", ["version_table", "version_table_schema"])
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_version_table_has_no_other_name(two: Lab, name: str) -> None:
    env = two.project.package / "migrations" / "env.py"
    text = env.read_text()
    try:
        env.write_text(text.replace("load_models,\n", f"load_models,\n    {name}='other',\n"))
        with two.fresh() as target:
            said = failure(target.alembic("upgrade", "head"))
    finally:
        env.write_text(text)
    assert said.startswith(f"env.py passes {name}='other', and ")
    assert "Leave it out" in said


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_was_put_before_is_said(two: Lab) -> None:
    """No upgrade runs it, and a deployment only upgrades."""
    with two.fresh() as target:
        target.upgrade()
        two.write("r1a", ORDERS)
        two.write("r2", ADD, DROP)
        assert status(target, "current")["skipped"] == ["r1a"]
        said = "The database is at r2, and has not run what comes before that: r1a. `my-service db"
        for command in (target.alembic, target.db):
            ended = command("upgrade", "head")
            assert ended.code == 0
            assert f"{said} status` says what to do.\n" in ended.output
        two.write("r3", "pass")
        assert said in target.db("upgrade").output
        assert (target.revision, target.tables() & {"orders"}) == ("r3", set())


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_to_look_makes_no_file(two: Lab) -> None:
    """DATABASE_URL may be mistyped."""
    with two.fresh() as target:
        file = Path(target.url.removeprefix("sqlite:///"))
        assert not file.exists()
        found = status(target, "behind")
        assert [each["revision"] for each in found["pending"]] == ["r1", "r2"]
        assert f"{file} is not there yet" in found["text"]
        for looks in (["current"], ["plan"], ["history"], ["status", "--drift"], ["check"]):
            target.db(*looks)
            target.alembic("current")
        assert not file.exists()
        target.upgrade()
        assert file.exists()


def test_edited_after_it_was_applied(two: Lab) -> None:
    with two.fresh() as target:
        target.upgrade()
        two.write("r2", f"# The same.\n{ADD}", DROP)
        status(target, "current")
        two.write("r2", ADD.replace("50", "60"), DROP)
        found = status(target, "edited")
        assert [each["revision"] for each in found["edited"]] == ["r2"]
        assert "r2.py" in found["text"]
        # Nothing of it is in a database that has not come so far.
        assert target.alembic("downgrade", "-1").code == 0
        assert status(target, "behind")["edited"] == []
        # What is run was loaded before.
        edit = "path = Path(__file__)\npath.write_text(path.read_text().replace('50', '60'))"
        two.write("r2", f"{ADD}\n{edit}", DROP)
        target.upgrade()
        status(target, "edited")


#: Of `two`'s r2, as release 0.8.0 made it.
BEFORE = "1018b5722a0fb2d08a9b5eaa964e4e7c9905b75f25847afa936583d0ed1eefba"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_imports_may_be_put_in_order(two: Lab) -> None:
    file = two.project.package / "migrations" / "versions" / "r2.py"
    with two.fresh() as target:
        target.upgrade()
        text = file.read_text()
        first, second = "import time\n", "from pathlib import Path\n"
        file.write_text(text.replace(f"{first}{second}", f"{second}{first}"))
        status(target, "current")
        file.write_text(text)
        target.execute(f"UPDATE alembic_history SET digest = '{BEFORE}' WHERE revision = 'r2'")
        status(target, "current")


def test_an_old_release_on_a_new_database(two: Lab) -> None:
    with two.fresh() as target:
        target.upgrade(RELEASE="2.0")
        remove(two, "r2")
        found = status(target, "ahead")
        [later] = found["unknown"]
        assert later["release"] == "2.0"
        assert later["host"]
        for command in (target.alembic, target.db):
            ended = command("upgrade", "head")
            assert ended.code == 0
            assert "A later release has migrated this database" in ended.output
        for command in (target.alembic, target.db):
            ended = command("downgrade", "-1")
            assert ended.code != 0
            assert "with release 2.0" in ended.output
            assert "Traceback" not in ended.output
            said = failure(command("current"))
            assert said == (
                "Can't locate revision identified by 'r2'. `my-service db history` lists the migrations"
                " of this release, and `my-service db status` tells where the database is."
            )
        assert target.revision == "r2"


def test_a_revision_that_nobody_knows_is_forgotten(two: Lab) -> None:
    with two.fresh() as target:
        target.upgrade()
        target.execute("UPDATE alembic_version SET version_num = 'lost'")
        ended = target.db("stamp", "head")
        assert ended.code != 0
        assert "`my-service db stamp --purge head`" in ended.output
        ended = target.db("stamp", "--purge", "head")
        assert ended.code == 0, ended.output
        status(target, "current")


def test_of_several_last_migrations_all_are_next(two: Lab) -> None:
    two.write("r3", ORDERS)
    path = two.project.package / "migrations" / "versions" / "r3.py"
    # Alembic takes an empty string for no dependency.
    beside = "down_revision = 'r1'\ndepends_on = ''"
    path.write_text(path.read_text().replace("down_revision = 'r2'", beside))
    with two.fresh() as target:
        text = status(target, "behind")["text"]
        assert "my-service db upgrade heads\n" in text
        assert "`my-service db rebase` puts" in text
        assert target.db("upgrade", "heads").code == 0
        status(target, "current")


@pytest.mark.parametrize("has_history", [True, False])
def test_a_migration_that_nobody_knows(two: Lab, *, has_history: bool) -> None:
    """As on a branch that somebody else has worked on."""
    with two.fresh() as target:
        target.upgrade(RELEASE="2.0")
        remove(two, "r2")
        two.write("r3", ORDERS)
        if not has_history:
            target.execute(FORGET)
        before = target.tables()
        for command in (target.alembic, target.db):
            ended = command("upgrade", "head")
            assert ended.code != 0
            assert ("with release 2.0 at 20" in ended.output) == has_history
            assert "Traceback" not in ended.output
        assert status(target, "unknown")["unknown"][0]["release"] == (
            "2.0" if has_history else None
        )
        assert target.tables() == before
        assert target.revision == "r2"


WAIT = """
while not Path("slow").exists():
    Path("begun").touch()
    time.sleep(0.02)
"""


def test_a_later_release_migrates_while_an_old_one_waits(lab: Lab) -> None:
    lab.write("r1", f"{WAIT}\n{CREATE}")
    lab.write("r2", ADD)
    begun, go = lab.project.path / "begun", lab.project.path / "slow"
    with lab.fresh() as target:
        later = target.begin("upgrade", "head")
        wait_for(begun)
        remove(lab, "r2")
        earlier = target.begin("upgrade", "head")
        time.sleep(1)  # It looks, and begins to wait.
        lab.write("r2", ADD)
        go.touch()
        assert later.result().code == 0
        ended = earlier.result()
        assert ended.code == 0, ended.output
        assert "A later release has migrated this database" in ended.output
        assert target.revision == "r2"


@pytest.mark.parametrize("database", ["mysql", "mariadb"], indirect=True)
def test_half_applied(two: Lab) -> None:
    two.write("r1", CREATE, 'op.drop_table("users")')
    with two.fresh() as target:
        target.upgrade("r1")
        two.write("r2", f'{ADD}\nraise RuntimeError("no")', DROP)
        assert target.alembic("upgrade", "head").code != 0
        found = status(target, "half-applied")
        assert (found["unfinished"], found["ready"]) == ("r2", False)
        assert "db upgrade" in found["text"]
        said = failure(target.db("downgrade", "-1", ENVIRONMENT="production"))
        assert said.endswith("complete it first, with `my-service db upgrade r2`.")
        see_that_an_old_release_goes_on(two, target, "r2")
        see_that_another_is_not_begun(two, target, "r2")
        two.write("r2", ADD, DROP)
        target.upgrade()
        status(target, "current")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_half_applied_on_postgresql(two: Lab) -> None:
    index = 'op.create_index("ix", "users", ["name"], unique=True, postgresql_concurrently=True)'
    with two.fresh() as target:
        target.upgrade()
        target.execute("INSERT INTO users (name) VALUES ('same'), ('same')")
        block = f"with op.get_context().autocommit_block():\n    {index}"
        two.write("r3", block)
        assert target.alembic("upgrade", "head").code != 0
        assert status(target, "half-applied")["unfinished"] == "r3"
        remove(two, "r3")
        see_that_another_is_not_begun(two, target, "r3")
        two.write("r3", block)
        see_that_an_old_release_goes_on(two, target, "r2", "r3")
        two.write("r2", ADD, DROP)
        two.write("r3", block)
        target.execute("DELETE FROM users")
        target.upgrade()
        status(target, "current")


def see_that_an_old_release_goes_on(lab: Lab, target: Target, *later: str) -> None:
    """Who rolls a failed deployment back must get the service."""
    for revision in later:
        remove(lab, revision)
    assert status(target, "half-applied")["ready"]
    ended = target.db("upgrade")
    assert ended.code == 0, ended.output
    assert f"later release has begun migration {later[-1]}" in ended.output


def see_that_another_is_not_begun(lab: Lab, target: Target, begun: str) -> None:
    """The command that completes it cannot be given where its file is not."""
    lab.write("r9", "pass")
    for given in ([], ["-x", "resume=done"]):
        said = failure(target.db(*given, "upgrade"))
        assert said.startswith(f"Migration {begun} was begun and not completed, and this release")
        assert "complete it with the release that began it" in said
        assert (
            said.split("Nothing was done: ")[1].removesuffix(".")
            in status(target, "half-applied")["text"]
        )
    remove(lab, "r9")


def test_a_failed_migration_leaves_nothing_half_applied(two: Lab, database: str) -> None:
    if database in {"mysql", "mariadb"}:
        pytest.skip("Each statement is committed by itself there: see test_half_applied.")
    with two.fresh() as target:
        two.write("r2", f'{ADD}\nraise RuntimeError("no")', DROP)
        assert target.alembic("upgrade", "r2").code != 0
        status(target, "behind")


def test_without_a_server(two: Lab, database: str, tmp_path: Path) -> None:
    url = {
        "sqlite": f"sqlite:///{tmp_path / 'no such folder' / 'app.db'}",
        "postgresql": "postgresql://user:secret@127.0.0.1:9/name",
    }.get(database, f"{database}://user:secret@127.0.0.1:9/name")
    for arguments in (["status"], ["status", "--json"]):
        ended = Target(two, url).db(*arguments)
        assert ended.code == 2
        assert ended.output.startswith("FAILED: ")
        assert "Traceback" not in ended.output
        assert "secret" not in ended.output


def remove(lab: Lab, revision: str) -> None:
    """As in the release before."""
    (lab.project.package / "migrations" / "versions" / f"{revision}.py").unlink()


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
