"""What was released is kept: projects have it, and follow the template with it."""

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml
from pathspec import GitIgnoreSpec

from .profiles import DATABASES
from .projects import Project, Renderer
from .questionnaire import Questionnaire
from .template import SNAPSHOT, git, releases

# Migrations that the template brings.
INBOX = re.compile(r".*/migrations/template/.*\.py")
EVERYTHING = {"audit": True}

each_release = pytest.mark.parametrize("version", [f"v{version}" for version in releases()])


@pytest.fixture
def old(renderer: Renderer, version: str) -> Project:
    return renderer.look(asked(renderer, version, EVERYTHING), version)


@pytest.fixture
def new(renderer: Renderer) -> Project:
    return renderer.look(EVERYTHING)


def asked(renderer: Renderer, version: str, answers: dict[str, Any]) -> dict[str, Any]:
    """Those of the answers that this version knows a question for."""
    questions = configuration(renderer, version)
    return {name: answer for name, answer in answers.items() if name in questions}


def configuration(renderer: Renderer, version: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(git(renderer.template, "show", f"{version}:copier.yml"))
    return found


@each_release
@pytest.mark.parametrize("database", DATABASES)
def test_migrations_that_were_brought_never_change(
    renderer: Renderer, version: str, database: str
) -> None:
    answers = {**EVERYTHING, "database": database}
    before = renderer.look(asked(renderer, version, answers), version)
    after = renderer.look(answers)
    for name in before.files():
        if INBOX.fullmatch(name):
            assert after.read(name) == before.read(name), name


@pytest.mark.parametrize("audit", [True, False])
@pytest.mark.parametrize("example", [True, False])
def test_a_new_project_has_what_the_inbox_brings(
    renderer: Renderer, audit: bool, example: bool
) -> None:
    """Under the same id, written down in the lock, and in the chain."""
    project = renderer.look({"audit": audit, "example": example})
    brought = {migrations(project.read(name)) for name in project.files() if INBOX.fullmatch(name)}
    own = {migrations(project.read(name)) for name in project.files() if "/versions/" in name}
    assert bool(brought) == audit
    assert brought == set(locked(project))
    assert brought <= own
    head = project.read("src/my_service/migrations/head.txt").splitlines()[1:]
    assert head == (locked(project) or (["8c1d5e0f42ab"] if example else []))


def migrations(text: str) -> str:
    [revision] = [
        node.value.value
        for node in ast.parse(text).body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id == "revision"
        and isinstance(node.value, ast.Constant)
    ]
    return str(revision)


def locked(project: Project) -> list[str]:
    names = [name for name in project.files() if name.endswith("/template.lock")]
    return [line for name in names for line in project.read(name).splitlines()[1:]]


@each_release
def test_new_questions_keep_what_projects_have(renderer: Renderer, version: str) -> None:
    before, after = configuration(renderer, version), configuration(renderer, SNAPSHOT)
    for name in after.keys() - before.keys():
        if not name.startswith("_"):
            assert after[name]["default"] is False, name


@each_release
def test_paths_leave_only_to_their_owners(
    old: Project, new: Project, questionnaire: Questionnaire
) -> None:
    """A path that is excluded stays in projects; the toolkit's modules are nobody's to keep."""
    released = GitIgnoreSpec.from_lines(
        questionnaire.excluded(_copier_operation="update", **EVERYTHING)
    )
    for name in set(old.files()) - set(new.files()):
        assert released.match_file(name) or "/migrations/toolkit/" in name, name


@each_release
def test_what_files_of_the_owner_import_is_there(
    old: Project, new: Project, questionnaire: Questionnaire
) -> None:
    """In a minor release; these files stay as they were."""
    owned = GitIgnoreSpec.from_lines(questionnaire.settings["_skip_if_exists"])
    found = [
        (name, module, imported)
        for name in old.files()
        if owned.match_file(name) and name.endswith(".py")
        for module, imported in imports(name, old.read(name))
    ]
    assert len(found) > 20
    for name, module, imported in found:
        assert provides(new, module, imported), f"{name}: {module} has no {imported}"


def imports(name: str, text: str) -> Iterator[tuple[PurePosixPath, str]]:
    """Each module of the project, and a name that is imported from it."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.ImportFrom):
            continue
        words = (node.module or "").split(".") if node.module else []
        if node.level:
            folder = PurePosixPath(name).parents[node.level - 1]
        elif words[0] == "my_service":
            folder = PurePosixPath("src")
        else:
            continue
        for alias in node.names:
            yield folder.joinpath(*words), alias.name


def provides(project: Project, module: PurePosixPath, name: str) -> bool:
    files = set(project.files())
    if f"{module / name}.py" in files or f"{module / name}/__init__.py" in files:
        return True
    path = f"{module}.py" if f"{module}.py" in files else f"{module}/__init__.py"
    return path in files and name in set(defined(project.read(path)))


def defined(text: str) -> Iterator[str]:
    for node in ast.parse(text).body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield name
            case ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (alias.asname or alias.name for alias in names)
