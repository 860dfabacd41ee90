"""What a command finds in its way: exit code 1, where 2 is for what could not be looked at."""

from alembic.util import CommandError

from ... import DISTRIBUTION


class RefusedError(CommandError):
    """Nothing was done, for the reason that was found."""


def incomplete(direction: str, revision: str) -> RefusedError:
    """Another migration was interrupted, and comes first."""
    target = revision if direction == "upgrade" else f"{revision}-1"
    return RefusedError(
        f"The {direction} of {revision} was interrupted: complete it first, with"
        f" `{DISTRIBUTION} db {direction} {target}`."
    )
