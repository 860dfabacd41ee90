"""docs/zoo.md says what is tested, and what plain Alembic does."""

import re

from .zoo import PAGE, page, plain, written


def test_plain_alembic_does_what_the_page_says(database: str, database_url: str) -> None:
    assert dict(plain(database, database_url)) == written()[database]


def test_the_page_is_new() -> None:
    """Write it anew: `.venv/bin/python -m tests.write.zoo`."""
    assert PAGE.read_text() == page(written())


def test_there_are_enough() -> None:
    assert len(re.findall(r"^\| (?!---|Change|Migration)", PAGE.read_text(), re.M)) >= 30
