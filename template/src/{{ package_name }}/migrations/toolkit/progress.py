"""Alembic's progress for whoever sits before it, where no ini file says how to log."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Not all of Alembic's: what it says of its set-up is noise.
NAMES = ("alembic.runtime.migration", "alembic.autogenerate", __package__)
LOGGERS = [logging.getLogger(name) for name in NAMES]


@contextmanager
def shown() -> Iterator[None]:
    """On standard error: standard output belongs to what the command answers."""
    handler = logging.StreamHandler(sys.stderr)
    for logger in LOGGERS:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger in LOGGERS:
            logger.removeHandler(handler)
