"""What is rendered: complete, well-formed, and nothing that the answers did not ask for."""

import ast
import json
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from copier._main import Worker
from jinja2 import meta

from .profiles import DATABASES, HOSTILE, NAMED, PROFILES, Answers
from .projects import Project, Renderer
from .template import git

# What belongs to one kind of database alone.
DRIVERS = {
    "sqlite": ("aiosqlite", "sqlite3"),
    "postgresql": ("psycopg",),
    "mysql": ("asyncmy", "pymysql"),
}
# What one answer alone brings.
FILES = {
    "server": [
        "src/*/migrations/toolkit/apply/blockers.py",
        "src/*/migrations/toolkit/write/circles.py",
        "src/*/migrations/toolkit/write/names.py",
    ],
    "example": ["src/*/users/*", "src/*/migrations/versions/*", "tests/users/*"],
    "sqlite": [
        "src/*/migrations/toolkit/apply/backup.py",
        "src/*/migrations/toolkit/apply/batch.py",
        "src/*/migrations/toolkit/apply/rehearsal.py",
    ],
    "postgresql": [
        "src/*/migrations/toolkit/apply/concurrently.py",
        "src/*/migrations/toolkit/review/squawk.py",
        "src/*/migrations/toolkit/write/cast_defaults.py",
        "src/*/migrations/toolkit/write/native_enums.py",
        "src/*/migrations/toolkit/write/other_schemas.py",
    ],
    "mysql": [
        "src/*/migrations/toolkit/apply/journal/*",
        "src/*/migrations/toolkit/apply/sessions.py",
        "src/*/migrations/toolkit/write/implicit_defaults.py",
        "src/*/migrations/toolkit/write/dependents.py",
        "src/*/migrations/toolkit/write/key_indexes.py",
    ],
}
COPIER_NAMES = {
    "_copier_answers",
    "_copier_conf",
    "_copier_operation",
    "_copier_phase",
    "_external_data",
    "_folder_name",
    "UNSET",
    "nothing",  # is not there on purpose: includes/known.jinja refuses with it
}


@pytest.fixture(
    params=[
        pytest.param(answers, id=name, marks=[] if name in NAMED else pytest.mark.slow)
        for name, answers in PROFILES.items()
    ]
)
def answers(request: pytest.FixtureRequest) -> Answers:
    profile: Answers = request.param
    return profile


@pytest.fixture
def project(renderer: Renderer, answers: Answers) -> Project:
    """Not a copy: nothing here changes it."""
    return renderer.look(answers)


def test_no_trace_of_the_template(project: Project) -> None:
    texts = _without(project, [str(answer) for answer in project.answers.values()])
    for name, text in texts.items():
        # `{{8}}` is an f-string's.
        assert not re.search(r"{[%#]|{{ ?[a-z_]", text), name
        assert not re.search(r"\b(Undefined|copier_conf|jinja)\b", text, re.IGNORECASE), name
    # Values that were forgotten show themselves outside of code.
    for name in ("pyproject.toml", "LICENSE", ".env.example", "Makefile"):
        assert not re.search(r"\bNone\b", texts[name]), name


def test_text_files_are_tidy(project: Project) -> None:
    for name in project.files():
        content = (project.path / name).read_bytes()
        text = content.decode("utf-8")
        if Path(name).name in ("py.typed", "__init__.py") and not text:
            continue
        assert text.endswith("\n"), name
        assert not text.endswith("\n\n"), name
        assert not text.startswith("\n"), name
        assert "\r" not in text, name
        assert not re.search(r"[ \t]$", text, re.MULTILINE), name
        assert "\n\n\n\n" not in text, name


def test_no_folder_is_empty(project: Project) -> None:
    """Of what was not asked for nothing is left."""
    for folder in project.path.rglob("*"):
        assert not folder.is_dir() or any(folder.iterdir()), folder


def test_names_of_files_are_portable(project: Project) -> None:
    names = project.files()
    assert len({name.lower() for name in names}) == len(names)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9._/-]+", name), name


def test_every_file_parses(project: Project) -> None:
    for name in project.files():
        text = project.read(name)
        if name.endswith(".py"):
            ast.parse(text, name)
        elif name.endswith(".toml"):
            tomllib.loads(text)
        elif name.endswith((".yml", ".yaml")):
            yaml.safe_load(text)
        elif name.endswith(".json"):
            json.loads(text)


def test_metadata_is_what_was_answered(project: Project) -> None:
    answers = project.answers
    metadata = tomllib.loads(project.read("pyproject.toml"))["project"]
    assert metadata["name"] == answers["project_slug"]
    assert metadata["description"] == answers["description"]
    assert metadata["scripts"] == {answers["project_slug"]: f"{answers['package_name']}.cli:main"}
    author = {"name": answers["author_name"], "email": answers["author_email"]}
    wanted = [{key: value for key, value in author.items() if value}]
    assert metadata.get("authors", [{}]) == wanted
    assert yaml.safe_load(project.read(".copier-answers.yml")).items() >= answers.items()


def test_nothing_of_the_other_databases(project: Project) -> None:
    own = "mysql" if project.answers["database"] == "mariadb" else project.answers["database"]
    foreign = [word for name, words in DRIVERS.items() if name != own for word in words]
    texts = _without(project, [])
    for name, text in texts.items():
        assert not [word for word in foreign if word in text], name
    assert any(DRIVERS[own][0] in text for text in texts.values())


def test_the_example_leaves_nothing_behind(project: Project) -> None:
    users = re.compile(r"\busers?\b", re.IGNORECASE)
    named = [name for name in project.files() if users.search(name)]
    assert bool(named) == project.answers["example"]
    if project.answers["example"]:
        return
    texts = _without(project, [str(answer) for answer in project.answers.values()])
    # README and the tests may show how to add a feature: what they import must exist.
    for name, text in texts.items():
        if name.endswith(".py"):
            assert not re.search(r"\b(from|import) [\w.]*\busers\b", text), name


