"""The questions of the template, answered without rendering all of a project."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import copier
import pytest
import yaml
from copier._main import Worker


class Questionnaire:
    """The questions of copier.yml, with Copier's own Jinja environment for their templates."""

    def __init__(self, template: Path, worker: Worker) -> None:
        self._template = template
        self._environment = worker.jinja_env
        self.settings: dict[str, Any] = yaml.safe_load((template / "copier.yml").read_text())
        self.questions = {k: v for k, v in self.settings.items() if not k.startswith("_")}

    def default(
        self, question: str, *, settings: dict[str, Any] | None = None, **so_far: Any
    ) -> str:
        """What Copier proposes after the answers so far, with these defaults in its settings."""
        conf = SimpleNamespace(settings=SimpleNamespace(defaults=settings or {}))
        return self._render(self.questions[question]["default"], _copier_conf=conf, **so_far)

    def complaint(self, question: str, answer: str) -> str:
        """What the validator says to an answer: nothing, if it is good."""
        return self._render(self.questions[question]["validator"], **{question: answer}).strip()

    def include(self, name: str, **context: Any) -> Any:
        """A file of includes/ as Jinja imports it; as a string, what it prints."""
        return self._environment.get_template(f"includes/{name}").make_module(context)

    def excluded(self, **context: Any) -> list[str]:
        """The paths that `_exclude` names in this situation."""
        lines = (self._render(entry, **context) for entry in self.settings["_exclude"])
        return [line for line in "\n".join(lines).splitlines() if line]

    def copy(self, target: Path, **answers: Any) -> Path:
        """Render the files that show free text, as `copier copy` does."""
        copier.run_copy(str(self._template), target, data=answers, defaults=True, quiet=True)
        return target

    def refusal(self, target: Path, **answers: Any) -> str:
        """The sentence that refuses the answers; nothing may be written."""
        with pytest.raises(ValueError, match=r"Validation error|Invalid choice") as caught:
            self.copy(target, **answers)
        assert not target.exists()
        return str(caught.value)

    def _render(self, text: str, **context: Any) -> str:
        return self._environment.from_string(text).render(context)


def copier_copy(
    template: Path, project: Path, *options: str, **answers: str
) -> subprocess.CompletedProcess[str]:
    """`copier copy` as it is typed, by somebody who gives no trust and has no terminal."""
    data = [f"--data={question}={answer}" for question, answer in answers.items()]
    return subprocess.run(
        [sys.executable, "-m", "copier", "copy", *options, *data, str(template), str(project)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="session")
def questionnaire(
    template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Questionnaire]:
    # Out of git and without code, which no free text reaches: both take most of the time.
    folder = tmp_path_factory.mktemp("questions") / "template"
    shutil.copytree(template, folder, ignore=shutil.ignore_patterns(".git"))
    for code in ("src", "tests"):
        shutil.rmtree(folder / "template" / code)
    with Worker(src_path=str(folder), dst_path=folder / "nothing") as worker:
        yield Questionnaire(folder, worker)
