"""What the database gives and takes, as text that gives it back."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

#: More of them would not fit into a packet.
MAX_VALUES = 100_000
#: Before the fingerprint of all values together.
SUMMARY = "all:"
_TAG = "$"


def dump(value: Any) -> str:
    return json.dumps(value, default=_tagged, separators=(",", ":"))


def load(text: str) -> Any:
    return json.loads(text, object_hook=_untagged)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def fingerprints(parameters: Any) -> list[str]:
    """Of each value: they tell what has changed, and the journal holds no secret."""
    prints = [digest(repr(value))[:16] for value in _flat(parameters)]
    return prints if len(prints) <= MAX_VALUES else [SUMMARY + digest("".join(prints))]


def _flat(parameters: Any) -> Iterator[Any]:
    if isinstance(parameters, Mapping):
        parameters = parameters.values()
    if isinstance(parameters, Iterable) and not isinstance(parameters, str | bytes | bytearray):
        for value in parameters:
            yield from _flat(value)
    else:
        yield parameters


#: NULL is never a value that was made anew.
NULL = fingerprints([None])[0]


def _tagged(value: Any) -> dict[str, Any]:
    match value:
        case bytes():
            return {_TAG: "bytes", "value": value.hex()}
        case datetime() | date():
            return {_TAG: type(value).__name__, "value": value.isoformat()}
        case timedelta():
            return {_TAG: "timedelta", "value": [value.days, value.seconds, value.microseconds]}
        case _:
            return {_TAG: type(value).__name__, "value": str(value)}


_MAKERS: dict[str, Callable[[Any], Any]] = {
    "bytes": bytes.fromhex,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "timedelta": lambda parts: timedelta(*parts),
    "Decimal": Decimal,
}


def _untagged(pairs: dict[str, Any]) -> Any:
    return _MAKERS.get(pairs[_TAG], str)(pairs["value"]) if _TAG in pairs else pairs
