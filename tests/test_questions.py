"""The questions: what they propose, what they say, and what copying does around them."""

import keyword
import os
import pty
import re
import select
import shlex
import subprocess
import sys
import termios
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path, PurePath
from types import SimpleNamespace

import copier
import pytest
import yaml
from packaging.requirements import Requirement

from .projects import Project
from .questionnaire import Questionnaire, copier_copy

DATABASES = ("sqlite", "postgresql", "mysql", "mariadb")

# What only some of the supported versions of Python have in their standard library.
STANDARD_LIBRARY_OF_SOME = {
    "3.11": ["asynchat", "asyncore", "distutils", "imp", "smtpd"],
    "3.11 and 3.12": [
        *["aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap"],
        *["msilib", "nis", "nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau"],
        *["telnetlib", "uu", "xdrlib"],
    ],
    "3.14": ["annotationlib", "compression"],
}

PLATFORMS: list[dict[str, str]] = [
    {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
]


class TestWording:
    def test_every_question_has_a_help_that_fits_a_terminal(
        self, questionnaire: Questionnaire
    ) -> None:
        for name, question in questionnaire.questions.items():
            lines = question["help"].splitlines()
            assert lines[0].endswith("?"), name
            # Copier puts a picture of three columns in front of the first.
            assert max(len(line) for line in ("   " + lines[0], *lines[1:])) < 80, name

    def test_every_question_has_a_default(self, questionnaire: Questionnaire) -> None:
        assert all("default" in question for question in questionnaire.questions.values())

    def test_every_free_answer_has_a_validator(self, questionnaire: Questionnaire) -> None:
        for name, question in questionnaire.questions.items():
            assert ("validator" in question) != ("choices" in question), name

    def test_the_unknown_are_told_from_all_that_is_asked(
        self, questionnaire: Questionnaire
    ) -> None:
        known = questionnaire.include("known.jinja", _copier_conf=SimpleNamespace(data={}))
        assert known.questions == list(questionnaire.questions)


class TestConfiguration:
    def test_nothing_needs_trust(self, questionnaire: Questionnaire) -> None:
        unsafe = {"_tasks", "_migrations", "_jinja_extensions", "_external_data"}
        assert not unsafe & questionnaire.settings.keys()

    @pytest.mark.parametrize("operation", ["copy", "update"])
    def test_exclusions_bear_a_version_without_the_question(
        self, questionnaire: Questionnaire, operation: str
    ) -> None:
        questionnaire.excluded(_copier_operation=operation)

    def test_seed_once_files_are_kept_by_update_and_recopy_alike(
        self, questionnaire: Questionnaire
    ) -> None:
        copied = questionnaire.excluded(_copier_operation="copy")
        updated = questionnaire.excluded(_copier_operation="update")
        assert updated[len(copied) :] == questionnaire.settings["_skip_if_exists"]

    def test_seed_once_files_exist(
        self, questionnaire: Questionnaire, render: Callable[..., Project]
    ) -> None:
        project = render(audit=True).path
        for pattern in questionnaire.settings["_skip_if_exists"]:
            assert any(project.glob(pattern.lstrip("/"))), pattern

    def test_without_the_example_nothing_of_it_is_rendered(
        self, render: Callable[..., Project]
    ) -> None:
        files = render(example=False).files()
        assert files
        assert not [name for name in files if "users" in name]
        assert not [name for name in files if re.search(r"versions/.*\.py$", name)]


class TestTakenNames:
    def test_they_are_written_as_they_are_compared(self, questionnaire: Questionnaire) -> None:
        lists = questionnaire.include("names.jinja")
        names = [*lists.python.split(), *lists.installed.split(), *lists.reserved.split()]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in names)

    def test_python_itself(self, questionnaire: Questionnaire) -> None:
        running = [*sys.stdlib_module_names, *keyword.kwlist, *keyword.softkwlist]
        others = [name for names in STANDARD_LIBRARY_OF_SOME.values() for name in names]
        assert refused(questionnaire, {*running, *others})

    def test_the_folders_of_a_project(
        self, questionnaire: Questionnaire, render: Callable[..., Project]
    ) -> None:
        folders = {path.name for path in render().path.iterdir() if path.is_dir()}
        assert {"src", "scripts"} <= folders
        assert refused(questionnaire, {name for name in folders if not name.startswith(".")})

    @pytest.mark.parametrize("database", DATABASES)
    def test_all_that_a_service_installs(
        self, questionnaire: Questionnaire, tmp_path: Path, database: str
    ) -> None:
        project = questionnaire.copy(tmp_path / "project", database=database)
        declared = tomllib.loads((project / "pyproject.toml").read_text())
        wanted = [*declared["project"]["dependencies"], *declared["build-system"]["requires"]]
        for group in declared["dependency-groups"].values():
            wanted += [entry for entry in group if isinstance(entry, str)]
        names = names_installed_by(wanted)
        # Of the first, an indirect and a tool; a module and a command with names of their own.
        assert {"fastapi", "starlette", "ruff", "yaml", "mako-render"} <= names
        assert refused(questionnaire, names)


