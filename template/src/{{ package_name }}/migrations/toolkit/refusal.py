"""What a command finds in its way: exit code 1, where 2 is for what could not be looked at."""

import sys

from alembic.util import CommandError

from ... import DISTRIBUTION

NESTED = "What may fail goes into `with op.get_bind().begin_nested():`, which undoes that much."


class RefusedError(CommandError):
    """Nothing was done, for the reason that was found."""


class RollbackRefusedError(CommandError):
    """A migration rolls back, by itself, or since an error makes SQLAlchemy's session do so."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.reason = sys.exception()


def incomplete(direction: str, revision: str) -> RefusedError:
    """Another migration was interrupted, and comes first."""
    target = revision if direction == "upgrade" else f"{revision}-1"
    return RefusedError(
        f"The {direction} of {revision} was interrupted: complete it first, with"
        f" `{DISTRIBUTION} db {direction} {target}`."
    )
