"""Two branches with a migration each, and a database that has been on both."""

import pytest

from .branches import ADD, DROP, HEAD_FILE, Branches, on_sqlite, versions
from .endings import succeed

pytestmark = pytest.mark.slow


@on_sqlite
def test_merge(branches: Branches) -> None:
    lab = branches.lab
    with lab.fresh() as target:
        assert "Nothing to merge" in succeed(target.db("merge"))
        branches.merge()
        target.upgrade("r4")
        said = succeed(target.db("merge"))
        [merge] = set(versions(lab).iterdir()) - set(versions(lab).glob("r?.py"))
        assert "merge_step_r4_and_step_r7" in merge.name
        assert said.endswith("Added to git's index, as the conflict is settled.\n")
        status = branches.git("status", "--short")
        assert f"M  {HEAD_FILE}" in status
        assert f"A  {merge.relative_to(lab.project.path)}" in status
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
