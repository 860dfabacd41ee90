"""Every migration on filled tables, up, down and up again: what fails on rows, and what loses them."""

from collections.abc import Iterator, Mapping
from traceback import extract_tb

import sqlalchemy as sa
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from .... import driver
from ..apply.failure import is_about_database
from ..scripts import title
from ..throwaway import Way, run_step
from .fill import Filler, Given, all_tables
from .losses import Contents, broken_views, losses, read

#: The made-up rows may be what is wrong.
GIVEN = (
    "If a column never holds what is made up here, say what it does, in a fixture `given_values` of"
    " tests/conftest.py"
)


class FailedError(Exception):
    """A migration that works on empty tables only."""


class Walk:
    """Through the history of an empty database, from its beginning to the heads."""

    def __init__(self, config: Config, connection: sa.Connection, given: Given) -> None:
        config.attributes["connection"] = connection
        self._config = config
        self._connection = connection
        self._scripts = ScriptDirectory.from_config(config)
        self._filler = Filler(connection, given)
        self._contents: Contents = {}
        self._broken: list[str] = []

    def findings(self) -> Iterator[str]:
        """A sentence for each thing that is wrong."""
        for script in reversed(list(self._scripts.walk_revisions())):
            name = f"Migration {title(script)}"
            try:
                lost = self._go_there_and_back(script)
            except FailedError as error:
                yield f"{name}: {error}"
                return  # What comes after builds upon it.
            found = (*_undeclared(script, lost), *_unanswered(script))
            yield from (f"{name}: {sentence}" for sentence in found)
        with self._connection.begin():
            self._filler.fill()  # Now, not when the next migration comes, its author knows the table.

    def _go_there_and_back(self, script: Script) -> dict[str, str]:
        """What was lost on the way, by table or table.column."""
        with self._connection.begin():
            filled = self._filler.fill()
            before = {**self._contents, **read(self._connection, filled)}
        lost: dict[str, str] = {}
        # Down from a merge there are two ways, and it changes nothing.
        ways: dict[str, Way] = {"upgrade()": "upgrade"}
        if not script.is_merge_point and hasattr(script.module, "downgrade"):
            ways |= {"downgrade()": "downgrade", "after downgrade(), upgrade()": "upgrade"}
        for call, way in ways.items():
            try:
                run_step(self._config, self._scripts, script, way)
            except (DBAPIError, CommandError) as error:
                why = driver.reason(error) if isinstance(error, DBAPIError) else str(error)
                why = why.partition("\n")[0].rstrip(".")
                raise FailedError(
                    f"{call} fails on tables that have rows: {why}. {GIVEN}"
                ) from error
            except Exception as error:
                if isinstance(error, NotImplementedError) and not is_about_database(error):
                    break  # The migration says that there is no way back.
                frames = extract_tb(error.__traceback__)
                lines = [frame.lineno for frame in frames if frame.filename == script.path]
                if not lines:
                    raise
                raise FailedError(
                    f"{call} fails on tables that have rows, in line {lines[-1]}: {error!r}. {GIVEN}"
                ) from error
            with self._connection.begin():
                self._contents = read(self._connection, all_tables(self._connection))
                known, self._broken = self._broken, broken_views(self._connection)
            for what, how in losses(before, self._contents):
                lost.setdefault(what, f"{call} {how}")
            for view in self._broken:
                if view not in known:
                    lost.setdefault(view, f"{call} leaves the view {view}, which works no more")
        return lost


def _undeclared(script: Script, lost: Mapping[str, str]) -> Iterator[str]:
    declared: Mapping[str, str] = getattr(script.module, "loses", {})
    for what, how in lost.items():
        if what not in declared and what.rpartition(".")[0] not in declared:
            yield f'{how}. If that is meant, write into the file: loses = {{"{what}": "<reason>"}}'
    for what, reason in declared.items():
        if not reason.strip():
            yield f"it gives no reason for the loss of {what}"
        if not any(what in {each, each.rpartition(".")[0]} for each in lost):
            yield f"it says that it loses {what}, and does not: take that out of `loses`"


def _unanswered(script: Script) -> Iterator[str]:
    """Autogenerate leaves the reasons empty, for somebody to think of."""
    risks: Mapping[str, str] = getattr(script.module, "risks", {})
    for what, reason in risks.items():
        if not reason.strip():
            yield f"it does not say why the risk for {what} may be taken: write that into `risks`"
