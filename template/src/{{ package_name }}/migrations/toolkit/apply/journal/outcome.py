"""What a statement gave to the migration, to give it again in a later run."""

import base64
import zlib
from typing import Any

from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy
from sqlalchemy.engine.default import DefaultExecutionContext

from . import values
from .wire import Wire

Outcome = dict[str, Any]

#: A longer one is compressed.
MAX_LENGTH = 1_000_000
# JSON does not begin with it.
_COMPRESSED = "zlib:"
#: Of a statement that was not heard of any more.
NOTHING: Outcome = {"rowcount": 0, "lastrowid": 0}
#: What is kept of one that is too long. Older releases kept a digest of it.
LOST = values.dump({"digest": None})


def take(
    cursor: Any, context: DefaultExecutionContext, variables: list[str], wire: Wire
) -> Outcome:
    """The result is read to its end here: the journal's next statement would discard the rest."""
    outcome = {"rowcount": cursor.rowcount, "lastrowid": cursor.lastrowid}
    if cursor.description:
        description, rows = cursor.description, list(cursor.fetchall())
        outcome |= {"description": description, "rows": rows}
        _answer(context, description, rows)
    if variables:
        outcome["variables"] = wire.run(f"SELECT {', '.join(variables)}")[0]
    return outcome


def dump(outcome: Outcome, wire: Wire) -> str:
    """At most half of what a packet may hold: the rest of the entry goes with it."""
    text = values.dump(outcome)
    if len(text) <= MAX_LENGTH:
        return text
    text = _COMPRESSED + base64.b64encode(zlib.compress(text.encode(), level=1)).decode()
    [(packet,)] = wire.run("SELECT @@max_allowed_packet")
    return text if len(text) <= packet // 2 else LOST


def load(text: str) -> Outcome:
    if text.startswith(_COMPRESSED):
        text = zlib.decompress(base64.b64decode(text.removeprefix(_COMPRESSED))).decode()
    outcome: Outcome = values.load(text)
    return outcome


def is_lost(outcome: Outcome) -> bool:
    return "digest" in outcome


def give(
    outcome: Outcome,
    cursor: Any,
    context: DefaultExecutionContext,
    variables: list[str],
    wire: Wire,
) -> None:
    """Raises what the statement raised."""
    if "error" in outcome:
        raise _error(outcome, wire)
    cursor.rowcount = outcome["rowcount"]
    cursor.lastrowid = outcome["lastrowid"]
    if "description" in outcome:
        description = [tuple(column) for column in outcome["description"]]
        _answer(context, description, [tuple(row) for row in outcome["rows"]])
    if "variables" in outcome:
        assignments = ", ".join(f"{variable} = %s" for variable in variables)
        wire.run(f"SET {assignments}", *outcome["variables"])


def of_error(error: Any) -> Outcome:
    return {"error": [type(error).__name__, *error.args]}


def _error(outcome: Outcome, wire: Wire) -> BaseException:
    name, *arguments = outcome["error"]
    error: BaseException = getattr(wire.errors, name)(*arguments)
    return error


def _answer(context: DefaultExecutionContext, description: Any, rows: list[Any]) -> None:
    context.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(None, description, rows)