class TestDefaults:
    @pytest.mark.parametrize(
        ("project_name", "slug"),
        [
            ("My Service", "my-service"),
            ("  Bob's  Orders!", "bobs-orders"),
            ("Ürün & Größe", "ueruen-groesse"),
            ("snake_case.dotted", "snake-case-dotted"),
            ("24h Shop", "service-24h-shop"),
            ("123", "service-123"),
            ("日本語", "my-service"),
            ("😀", "my-service"),
            ("--help", "help"),
            ("class", "class-service"),
            ("Test", "test-service"),
            ("FastAPI", "fastapi-service"),
            ("Site Packages", "site-packages-service"),
            ("a" * 41, "a" * 40),
            ("aaaa " * 20, "aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa"),
        ],
    )
    def test_a_slug_is_made_of_any_name(
        self, questionnaire: Questionnaire, project_name: str, slug: str
    ) -> None:
        assert questionnaire.default("project_slug", project_name=project_name) == slug
        assert not questionnaire.complaint("project_slug", slug)

    def test_the_defaults_of_a_taken_name_are_free(self, questionnaire: Questionnaire) -> None:
        lists = questionnaire.include("names.jinja")
        for name in [*lists.python.split(), *lists.installed.split(), *lists.reserved.split()]:
            slug = questionnaire.default("project_slug", project_name=name)
            package = questionnaire.default("package_name", project_slug=slug)
            assert not questionnaire.complaint("project_slug", slug)
            assert not questionnaire.complaint("package_name", package)

    def test_the_package_follows_the_slug(self, questionnaire: Questionnaire) -> None:
        assert (
            questionnaire.default("package_name", project_slug="my-web-service") == "my_web_service"
        )

    def test_the_author_comes_from_the_settings_of_copier(
        self, template: Path, tmp_path: Path
    ) -> None:
        settings = copier.Settings({"user_name": "Zoë {{ 1 }}", "user_email": "zoe@example.org"})
        copier.run_copy(str(template), tmp_path / "a", settings=settings, defaults=True, quiet=True)
        answers = yaml.safe_load((tmp_path / "a" / ".copier-answers.yml").read_text())
        assert answers["author_name"] == "Zoë {{ 1 }}"
        assert answers["author_email"] == "zoe@example.org"

    @pytest.mark.parametrize("value", ["two\nlines", None, "x" * 101])
    def test_an_unusable_setting_is_passed_over(
        self, questionnaire: Questionnaire, value: object
    ) -> None:
        settings = {"user_name": value, "user_email": value}
        for question in ("author_name", "author_email"):
            default = questionnaire.default(question, settings=settings)
            assert not questionnaire.complaint(question, default)


