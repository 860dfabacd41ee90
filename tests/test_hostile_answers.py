"""What is none of the choices is refused; what is typed on the command line is taken as it is."""

from pathlib import Path

import pytest
import yaml

from .questionnaire import Questionnaire, copier_copy


@pytest.mark.parametrize("answers", [{"database": "oracle"}, {"license": "GPL"}, {"database": ""}])
def test_another_choice_is_refused(
    questionnaire: Questionnaire, tmp_path: Path, answers: dict[str, str]
) -> None:
    assert "Invalid choice for" in questionnaire.refusal(tmp_path / "project", **answers)


@pytest.mark.parametrize("answer", ["maybe", "", "none", "2", "{{ true }}", "falsch"])
def test_neither_true_nor_false_is_refused(
    questionnaire: Questionnaire, tmp_path: Path, answer: str
) -> None:
    assert questionnaire.refusal(tmp_path / "project", example=answer).endswith("true or false.")


@pytest.mark.slow
@pytest.mark.parametrize(
    "answers",
    [
        {
            "project_name": '{{ 7*7 }} "$(id)" שלום 😀',
            "description": "\\ ' # : %(x)s `id` ${{ a }}",
        },
        {"project_name": "--help", "author_name": "yes", "author_email": "%a@example.org"},
    ],
)
def test_the_command_line_gives_what_was_typed(
    template: Path, tmp_path: Path, answers: dict[str, str]
) -> None:
    done = copier_copy(template, tmp_path / "project", "--defaults", **answers)
    assert done.returncode == 0, done.stderr
    recorded = yaml.safe_load((tmp_path / "project" / ".copier-answers.yml").read_text())
    assert answers.items() <= recorded.items()
    for source in (tmp_path / "project").rglob("*.py"):
        compile(source.read_text(), source, "exec")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"project_name": "", "database": "mysql"}, "Type something: this cannot be empty."),
        ({"project_slug": "mako"}, "Taken by a dependency, add a word: mako-service would do."),
        ({"datbase": "mysql"}, "example, audit."),
    ],
)
def test_the_command_line_ends_in_the_sentence(
    template: Path, tmp_path: Path, answers: dict[str, str], sentence: str
) -> None:
    done = copier_copy(template, tmp_path / "project", "--defaults", **answers)
    assert done.returncode != 0
    assert done.stderr.rstrip().splitlines()[-1].endswith(sentence)
    assert not (tmp_path / "project").exists()
