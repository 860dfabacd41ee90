"""Alembic and SQLAlchemy warn of what they leave out, and the toolkit does not."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

MESSAGES = (
    "autogenerate skipping",
    "Skipped unsupported reflection",
    # Of a type that only an extension or the application knows.
    "Did not recognize type",
    "Unnamed CHECK constraint on reflected",
    # Tables that refer to each other: what is made of them is in an order that works.
    "Cannot correctly sort tables",
    # On PostgreSQL: in a migration it is said whether they are stored.
    "Computed column .* is being created as 'STORED'",
)


@contextmanager
def without_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        for message in MESSAGES:
            warnings.filterwarnings("ignore", message)
        yield
