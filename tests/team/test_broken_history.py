"""Files that make no history, and the file that names the last migration."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ..apply.lab import Lab
from ..projects import Project
from .branches import CREATE, FIRST_LINE, HEAD_FILE, head_file, on_sqlite, spoil, versions
from .endings import succeed

pytestmark = pytest.mark.slow


def copy(lab: Lab, revision: str, name: str) -> None:
    (versions(lab) / name).write_text((versions(lab) / f"{revision}.py").read_text())


BROKEN: dict[str, tuple[Callable[[Lab], None], str]] = {
    "missing": (
        lambda lab: spoil(lab, "r2", "'r1'", "'r0'"),
        "r2.py follows migration r0, which no file is.",
    ),
    "dependency": (
        lambda lab: spoil(lab, "r2", "'r1'", "'r1'\ndepends_on = 'r0'"),
        "`git log --all -Sr0` finds who has it), or correct `depends_on`.",
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
