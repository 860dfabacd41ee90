"""Sets of answers that the tests render: named ones, and every pair of choices."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any

Answers = dict[str, Any]

DATABASES = ("sqlite", "postgresql", "mariadb", "mysql")
EXAMPLE = (True, False)
AUDIT = (False, True)
LICENSES = ("Proprietary", "MIT", "Apache-2.0", "BSD-3-Clause")

# The shortest and the longest names move line ends and the order of imports.
SHORT = {"project_slug": "q", "package_name": "q"}
LONG = {"project_slug": f"z{'9' * 38}z", "package_name": f"z{'_9' * 19}z"}
# Sorts before every dependency, and differs from the slug.
EARLY = {"project_slug": "the-a", "package_name": "a_a"}
NAMES: Mapping[str, Answers] = {"usual": {}, "short": SHORT, "long": LONG, "early": EARLY}

HOSTILE = {
    "project_name": """Ann's "first" \\ {{ 7*7 }} {% raw %} ${{ x }} #1: 100% <b> `id` $(id) 😀""",
    "description": """- 'a' "b" \\n: # {# x #} %(y)s \"\"\" ''' ]]> שלום | yes & ~ {{ undefined }}""",
    "author_name": """O'Neil "X" <Ł> \\ {{ 1 }}""",
    "author_email": "o'neil+{{tag}}#1@example.org",
}
PLAIN = {
    "project_name": "Orders",
    "description": "Takes orders.",
    "author_name": "Ada",
    "author_email": "",
}
TEXTS: Mapping[str, Answers] = {"default": {}, "plain": PLAIN, "hostile": HOSTILE}

DEFAULT: Answers = {}
MINIMAL: Answers = {"example": False, **SHORT}
SERVER: Answers = {"database": "postgresql", "license": "MIT", **PLAIN}
HARDEST: Answers = {
    "database": "mariadb",
    "audit": True,
    "license": "Apache-2.0",
    **LONG,
    **HOSTILE,
}

_CHOICES: dict[str, Sequence[Any]] = {
    "database": DATABASES,
    "license": LICENSES,
    "names": tuple(NAMES),
    "texts": tuple(TEXTS),
    "example": EXAMPLE,
    "audit": AUDIT,
}


def _pairwise(choices: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Few rows in which every two choices of different questions meet at least once."""
    rows = [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]
    pairs = {pair for row in rows for pair in combinations(row.items(), 2)}
    while pairs:
        best = max(rows, key=lambda row: len(pairs.intersection(combinations(row.items(), 2))))
        pairs.difference_update(combinations(best.items(), 2))
        yield best


def _answers(row: Mapping[str, Any]) -> Answers:
    questions = {name: row[name] for name in ("database", "license", "example", "audit")}
    return {**questions, **NAMES[row["names"]], **TEXTS[row["texts"]]}


def _label(row: Mapping[str, Any]) -> str:
    words = [str(value) for value in row.values() if not isinstance(value, bool)]
    words += ["audit"] if row["audit"] else []
    return "-".join(words if row["example"] else [*words, "empty"])


NAMED: dict[str, Answers] = {
    "default": DEFAULT,
    "minimal": MINIMAL,
    "server": SERVER,
    "hardest": HARDEST,
}
PAIRS: dict[str, Answers] = {_label(row): _answers(row) for row in _pairwise(_CHOICES)}
PROFILES: dict[str, Answers] = {**NAMED, **PAIRS}
