"""What a command finds in its way: exit code 1, where 2 is for what could not be looked at."""

from alembic.util import CommandError


class RefusedError(CommandError):
    """Nothing was done, for the reason that was found."""
