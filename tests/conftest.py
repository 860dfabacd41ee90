"""The template's own tests: projects are rendered from a snapshot of the working tree and used."""

import os

import pytest

# What projects run is compiled once, as on most machines.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Begun first, so that no process is left with one of them when the others have ended.
LONGEST = {
    "test_the_page",
    "test_a_long_history",
    "test_changes",
    "test_a_second_schema",
    "test_its_own_tests_pass",
    "test_fuzz",
    "test_a_feature_is_added",
    "test_a_first_feature_is_added",
    "test_an_update",
    "test_an_option_is_switched_off_and_on_again",
    "test_after_recopy",
    "test_a_fresh_checkout_runs_and_heals",
    "test_two_commands_on_a_bare_machine",
    "test_releases_are_not_skipped",
}

pytest_plugins = [
    "tests.databases",
    "tests.projects",
    "tests.questionnaire",
    "tests.rounds",
    "tests.services",
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: getattr(item, "originalname", "") not in LONGEST)
