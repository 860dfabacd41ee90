"""The questions: how they are worded and set up, and what they propose."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import copier
import pytest
import yaml

from .projects import Project
from .questionnaire import Questionnaire


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