class TestNextSteps:
    @pytest.mark.parametrize("database", DATABASES)
    def test_three_commands_come_next(
        self, questionnaire: Questionnaire, tmp_path: Path, database: str
    ) -> None:
        project = questionnaire.copy(tmp_path / "project", database=database)
        message = questionnaire.include(
            "after_copy.jinja",
            project_name="My Service",
            package_name="my_service",
            database=database,
            _copier_conf=SimpleNamespace(dst_path=PurePath("my folder")),
        )
        commands = [line.strip() for line in str(message).splitlines() if line.startswith("  ")]
        first, second, third = (shlex.split(command, comments=True) for command in commands)
        assert first == ["cd", "my folder"]
        assert third == ["make", "run"]
        makefile = (project / "Makefile").read_text()
        assert re.search("^run:", makefile, re.MULTILINE)
        if database == "sqlite":
            assert second == ["make", "install"]
            assert re.search("^install:", makefile, re.MULTILINE)
        else:
            port = "5432" if database == "postgresql" else "3306"
            assert second[:2] == ["docker", "run"]
            assert f"127.0.0.1:{port}:{port}" in second
            assert re.search(
                rf"^DATABASE_URL={database}://\w+@(localhost|127.0.0.1):{port}/my_service$",
                (project / ".env.example").read_text(),
                re.MULTILINE,
            )
            assert [word for word in second if word.endswith("=my_service")]


class TestPrompts:
    def test_a_refused_answer_is_told_and_ctrl_c_leaves_nothing(
        self, template: Path, tmp_path: Path
    ) -> None:
        with terminal(template, tmp_path, "--data=author_name=A", "--data=author_email=") as typing:
            typing.answer("What is the service called?", "\x15Test \r")
            typing.expect("No spaces at the start or the end")
            typing.send("\x7f\r")
            typing.answer("What does it do", "\r")
            typing.answer("licence?", "\r")
            typing.answer("installed and run?", "\x15alembic\r")
            typing.expect("Taken by a dependency, add a word")
            typing.send("\x03")
            typing.expect("Execution stopped by user")
            assert typing.exit_code() != 0
        assert not list(tmp_path.iterdir())

    def test_return_at_every_prompt_takes_the_defaults(
        self, template: Path, tmp_path: Path, render: Callable[..., Project]
    ) -> None:
        expected = render()
        with terminal(template, tmp_path) as typing:
            for question in expected_questions(template):
                typing.answer(question, "\r")
            typing.expect("make run")
            assert typing.exit_code() == 0
        answers = yaml.safe_load((tmp_path / "project" / ".copier-answers.yml").read_text())
        recorded = yaml.safe_load(expected.read(".copier-answers.yml"))
        assert {**answers, "_src_path": None, "_commit": None} == {
            **recorded,
            "_src_path": None,
            "_commit": None,
        }

    def test_without_a_terminal_it_says_what_to_do(self, template: Path, tmp_path: Path) -> None:
        done = copier_copy(template, tmp_path / "project")
        assert done.returncode == 1
        assert "Use `--defaults` and/or `--data`" in done.stderr.splitlines()[-1]
        assert not (tmp_path / "project").exists()


class TestExistingFolder:
    def test_a_file_is_not_overwritten_without_asking(self, template: Path, tmp_path: Path) -> None:
        mine = {"pyproject.toml": "# mine\n", "notes.txt": "mine\n"}
        project = folder_with(tmp_path, mine)
        done = copier_copy(template, project, "--defaults")
        assert done.returncode == 1
        assert "Consider using `--overwrite`" in done.stderr.splitlines()[-1]
        assert {name: (project / name).read_text() for name in mine} == mine

    def test_a_seed_once_file_stays_and_the_rest_arrives(
        self, template: Path, tmp_path: Path
    ) -> None:
        project = folder_with(tmp_path, {"README.md": "# Mine\n", "notes.txt": "mine\n"})
        done = copier_copy(template, project, "--defaults")
        assert done.returncode == 0, done.stderr
        assert (project / "README.md").read_text() == "# Mine\n"
        assert (project / "notes.txt").read_text() == "mine\n"
        assert (project / "pyproject.toml").is_file()


