"""Copying: a person at the prompts, a folder that is there already, and what is said at the end."""

import os
import pty
import re
import select
import shlex
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath
from types import SimpleNamespace

import pytest
import yaml

from .projects import Project
from .questionnaire import Questionnaire, copier_copy
from .servers import DATABASES


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
