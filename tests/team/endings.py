"""How a command of the team's ended."""

from ..apply.launcher import Ended


def refuses(ended: Ended, *parts: str, code: int = 1) -> None:
    """2: it could not look."""
    assert ended.code == code, ended.output
    assert all(part in ended.output for part in parts), ended.output
    assert ended.output.count("\n") == 1


def succeed(ended: Ended) -> str:
    assert ended.code == 0, ended.output
    return ended.output
