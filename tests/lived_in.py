"""A first year: what a team edits in its project, and what the template changes meanwhile.

The edits are at the places made for them, and where people make them anyway: a raised floor, a
changed default, a line of the log. Each leaves words by which it is recognised.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """An edit, or a change."""

    name: str
    #: The file, from the project's folder; `*` is the package's.
    file: str
    #: By which it is recognised there.
    words: str
    do: Callable[[Path], None]

    def path(self, project: Path, package: str) -> Path:
        return project / self.file.replace("*", package)

    def is_in(self, project: Path, package: str) -> bool:
        path = self.path(project, package)
        return path.exists() and self.words in path.read_text()


def replace(old: str, new: str, path: Path) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{path}: {old!r} is there {text.count(old)} times"
    path.write_text(text.replace(old, new))


def below(anchor: str, line: str, path: Path) -> None:
    found = _anchor(anchor, path)
    replace(f"{found}\n", f"{found}\n{line}\n", path)


def above(anchor: str, line: str, path: Path) -> None:
    found = _anchor(anchor, path)
    replace(f"{found}\n", f"{line}\n{found}\n", path)


def _anchor(words: str, path: Path) -> str:
    beginning = f"# This service's own{f' {words}' if words else ':'}"
    lines = path.read_text().splitlines()
    [found] = [line for line in lines if line.strip().startswith(beginning)]
    return found


def add(text: str, path: Path) -> None:
    before = path.read_text() if path.exists() else ""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(before + text)


def write(text: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def step(name: str, file: str, words: str, do: Callable[..., None], *given: str) -> Step:
    return Step(name, file, words, partial(do, *given))


MAIN = "src/*/main.py"
CONFIG = "src/*/config.py"
LOG = "src/*/log.py"
USERS = "src/*/users/service.py"
MAKO = "src/*/migrations/script.py.mako"
PYPROJECT = "pyproject.toml"
MIGRATION_TESTS = "tests/test_migrations.py"
FLOOR = '"structlog>=26.1"'
HEADS = "assert len(heads) < 2"
FEATURE = """\
from sqlalchemy.orm import Mapped, mapped_column

