"""What was said on the command line, of `db` or of plain `alembic`."""

import shlex
import signal
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from threading import current_thread, main_thread
from typing import Any

from alembic import context
from alembic.config import Config
from alembic.util import CommandError

from ... import DISTRIBUTION

#: What `-x` may say, with the values, where not every one will do; env.py may read others.
VALUES: dict[str, tuple[str, ...]] = {
    "lock-wait": (),
    "lose": (),
    "no-rename": (),
    "other-tables": ("ignore",),
    "rename": (),
    "resume": ("done", "again", "restart"),
    "wait": (),
}
#: What `db` has as options as well.
WAITS = {
    "wait": "how long to wait for a server that is not there yet",
    "lock-wait": "how long to wait for another migration, and for locks (MIGRATION_LOCK_WAIT)",
}
#: As shells say it of Ctrl-C, which SIGTERM is taken for.
INTERRUPTED = 130
#: To a question; whatever else is said, it is asked again.
ANSWERS = {"y": True, "yes": True, "": False, "n": False, "no": False}


@contextmanager
def interruptible(options: Namespace, *, changes: bool) -> Iterator[None]:
    """Who stops the command is told what to do next.

    A program that calls Alembic's command line may have a handler of its own, or do it in a thread.
    """
    wants_traceback = options.raiseerr
    is_default = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    is_ours = is_default and current_thread() is main_thread()
    if is_ours:
        # As whoever stops a container says it: by default a process 1 would not hear it.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt as interruption:
        if wants_traceback:
            raise
        what_next = "run the same command again"
        if changes:
            what_next += ", and it completes what was begun"
        print(f"INTERRUPTED: {str(interruption) or what_next}.", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    finally:
        if is_ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def refuse_misspelled(arguments: Iterable[str]) -> None:
    for argument in arguments:
        name, equals, value = argument.partition("=")
        for known in get_close_matches(name.replace("_", "-"), VALUES, n=1, cutoff=0.85):
            if name != known:
                right = f"-x {known}{equals}{value}"
                raise CommandError(
                    f"-x {argument} is not known. Nothing was done: write `{right}`."
                )
            if VALUES[known] and value not in VALUES[known]:
                raise CommandError(f"-x {argument}: this is not {' or '.join(VALUES[known])}.")


def seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ValueError(text)
    return number


def given_seconds(name: str, *, default: float) -> float:
    """From `db upgrade --name 60`, or from `alembic -x name=60 upgrade head`."""
    option: float | None = _option(name)
    if option is not None:
        return option
    text = given_last(name)
    if text is None:
        return default
    try:
        return seconds(text)
    except ValueError:
        raise CommandError(f"-x {name}={text}: this is not a number of seconds.") from None


def given(name: str) -> list[str]:
    """From `--name value`, which may be said more than once, or from `-x name=value`."""
    options: list[str] = _option(name) or []
    arguments = (argument.partition("=") for argument in context.get_x_argument())
    return [*options, *(value for key, _, value in arguments if key == name)]


def given_last(name: str) -> str | None:
    values = given(name)
    return values[-1] if values else None


def ignores_other_tables(config: Config) -> bool:
    return "other-tables=ignore" in (getattr(config.cmd_opts, "x", None) or ())


def line(*command: str, also: Iterable[str] = (), lose: Iterable[str] = ()) -> str:
    """The same command, or another one, to be copied; with more of `-x`."""
    # `resume` is about what was seen before, and not about what has been done since.
    once = ("lose=", "resume=")
    said = (each for each in context.get_x_argument() if not each.startswith(once))
    arguments = [*said, *also]
    if is_plain_alembic():
        arguments += [f"lose={name}" for name in lose]
        return shlex.join(["alembic", *_each("-x", arguments), *command])
    options = [*_waits(), *_each("--lose", lose)]
    return shlex.join([DISTRIBUTION, "db", *_each("-x", arguments), *command, *options])


def again(*arguments: str) -> str:
    """The command that writes a migration."""
    message = _option("message") or "..."
    return line("revision", "--autogenerate", "-m", message, also=arguments)


def agrees(question: str, so_far: str) -> bool:
    """At a terminal, whose Ctrl-C says what has been done so far; Ctrl-D raises EOFError."""
    try:
        while (answer := input(f"{question} [y/N] ").strip().lower()) not in ANSWERS:
            print("Say y or n.")
    except EOFError:
        print()
        raise
    except KeyboardInterrupt:
        print()
        raise KeyboardInterrupt(so_far) from None
    return ANSWERS[answer]


def _each(option: str, values: Iterable[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def _option(name: str) -> Any:
    return getattr(context.config.cmd_opts, name.replace("-", "_"), None)


def _waits() -> list[str]:
    given = {name: _option(name) for name in WAITS}
    return [
        word
        for name, value in given.items()
        if value is not None
        for word in (f"--{name}", f"{value:g}")
    ]


def is_plain_alembic() -> bool:
    """Which has an option for its configuration file."""
    return hasattr(context.config.cmd_opts, "config")