def test_no_rendered_file_is_ignored_by_git(project: Project, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    git(tmp_path, f"--work-tree={project.path}", "add", "--all")
    assert sorted(git(tmp_path, "ls-files").splitlines()) == project.files()


def test_lines_of_documents_keep_apart(project: Project) -> None:
    """A tag of Jinja's at the end of a line takes the end with it."""
    for name, text in _without(project, []).items():
        if name.endswith(".md"):
            assert not re.search(r"\S\n#{2,} |\S- [A-Z]", text), name


@pytest.mark.slow
@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("example", [True, False], ids=["example", "empty"])
def test_files_that_answers_select(renderer: Renderer, database: str, example: bool) -> None:
    """Each option has its files, and all that is left is the same for everybody."""
    chosen = {"mysql" if database == "mariadb" else database, *(["example"] if example else [])}
    chosen |= {"server"} if database != "sqlite" else set()
    files = renderer.look({"database": database, "example": example}).files()
    for option, patterns in FILES.items():
        for pattern in patterns:
            found = [name for name in files if fnmatch(name, pattern)]
            assert bool(found) == (option in chosen), pattern
    basic = renderer.look({"database": "sqlite", "example": False}).files()
    assert _not_of_options(files) == _not_of_options(basic)


def test_hostile_texts_reach_the_readme_unharmed(renderer: Renderer) -> None:
    heading = renderer.look(HOSTILE).read("README.md").splitlines()[0]
    assert re.sub(r"\\(\W)", r"\1", heading) == f"# {HOSTILE['project_name']}"


def test_templates_name_only_what_copier_knows(template: Path) -> None:
    """Every path and body parses, and no name is misspelt: StrictUndefined sees only what runs."""
    worker = Worker(src_path=str(template), dst_path=Path("unused"))
    environment = worker.jinja_env
    sources = {
        path.relative_to(template).as_posix(): path.read_text() if path.suffix == ".jinja" else ""
        for folder in ("template", "includes")
        for path in (template / folder).rglob("*")
        if path.is_file()
    }
    # What one file sets, those that it includes may use.
    set_somewhere = set(re.findall(r"{%-? set (\w+)", "".join(sources.values())))
    known = COPIER_NAMES | set(worker.template.questions_data) | set_somewhere
    for path, body in sources.items():
        for source in (path, body):
            unknown = meta.find_undeclared_variables(environment.parse(source)) - known
            assert not unknown, path


def test_nothing_needs_trust(template: Path) -> None:
    settings = yaml.safe_load((template / "copier.yml").read_text())
    assert not {"_tasks", "_migrations", "_jinja_extensions"} & set(settings)
    assert settings["_envops"]["undefined"] == "jinja2.StrictUndefined"


def test_seed_once_files_are_excluded_on_update_and_skipped_if_there(template: Path) -> None:
    settings = yaml.safe_load((template / "copier.yml").read_text())
    (on_update,) = [entry for entry in settings["_exclude"] if "_copier_operation" in entry]
    excluded = [line for line in on_update.splitlines() if not line.startswith("{%")]
    assert excluded == settings["_skip_if_exists"]


def test_python_without_answers_is_no_jinja(template: Path) -> None:
    """A file that depends on no answer stays one that editors and linters understand."""
    for path in (template / "template").rglob("*.jinja"):
        assert re.search(r"{[{%]", path.read_text()), path


def test_no_free_text_in_code_and_workflows(template: Path) -> None:
    free = re.compile(r"\b(project_name|description|author_name|author_email)\b")
    sources = [
        *(template / "template").rglob("*.py.jinja"),
        *(template / "template" / ".github").rglob("*.jinja"),
        *(template / "includes").rglob("*.py"),
    ]
    assert sources
    for source in sources:
        expressions = re.findall(r"{[{%].*?[}%]}", source.read_text())
        assert not [text for text in expressions if free.search(text)], source


def test_the_lock_has_what_projects_install(renderer: Renderer) -> None:
    """Else a new release of a dependency would change the outcome of the tests."""
    locked = set(re.findall(r"^([a-z0-9-]+)==", Path("requirements.txt").read_text(), re.MULTILINE))
    for database in DATABASES:
        declared = tomllib.loads(renderer.look({"database": database}).read("pyproject.toml"))
        groups = declared["dependency-groups"]
        # What `dev` does not include, nobody gets who has not asked for it.
        installed = [groups[each["include-group"]] for each in groups["dev"]]
        entries = [
            *declared["project"]["dependencies"],
            *declared["build-system"]["requires"],
            *(entry for group in installed for entry in group),
        ]
        names = {re.split(r"[\[<>=~! ]", entry)[0] for entry in entries if isinstance(entry, str)}
        assert names <= locked


def _not_of_options(files: list[str]) -> set[str]:
    patterns = [pattern for option in FILES.values() for pattern in option]
    return {name for name in files if not any(fnmatch(name, pattern) for pattern in patterns)}


def _without(project: Project, answers: list[str]) -> dict[str, str]:
    """The text of every file without Mako's template, and without what the user answered."""
    texts = {name: project.read(name) for name in project.files() if not name.endswith(".mako")}
    texts.pop(".copier-answers.yml")
    for answer in sorted(filter(None, answers), key=len, reverse=True):
        shown = (answer, json.dumps(answer, ensure_ascii=False), _escaped(answer))
        for form in shown:
            texts = {name: text.replace(form, "") for name, text in texts.items()}
    return texts


def _escaped(text: str) -> str:
    """As includes/q.jinja writes it in Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>|~&!#])", r"\\\1", text)