from ..database import Base


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
"""

EDITS = [
    step("a dependency", PYPROJECT, "stripe>=9", below, "dependencies", '    "stripe>=9",'),
    step(
        "a tool",
        PYPROJECT,
        '"ipython>=9"',
        replace,
        '{ include-group = "tool" },\n',
        '{ include-group = "tool" },\n    "ipython>=9",\n',
    ),
    step("a raised floor", PYPROJECT, '"structlog>=26.2"', replace, FLOOR, '"structlog>=26.2"'),
    step("a lint rule", PYPROJECT, '    "PD",', below, "rules", '    "PD",'),
    step("a lint exception", PYPROJECT, '    "E731",', below, "exceptions:", '    "E731",'),
    step(
        "a lint exception in tests",
        PYPROJECT,
        '    "S311",',
        below,
        "exceptions in tests",
        '    "S311",',
    ),
    step("an option of pytest", PYPROJECT, "--maxfail=9", below, "options", '    "--maxfail=9",'),
    step(
        "a filter of pytest",
        PYPROJECT,
        "ignore::FutureWarning",
        below,
        "filters",
        '    "ignore::FutureWarning",',
    ),
    step(
        "an exclusion of coverage",
        PYPROJECT,
        "def __repr__",
        below,
        "exclusions",
        '    "def __repr__",',
    ),
    step(
        "an override of mypy",
        PYPROJECT,
        'module = "stripe.*"',
        add,
        '\n[[tool.mypy.overrides]]\nmodule = "stripe.*"\nignore_missing_imports = true\n',
    ),
    step("a setting", CONFIG, "stripe_key", below, "settings", '    stripe_key: str = ""'),
    step("another default", CONFIG, "default=9000", replace, "default=8000", "default=9000"),
    step("an explained setting", ".env.example", "STRIPE_KEY=", below, "settings", "#STRIPE_KEY="),
    step("an ignored file", ".gitignore", "uploads/", below, "", "uploads/"),
    step(
        "a target",
        "project.mk",
        "stripe-listen",
        add,
        ".PHONY: stripe-listen\nstripe-listen:\n\tstripe listen\n",
    ),
    step(
        "a recipe",
        "Makefile",
        "--host 0.0.0.0",
        replace,
        "serve --reload $(RUN_ARGS)",
        "serve --reload --host 0.0.0.0 $(RUN_ARGS)",
    ),
    step("the README", "README.md", "How we sell", write, "# How we sell\n"),
    step(
        "a middleware",
        MAIN,
        "GZipMiddleware)",
        replace,
        "    web.install(app, settings)\n",
        "    web.install(app, settings)\n    app.add_middleware(GZipMiddleware)\n",
    ),
    step(
        "a resource",
        MAIN,
        "open_stripe",
        replace,
        "yield {**state}",
        "async with open_stripe() as stripe:\n                yield {**state, **stripe}",
    ),
    step(
        "a fixture",
        "tests/conftest.py",
        "def stripe",
        add,
        '\n\n@pytest.fixture\ndef stripe() -> str:\n    return "test"\n',
    ),
    step(
        "an option of Alembic",
        "src/*/migrations/env.py",
        "compare_type=False",
        replace,
        "    target_metadata=load_models,\n",
        "    target_metadata=load_models,\n    compare_type=False,\n",
    ),
    step(
        "the form of migrations", MAKO, "Ticket:", replace, "Create Date:", "Ticket:\nCreate Date:"
    ),
    step("a feature", "src/*/orders/models.py", "class Order", add, FEATURE),
    step(
        "the example",
        USERS,
        "no such customer",
        replace,
        "There is no such user.",
        "There is no such customer.",
    ),
    step(
        "the log",
        LOG,
        '"botocore"',
        replace,
        '    logging.getLogger("watchfiles").setLevel(logging.WARNING)\n',
        '    logging.getLogger("watchfiles").setLevel(logging.WARNING)\n    logging.getLogger("botocore").setLevel(logging.WARNING)\n',
    ),
    step(
        "a test of the template",
        MIGRATION_TESTS,
        "len(heads) == 1",
        replace,
        HEADS,
        "assert len(heads) == 1",
    ),
    step("a container", "Dockerfile", "FROM ours", add, "FROM ours\n"),
]

CHANGES = [
    step("a dependency", PYPROJECT, "orjson>=4", above, "dependencies", '    "orjson>=4",'),
    step("raised floors", PYPROJECT, '"structlog>=26.9"', replace, FLOOR, '"structlog>=26.9"'),
    step("a lint rule", PYPROJECT, '    "YTT",', above, "rules", '    "YTT",'),
    step(
        "an option of pytest", PYPROJECT, "--strict-data", above, "options", '    "--strict-data",'
    ),
    step(
        "an exclusion of coverage",
        PYPROJECT,
        "assert_never",
        above,
        "exclusions",
        '    "assert_never",',
    ),
    step(
        "a setting",
        CONFIG,
        "statement_timeout",
        above,
        "settings",
        "    statement_timeout: float = 30\n",
    ),
    step(
        "another default",
        CONFIG,
        "2048 * 1024",
        replace,
        "default=1024 * 1024",
        "default=2048 * 1024",
    ),
    step(
        "an explained setting",
        ".env.example",
        "STATEMENT_TIMEOUT=",
        above,
        "settings",
        "#STATEMENT_TIMEOUT=30\n",
    ),
    step("an ignored file", ".gitignore", ".profile/", above, "", ".profile/\n"),
    step(
        "a target",
        "Makefile",
        "profile:",
        replace,
        ".PHONY: format\n",
        ".PHONY: profile\nprofile: ## Profile\n\ttrue\n\n.PHONY: format\n",
    ),
    step(
        "a recipe",
        "Makefile",
        "--durations=5",
        replace,
        "pytest -n auto --cov $(TEST_ARGS)",
        "pytest -n auto --cov --durations=5 $(TEST_ARGS)",
    ),
    step(
        "a middleware",
        "src/*/web.py",
        "Timing)",
        replace,
        "    app.add_middleware(HeadAsGet)\n",
        "    app.add_middleware(HeadAsGet)\n    app.add_middleware(Timing)\n",
    ),
    step(
        "a fix",
        "src/*/errors.py",
        "class Gone",
        replace,
        "class Conflict(Problem):",
        "class Gone(Problem):\n    status = HTTPStatus.GONE\n\n\nclass Conflict(Problem):",
    ),
    step(
        "the log",
        LOG,
        "logging.NOTSET",
        replace,
        "    logging.captureWarnings(True)\n",
        "    logging.captureWarnings(True)\n    logging.disable(logging.NOTSET)\n",
    ),
    step(
        "a test of the template",
        MIGRATION_TESTS,
        "len(heads) <= 1",
        replace,
        HEADS,
        "assert len(heads) <= 1",
    ),
    step(
        "a fixture",
        "tests/plugin.py",
        "def frozen_clock",
        add,
        "\n\n@pytest.fixture\ndef frozen_clock() -> None: ...\n",
    ),
    step(
        "a module of the toolkit",
        "src/*/migrations/toolkit/later.py",
        "LATER",
        add,
        "LATER = True\n",
    ),
    step("a container", "Dockerfile", "FROM theirs", add, "FROM theirs\n"),
    step("the README", "README.md", "A better README", write, "# A better README\n"),
    step(
        "the example",
        USERS,
        "No user has this id.",
        replace,
        "There is no such user.",
        "No user has this id.",
    ),
    step("the form of migrations", MAKO, "Author:", replace, "Revises:", "Author:\nRevises:"),
]

#: Both mean another thing with the same line: somebody has to choose.
CONFLICTS = {
    ("a raised floor", "raised floors"),
    ("a test of the template", "a test of the template"),
    ("a container", "a container"),
}
#: In files that are the team's from the first commit on.
NOT_DELIVERED = {"the README", "the example", "the form of migrations"}


def pairs() -> Iterable[tuple[Step, Step]]:
    """An edit and a change of one file; files are merged one by one."""
    return ((edit, change) for edit in EDITS for change in CHANGES if edit.file == change.file)
