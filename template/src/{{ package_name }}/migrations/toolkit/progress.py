"""What is shown of a command while it works, where no ini file says how to log."""

import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event, Thread

logger = logging.getLogger(__name__)

# Not what Alembic says of its set-up.
LOGGERS = [logging.getLogger(name) for name in ("alembic.autogenerate", __package__)]

#: How often it is said that a migration still runs, in seconds: in a log, and on a terminal.
INTERVAL = 10
INTERVAL_ON_TERMINAL = 1
CLEAR_LINE = "\r\x1b[K"


class Progress:
    """The migration under way."""

    def __init__(self) -> None:
        self._running: tuple[int, int, str, float] | None = None

    @contextmanager
    def running(self, number: int, count: int, step: object) -> Iterator[None]:
        line = str(step).partition("\n")[0]
        logger.info("Running %d of %d: %s", number, count, line)
        self._running = (number, count, line, time.monotonic())
        try:
            yield
        finally:
            self._running = None

    def say(self) -> None:
        if self._running:
            number, count, line, begun = self._running
            seconds = time.monotonic() - begun
            if seconds >= 1:
                logger.info("Running %d of %d for %.0f s: %s", number, count, seconds, line)


@contextmanager
def shown() -> Iterator[Progress]:
    """On standard error: standard output belongs to what the command answers."""
    on_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    handler = Terminal() if on_terminal else logging.StreamHandler(sys.stderr)
    handler.addFilter(partial(_shows_alone, handler))
    interval = INTERVAL_ON_TERMINAL if on_terminal else INTERVAL
    for each in LOGGERS:
        each.addHandler(handler)
        each.setLevel(logging.INFO)
    progress, over = Progress(), Event()
    thread = Thread(target=_say_now_and_then, args=(progress, interval, over), daemon=True)
    thread.start()
    try:
        yield progress
    finally:
        over.set()
        thread.join()
        for each in LOGGERS:
            each.removeHandler(handler)
        handler.close()


def _shows_alone(handler: logging.Handler, record: logging.LogRecord) -> bool:
    """Unless another, as env.py or a migration may add one, shows it in the same place."""
    logger: logging.Logger | None = logging.getLogger(record.name)
    while logger:
        if any(_shows(each, record) for each in logger.handlers if each is not handler):
            return False
        logger = logger.parent if logger.propagate else None
    return True


def _shows(handler: logging.Handler, record: logging.LogRecord) -> bool:
    """Of others nobody knows; to ask a filter may change what it says next time."""
    if type(handler) is not logging.StreamHandler or handler.filters:
        return False
    return handler.stream is sys.stderr and record.levelno >= handler.level


def _say_now_and_then(progress: Progress, interval: float, over: Event) -> None:
    while not over.wait(interval):
        progress.say()


class Terminal(logging.Handler):
    """One line for the migrations that run, written anew; what else is said goes above it."""

    def __init__(self) -> None:
        super().__init__()
        self._line = ""

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if record.name == __name__:
            self._line = text[: shutil.get_terminal_size().columns - 1]
            text = ""
        sys.stderr.write(f"{CLEAR_LINE}{text}{chr(10) if text else ''}{self._line}")
        sys.stderr.flush()

    def close(self) -> None:
        if self._line:
            sys.stderr.write("\n")
            self._line = ""  # Python closes what there is once more.
        super().close()