def refused(questionnaire: Questionnaire, names: set[str]) -> bool:
    """Whether none of the names, however it is written, is a good answer."""
    free = []
    for name in names:
        slug = re.sub("[-_.]+", "-", name).lower()
        if not questionnaire.complaint("project_slug", slug):
            free.append(slug)
        if not questionnaire.complaint("package_name", slug.replace("-", "_")):
            free.append(slug.replace("-", "_"))
    assert not free, f"add to includes/names.jinja: {free}"
    return True


def names_installed_by(requirements: list[str]) -> set[str]:
    """Names of distributions, modules and commands, indirect ones included, on any platform."""
    modules: dict[str, set[str]] = {}
    for module, owners in metadata.packages_distributions().items():
        for owner in owners:
            modules.setdefault(canonical(owner), set()).add(module)
    names: set[str] = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(requirement) for requirement in requirements]
    while waiting:
        requirement = waiting.pop()
        key = (canonical(requirement.name), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        names |= {requirement.name, *modules.get(key[0], ())}
        try:
            distribution = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:
            continue  # of another platform: its name is known, its content is not
        names |= commands(distribution)
        for line in distribution.requires or []:
            dependency = Requirement(line)
            if applies(dependency, requirement.extras):
                waiting.append(dependency)
    return names


def canonical(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def commands(distribution: metadata.Distribution) -> set[str]:
    scripts = distribution.entry_points.select(group="console_scripts")
    binaries = [file for file in distribution.files or [] if file.parent.name == "bin"]
    names = {script.name for script in scripts} | {binary.name for binary in binaries}
    return {name for name in names if "." not in name}  # no answer has a dot


def applies(dependency: Requirement, extras: set[str]) -> bool:
    marker = dependency.marker
    return marker is None or any(
        marker.evaluate({**platform, "extra": extra})
        for platform in PLATFORMS
        for extra in {"", *extras}
    )


def expected_questions(template: Path) -> list[str]:
    settings = yaml.safe_load((template / "copier.yml").read_text())
    questions = [question for name, question in settings.items() if not name.startswith("_")]
    return [question["help"].splitlines()[0] for question in questions]


def folder_with(parent: Path, files: Mapping[str, str]) -> Path:
    folder = parent / "project"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


class Typing:
    """A person at a terminal of 80 columns, in front of `copier copy`."""

    def __init__(self, screen: int, process: subprocess.Popen[bytes]) -> None:
        self._screen = screen
        self._process = process
        self._seen = ""

    def answer(self, question: str, keys: str) -> None:
        self.expect(question)
        self.send(keys)

    def send(self, keys: str) -> None:
        self._seen = ""
        os.write(self._screen, keys.encode())

    def expect(self, text: str) -> None:
        deadline = time.monotonic() + 20
        while text not in self._seen:
            assert time.monotonic() < deadline, f"{text!r} is not in {self._seen!r}"
            if select.select([self._screen], [], [], 0.1)[0]:
                shown = os.read(self._screen, 65536).decode(errors="replace")
                self._seen += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)

    def exit_code(self) -> int:
        return self._process.wait(timeout=20)


@contextmanager
def terminal(template: Path, folder: Path, *options: str) -> Iterator[Typing]:
    screen, device = pty.openpty()
    termios.tcsetwinsize(device, (40, 80))
    process = subprocess.Popen(
        [sys.executable, "-m", "copier", "copy", *options, str(template), "project"],
        cwd=folder,
        env={**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
        stdin=device,
        stdout=device,
        stderr=device,
    )
    os.close(device)
    try:
        yield Typing(screen, process)
    finally:
        process.kill()
        process.wait()
        os.close(screen)
