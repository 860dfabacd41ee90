"""Where the database is to be, and how: what cannot be meant is refused."""

import pytest

from .lab import Lab, Target
from .test_deploy import CREATE, ON_SQLITE, failure
from .test_scripts import run_script, write_script
from .test_status import status

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("arguments", [["upgrade", ""], ["downgrade", "-1"]])
def test_there_is_no_way(lab: Lab, arguments: list[str]) -> None:
    """A variable of the deployment was empty; somebody has deleted the function."""
    lab.write("r1", CREATE)
    path = lab.project.package / "migrations" / "versions" / "r1.py"
    path.write_text(path.read_text().replace("def downgrade", "def no_downgrade"))
    with lab.fresh() as target:
        target.upgrade()
        said = failure(target.db(*arguments))
        assert said.startswith("There is no way from r1 to ")
        assert "db history" in said


NOWHERE = {
    ("upgrade", "zzz"): "Can't locate revision identified by 'zzz'",
    ("upgrade", "+5"): "Relative revision +5 didn't produce 5 migrations",
    ("stamp", "zzz"): "Can't locate revision identified by 'zzz'",
    ("upgrade", ""): "There is no way from r1 to ''",
}


@ON_SQLITE
def test_a_target_that_is_nowhere(lab: Lab) -> None:
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        target.upgrade()
        for arguments, what in NOWHERE.items():
            said = failure(target.db(*arguments))
            assert said == (
                f"{what}. Nothing was done: the database is at r1, and `my-service db history`"
                " lists the migrations."
            )
        said = failure(target.db("upgrade", "base:r1"))
        assert said.startswith("base:r1 is a range, which only --sql takes.")
        lab.write("r2", "pass")
        said = failure(target.db("current", "--check-heads"))
        assert said.endswith(": `my-service db status` tells what it lacks.")


@ON_SQLITE
def test_a_part_of_several_ids(lab: Lab) -> None:
    for revision in ("ab12", "ab34"):
        lab.write(revision, "pass")
    with lab.fresh() as target:
        what = "Multiple revisions start with 'ab': 'ab12', 'ab34'. Write more of the one that is meant."
        said = failure(target.db("upgrade", "ab"))
        assert said.startswith(f"{what} Nothing was done: the database is at base, and ")
        assert failure(target.db("show", "ab")) == what


def follow(lab: Lab, revision: str, before: object) -> None:
    lab.write(revision, "pass")
    path = lab.project.package / "migrations" / "versions" / f"{revision}.py"
    path.write_text(f"{path.read_text()}\ndown_revision = {before!r}\n")


@ON_SQLITE
def test_a_step_may_be_more_than_one(lab: Lab) -> None:
    for revision, before in {"a": None, "l": "a", "r": "a"}.items():
        follow(lab, revision, before)
    with lab.fresh() as target:
        target.upgrade("a")
        said = failure(target.db("upgrade", "+1"))
        assert said == (
            "+1 may mean more than one way from a, where the database is: l or r. Nothing was done:"
            " say which, as in `my-service db upgrade l`."
        )
        target.upgrade("l")
        said = failure(target.db("downgrade", "r@-1"))
        assert said.startswith("There is no way from l to 'r@-1'. Nothing was done: ")
        target.execute("DROP TABLE alembic_history")  # As if plain Alembic had applied it.
        target.upgrade("heads")
        noted = target.query("SELECT revision, direction FROM alembic_history ORDER BY id")
        assert noted == [("a", "stamp"), ("l", "stamp"), ("r", "upgrade")]
        for command, step in (("upgrade", "+1"), ("downgrade", "-1")):
            ended = target.db(command, step)
            assert failure(ended) == (
                f"{step} may mean more than one way from l, r, where the database is: l@{step} or"
                f" r@{step}. Nothing was done: say which, as in `my-service db {command} l@{step}`."
            )
            assert "UserWarning" not in ended.output
        for ended in (target.db("upgrade", "head-1"), target.alembic("upgrade", "head")):
            said = failure(ended)
            assert said.startswith("2 migrations are the last, l and r. Nothing was done: ")
            assert "`my-service db merge` joins them, if they are in use, or" in said
            assert said.endswith(
                "`my-service db upgrade heads` applies all, if they are to stay apart."
            )
        assert target.db("downgrade", "l@-1").code == 0
        assert target.revision == "r"
        follow(lab, "z", ("l", "r"))
        target.upgrade()
        said = failure(target.db("downgrade", "-1"))
        assert said.startswith(
            "-1 may mean more than one way from z, where the database is: l or r."
        )
        assert said.endswith("`my-service db downgrade l`.")
        assert target.db("downgrade", "l").code == 0
        assert places(target) == ["l", "r"]


def places(target: Target) -> list[object]:
    return [row[0] for row in target.query("SELECT version_num FROM alembic_version ORDER BY 1")]


@ON_SQLITE
def test_several_are_stamped(lab: Lab) -> None:
    """From the migration that joins them, or from one of them: Alembic fails, or forgets one."""
    line = {"a": None, "l": "a", "m": "l", "r": "a", "s": "r", "z": ("m", "s")}
    for revision, before in line.items():
        follow(lab, revision, before)
    with lab.fresh() as target:
        target.upgrade()
        for stamped in ("l r", "l s", "m r", "m s", "z", "m s"):
            ended = target.db("stamp", *stamped.split())
            assert ended.code == 0, ended.output
            assert places(target) == stamped.split()
        assert target.db("stamp", "base").code == 0
        target.upgrade()
        script = write_script(target, "stamp", "z:l", "z:r")
        assert script.code == 0, script.errors
        run_script(target, script.output)
        assert places(target) == ["l", "r"]
        pending = {each["revision"] for each in status(target, "behind")["pending"]}
        assert pending == {"m", "s", "z"}


@ON_SQLITE
def test_an_argument_that_is_misspelled(lab: Lab) -> None:
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        for wrong, right in {
            "lock_wait=3": "lock-wait=3",
            "loose=people": "lose=people",
            "other-table=ignore": "other-tables=ignore",
            "norename": "no-rename",
        }.items():
            said = f"-x {wrong} is not known. Nothing was done: write `-x {right}`."
            assert failure(target.alembic("-x", wrong, "upgrade", "head")) == said
            assert failure(target.db("-x", wrong, "baseline")) == said
        for wrong, right in {
            "other-tables": "ignore",
            "resume": "done or again or restart",
        }.items():
            said = failure(target.alembic("-x", f"{wrong}=foo", "upgrade", "head"))
            assert said == f"-x {wrong}=foo: this is not {right}."
        ended = target.alembic("-x", "tenant=name", "-x", "name=1", "upgrade", "head")
        assert ended.code == 0, ended.output
