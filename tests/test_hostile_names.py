"""Any name of a distribution or package works, or is refused by a sentence and writes nothing."""

import tomllib
from pathlib import Path

import pytest

from .questionnaire import Questionnaire

# In no spelling a name, neither for a distribution nor for a package.
REFUSED_NAMES = [
    "",
    " ",
    "1",
    "1a",
    "2026-11-24",
    "1.0",
    "a.b",
    "a b",
    " a",
    "a ",
    "A",
    "MyService",
    "-",
    "-a",
    "--help",
    "a-",
    "a--b",
    "_",
    "_a",
    "a_",
    "a__b",
    "__init__",
    "a-b_c",
    "../x",
    "..",
    ".",
    "/etc",
    "a/b",
    "~",
    "a\\b",
    "C:\\x",
    "a\n",
    "\na",
    "a\nb",
    "a\tb",
    "a\x00",
    "a;b",
    "a:b",
    "a@b",
    "a%b",
    "a+b",
    "a,b",
    "a#b",
    "a'b",
    'a"b',
    "$(id)",
    "`id`",
    "{{ a }}",
    "{% a %}",
    "*",
    "naïve",
    "日本",
    "שלום",
    "\u0430bc",  # a Cyrillic letter that looks like a
    "\uff41bc",  # a fullwidth one
    "\U0001d4b6bc",  # a mathematical one
    "a\u0661",  # an Arabic digit
    "a\u0131",  # a dotless i
    "a\u200bb",
    "😀",
    "a" * 41,
]

# Of each kind some; test_taken_names.py compares the whole list with what is installed.
TAKEN_NAMES = {
    "Python itself": [
        "class",
        "none",
        "await",
        "match",
        "type",
        "json",
        "test",
        "distutils",
        "asynchat",
        "imp",
        "annotationlib",
        "compression",
        "py_compile",
        "python",
        "pip",
    ],
    "a dependency": [
        "fastapi",
        "alembic",
        "sqlalchemy",
        "pytest",
        "uv",
        "ruff",
        "asyncmy",
        "aiosqlite",
        "psycopg",
        "starlette",
        "mako",
        "yaml",
        "pyyaml",
        "dotenv",
        "greenlet",
        "cffi",
        "pluggy",
        "pathspec",
        "mypyc",
        "stubgen",
        "pydantic_core",
        "typing-extensions",
        "mako-render",
    ],
    "a folder or tool": [
        "tests",
        "conftest",
        "site-packages",
        "build",
        "dist",
        "src",
        "docs",
        "make",
        "git",
        "mysql",
    ],
}


@pytest.mark.parametrize("name", [*REFUSED_NAMES, "my_service"])
def test_a_slug_is_refused(questionnaire: Questionnaire, name: str) -> None:
    complaint = questionnaire.complaint("project_slug", name)
    assert complaint.startswith("Like my-service: lowercase letters, digits and single hyphens,")


@pytest.mark.parametrize("name", [*REFUSED_NAMES, "my-service"])
def test_a_package_name_is_refused(questionnaire: Questionnaire, name: str) -> None:
    complaint = questionnaire.complaint("package_name", name)
    assert complaint.startswith(
        "Like my_service: lowercase letters, digits and single underscores,"
    )


@pytest.mark.parametrize(
    ("owner", "name"), [(owner, name) for owner, names in TAKEN_NAMES.items() for name in names]
)
def test_a_taken_name_is_refused(questionnaire: Questionnaire, owner: str, name: str) -> None:
    slug, package = name.replace("_", "-"), name.replace("-", "_")
    complaint = questionnaire.complaint("project_slug", slug)
    assert complaint == f"Taken by {owner}, add a word: {slug}-service would do."
    complaint = questionnaire.complaint("package_name", package)
    assert complaint == f"Taken by {owner}, add a word: {package}_service would do."


@pytest.mark.parametrize("question", ["author_email", "project_slug", "package_name"])
@pytest.mark.parametrize(
    "answer", ["1.0", "a b", "../x", "/etc", "\na", "{{ a }}", "日本", "a" * 300]
)
def test_a_refused_name_writes_nothing(
    questionnaire: Questionnaire, tmp_path: Path, question: str, answer: str
) -> None:
    assert ": Like " in questionnaire.refusal(tmp_path / "project", **{question: answer})


@pytest.mark.parametrize("name", ["class", "json", "alembic", "mako", "tests"])
def test_a_taken_name_writes_nothing(
    questionnaire: Questionnaire, tmp_path: Path, name: str
) -> None:
    assert ": Taken by " in questionnaire.refusal(tmp_path / "project", project_slug=name)
    assert ": Taken by " in questionnaire.refusal(tmp_path / "project", package_name=name)


@pytest.mark.parametrize("name", ["a", "app", "x1", "a1", "users", "a" * 40])
def test_an_unusual_name_works(questionnaire: Questionnaire, tmp_path: Path, name: str) -> None:
    project = questionnaire.copy(tmp_path / "project", project_slug=name)
    declared = tomllib.loads((project / "pyproject.toml").read_text())
    assert declared["project"]["name"] == name
    assert declared["project"]["scripts"] == {name: f"{name}.cli:main"}
