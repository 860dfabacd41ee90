"""What the README of a project says is done, word by word."""

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from .apply.lab import Launcher
from .migrations import Migrations
from .projects import Project

Render = Callable[..., Project]

pytestmark = pytest.mark.slow

BLOCK = re.compile(
    r"(?:^`(?P<file>[^`\n]+)`\n\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)


@dataclass
class Step:
    """A file to write, or commands to run."""

    file: str
    text: str


def steps(readme: str, heading: str) -> Iterator[Step]:
    _, _, rest = readme.partition(f"## {heading}")
    assert rest, f"README has no {heading}"
    section = re.split(r"^## ", rest, maxsplit=1, flags=re.M)[0]
    for block in BLOCK.finditer(section):
        if block["kind"] == "sh":
            yield Step("", block["text"])
        else:
            assert block["file"], f"which file is this?\n{block['text']}"
            yield Step(block["file"], block["text"])


# What the steps say is the same for each database, and takes long: each of the four once.
@pytest.mark.parametrize("database", ["postgresql", "mysql"], indirect=True)
def test_a_feature_is_added(render: Render, database: str, database_url: str) -> None:
    _add_the_feature(render, database, database_url, example=True)


@pytest.mark.parametrize("database", ["sqlite", "mariadb"], indirect=True)
def test_a_first_feature_is_added(render: Render, database: str, database_url: str) -> None:
    _add_the_feature(render, database, database_url, example=False)


def _add_the_feature(render: Render, database: str, url: str, *, example: bool) -> None:
    project = render(database=database, example=example).install()
    feature = "orders" if example else "notes"
    found = list(steps(project.read("README.md"), f"Add a feature: {feature}"))
    assert len(found) == 8
    commands = []
    for step in found:
        if step.file:
            (project.path / step.file).write_text(step.text)
        else:
            commands += [line for line in step.text.splitlines() if line != "make run"]
            for command in step.text.splitlines():
                if command != "make run":
                    project.run("sh", "-c", command, url=url, UV_NO_SYNC="1")
    assert {shlex.split(command)[0] for command in commands} == {"mkdir", "touch", "make"}
    project.run("alembic", "check", url=url)
    with project.serve(url) as client:
        assert client.get(f"/{feature}").json() == {"items": [], "next": None}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_alembic_works_as_its_tutorial_says(
    render: Render, database: str, database_url: str
) -> None:
    """That the table names them; what they do on each database: `test_tutorial.py`."""
    project = render(database=database)
    rows = re.findall(r"^\| (`alembic .+`) \| the same", project.read("README.md"), re.M)
    commands = [command for row in rows for command in re.findall(r"`alembic ([^`]+)`", row)]
    assert len(commands) >= 15
    with closing(Launcher(project)) as launcher:
        m = Migrations(project, database_url, launcher)
        for command in commands:
            if "--autogenerate" in command:
                models = project.package / "users" / "models.py"
                models.write_text(models.read_text() + "    age: Mapped[int | None]\n")
            if "--autogenerate" in command or "check" in command:
                m.alembic("upgrade", "head")
            if "merge" not in command:  # there is nothing to merge
                newest = m.alembic("heads")[:4]
                m.alembic(*shlex.split(command.replace("ae1", newest)))


def test_every_setting_is_explained(render: Render) -> None:
    project = render().install()
    listed = project.run(
        "python",
        "-c",
        "from my_service.config import Settings; print(*Settings.model_fields)",
    ).stdout.split()
    explained = re.findall(r"^#?([A-Z_]+)=", project.read(".env.example"), re.M)
    assert sorted(explained) == sorted(name.upper() for name in listed)


def test_every_target_is_named(render: Render) -> None:
    project = render()
    targets = re.findall(r"^\.PHONY: (\S+)$", project.read("Makefile"), re.M)
    named = re.findall(r"make ([a-z-]+)", project.read("README.md"))
    assert set(targets) <= {*named, "install"}
    assert set(named) <= set(targets)
