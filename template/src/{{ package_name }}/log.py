"""One form for every log line: readable on a terminal, JSON otherwise."""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from .config import Settings

SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
]


def configure(settings: Settings) -> None:
    """Send structlog's and the standard library's lines to standard error, in one form."""
    shared, renderers = _terminal() if sys.stderr.isatty() else _json()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_colours,
                *renderers,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=settings.log_level, force=True)
    logging.captureWarnings(True)
    # With --reload it counts the files that changed; uvicorn names them.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        # Servers that were started without `serve` have set up their own lines.
        logging.getLogger(name).handlers.clear()
        # The request's own line says more than the server's.
        logging.getLogger(name).propagate = name != "uvicorn.access"


def _terminal() -> tuple[list[Processor], list[Processor]]:
    time = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
    # Rich's traceback takes seconds, and shows what passwords the functions hold.
    traceback = structlog.dev.plain_traceback
    return [*SHARED, time], [
        structlog.dev.ConsoleRenderer(sort_keys=False, exception_formatter=traceback)
    ]


def _json() -> tuple[list[Processor], list[Processor]]:
    time = structlog.processors.TimeStamper(fmt="iso", utc=True)
    return [*SHARED, time], [
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        _in_order,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]


def _without_colours(_: Any, __: str, line: EventDict) -> EventDict:
    line.pop("color_message", None)  # uvicorn's second form of the same message
    return line


def _in_order(_: Any, __: str, line: EventDict) -> EventDict:
    """For who reads JSON with their own eyes."""
    first = ("timestamp", "level", "logger", "message")
    return {**{name: line.pop(name) for name in first}, **line}
