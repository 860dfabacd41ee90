"""`db history`: who has applied and undone what, beside the migrations."""

import json
import re
from pathlib import Path

import pytest

from .lab import Lab
from .launcher import Ended
from .test_deploy import elsewhere, failure
from .test_undo import NO_PEOPLE, NO_PHONE, ON_SQLITE, PEOPLE, PHONE

pytestmark = pytest.mark.slow


@pytest.fixture
def applied(lab: Lab) -> Lab:
    lab.write("r1", PEOPLE, NO_PEOPLE)
    lab.write("r2", PHONE, NO_PHONE)
    lab.write("r3", "pass")
    return lab


def _without_times(ended: Ended) -> list[str]:
    assert ended.code == 0, ended.output
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ by \S+ on \S+", "<then>", ended.output)
    return re.sub(r", in [\d.]+ s", ", in <time>", text).splitlines()


def test_history(applied: Lab) -> None:
    with applied.fresh() as target:
        target.upgrade("r2", RELEASE="1.0")
        target.db("downgrade", "-1", RELEASE="2.0")
        assert _without_times(target.db("history")) == [
            "r2 -> r3 (head)",
            "    not applied",
            "r1 -> r2",
            "    undone <then> with release 2.0, in <time>",
            "<base> -> r1",
            "    applied <then> with release 1.0, in <time>",
        ]
        target.upgrade("r2", RELEASE="3.0")
        assert target.db("stamp", "r3", RELEASE="3.0").code == 0
        applied.write("r1", PEOPLE.replace("Ada", "Eve"), NO_PEOPLE)
        assert _without_times(target.db("history", "-i")) == [
            "r2 -> r3 (head) (current)",
            "    stamped as applied <then> with release 3.0",
            "r1 -> r2",
            "    applied <then> with release 3.0, in <time>",
            "<base> -> r1",
            "    applied <then> with release 1.0, in <time>",
            "    the file was edited since",
        ]
        everything = _without_times(target.db("history", "--verbose", "-r", "r1:r2"))
        about_r2 = everything.index("    applied <then> with release 1.0, in <time>")
        assert everything[about_r2 : about_r2 + 3] == [
            "    applied <then> with release 1.0, in <time>",
            "    undone <then> with release 2.0, in <time>",
            "    applied <then> with release 3.0, in <time>",
        ]
        facts = json.loads(target.db("history", "--json").output)
        assert [(each["revision"], each["applied"], each["edited"]) for each in facts] == [
            ("r3", True, False),
            ("r2", True, False),
            ("r1", True, True),
        ]
        assert [row["release"] for row in facts[1]["log"]] == ["1.0", "2.0", "3.0"]


@ON_SQLITE
def test_a_range_that_is_none(applied: Lab) -> None:
    with applied.fresh() as target:
        assert "nowhere" in failure(target.db("history", "-r", "nowhere:head"))
        assert "-r 27c6:head" in failure(target.db("history", "-r", "r1"))
        assert target.db("history", "-r", "current:").output.count("not applied") == 3
        target.upgrade("r1")
        assert _without_times(target.db("history", "-r", ":current"))[0] == "<base> -> r1"


@ON_SQLITE
def test_history_of_another_release(applied: Lab) -> None:
    with applied.fresh() as target:
        target.upgrade(RELEASE="2.0")
        (applied.project.package / "migrations" / "versions" / "r3.py").unlink()
        assert _without_times(target.db("history"))[:2] == [
            "r3, which this release does not have",
            "    applied <then> with release 2.0, in <time>",
        ]


def test_history_without_a_database(applied: Lab) -> None:
    lines = [
        "r2 -> r3 (head)",
        "r1 -> r2",
        "<base> -> r1",
    ]
    nowhere = "/nowhere/app.db" if applied.database == "sqlite" else "nowhere"
    with applied.fresh() as target:
        unreachable = elsewhere(target, database=nowhere)
    ended = unreachable.db("history")
    assert ended.code == 0
    assert ended.output.splitlines()[-3:] == lines
    assert "This is what the files know. " in ended.output
    assert "Traceback" not in ended.output
    failure(unreachable.db("history", "-i"))
    assert unreachable.db("history", DATABASE_URL="nonsense").output.splitlines()[-3:] == lines


@ON_SQLITE
def test_an_editor_that_has_no_name(lab: Lab, tmp_path: Path) -> None:
    """As where none is set: what is usually there is looked for."""
    lab.write("r1", "pass")
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\n")
    editor.chmod(0o755)
    with lab.fresh() as target:
        ended = target.db("edit", "r1", EDITOR="", PATH=str(tmp_path))
        assert ended.code == 0, ended.output
