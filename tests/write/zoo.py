"""Changes of every kind: what plain Alembic makes of them, and what is made of them here.

What happens here the other tests of this folder prove, from the same data; what plain Alembic does
`test_zoo.py` finds out. As a script it writes docs/zoo.md anew, and asks the empty databases of
SQLITE_URL, POSTGRESQL_URL, MYSQL_URL and MARIADB_URL; where one is not set, the page is believed.
"""

import os
import re
import warnings
from collections.abc import Iterable, Iterator
from types import SimpleNamespace

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations
from alembic.operations.ops import OpContainer
from alembic.runtime.migration import MigrationContext

from ..review.cases import CASES, FILES
from ..rows.histories import FOUND, HISTORIES
from ..servers import driver_url
from ..template import ROOT
from .steps import COLLATIONS, STEPS, Step, tables

PAGE = ROOT / "docs" / "zoo.md"
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB"}
LETTERS = {"P": "PostgreSQL", "M": "MySQL, MariaDB", "S": "SQLite"}
NONE = "–"

UNSEEN, REPLACED, WRITTEN = "does not see it", "drops it and adds another", "writes it"


def plain(database: str, url: str) -> Iterator[tuple[str, str]]:
    """Each step, and what Alembic makes of it with its own defaults."""
    steps = [step for step in STEPS if database in step.databases]
    engine = sa.create_engine(driver_url(url), poolclass=sa.NullPool)
    for number, step in enumerate(steps):
        before, after = (_models(steps[: number + more], database) for more in (0, 1))
        with engine.connect() as connection, warnings.catch_warnings(action="ignore"):
            before.create_all(connection)
            found = produce_migrations(MigrationContext.configure(connection), after)
            connection.rollback()
            before.drop_all(connection)
            connection.commit()
        yield step.message, _outcome(found.upgrade_ops)


def _models(steps: list[Step], database: str) -> sa.MetaData:
    parts: dict[str, str] = {}
    for step in steps:
        if step.new is None:
            old, _, new = step.rename.partition(":")
            text = parts.pop(old or step.part)
            if new:
                parts[new] = text
        else:
            parts[step.part] = step.new.replace("BINARY", COLLATIONS[database])
    conventions = {
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
    metadata = sa.MetaData(naming_convention=conventions)
    if parts:
        exec(tables(parts), {"sa": sa, "Base": SimpleNamespace(metadata=metadata)})  # noqa: S102
    return metadata


def _outcome(operations: OpContainer | None) -> str:
    kinds = {type(each).__name__ for each in _flat(operations)}
    if not kinds:
        return UNSEEN
    if {"DropColumnOp", "AddColumnOp"} <= kinds or {"DropTableOp", "CreateTableOp"} <= kinds:
        return REPLACED
    return WRITTEN


def _flat(operations: object) -> Iterator[object]:
    if isinstance(operations, OpContainer):
        for each in operations.ops:
            yield from _flat(each)
    elif operations is not None:
        yield operations


def here(step: Step) -> str:
    if step.rename:
        return "asks, and renames: what is in it stays"
    said = "; says that values go, and the tests want a reason" if step.said else ""
    if step.missed:
        return f"`check` finds it, and it is written{said}"
    return f"writes it{said}"


def hazards() -> Iterator[tuple[str, str, str]]:
    """What lint finds, by the comments that it is tested with."""
    cases = {name: (databases, body) for name, (databases, body) in CASES.items()}
    cases |= {name: ("PMS", body) for name, body in FILES.items()}
    for name, (databases, body) in cases.items():
        codes = " ".join(re.findall(r"# -> (.*)", body)).split()
        where = ", ".join(LETTERS[letter] for letter in databases)
        yield name, where, ", ".join(f"`{code}`" for code in dict.fromkeys(codes))


def filled() -> Iterator[tuple[str, str]]:
    for name in HISTORIES:
        yield name, "; ".join(sentence.rstrip(": ") for sentence in FOUND.get(name, []))


def page(outcomes: dict[str, dict[str, str]]) -> str:
    """`outcomes`: of each database, by step."""
    found = list(hazards())
    return "\n".join(
        [
            HEAD,
            *_table(
                ["Change of the models", *(f"Plain, {name}" for name in NAMES.values()), "Here"],
                (
                    [
                        step.message,
                        *(outcomes[database].get(step.message, NONE) for database in NAMES),
                        here(step),
                    ]
                    for step in STEPS
                ),
            ),
            HAZARDS,
            *_table(
                ["Migration", "Databases", "`db lint` finds"],
                ([name, where, codes] for name, where, codes in found if codes),
            ),
            HARMLESS,
            *(f"- {name} ({where})" for name, where, codes in found if not codes),
            ROWS,
            *_table(
                ["Migration of a table with rows", "The project's test finds"],
                ([name, sentences or "nothing, rightly"] for name, sentences in filled()),
            ),
            "",
        ]
    )


def _table(heads: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    yield from ("", _row(heads), _row(["---"] * len(heads)))
    yield from map(_row, rows)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cell or NONE for cell in cells)} |"


HEAD = """\
# The zoo

Changes of every kind, with what plain Alembic makes of them and what is made of them here. This page
is written by `.venv/bin/python -m tests.write.zoo`, from the data of the tests that prove each line.

## Models are changed

`revision --autogenerate` with Alembic's own defaults, beside the one of a service of this template.
After each of these changes, one after the other, `alembic check` finds nothing left, and the file is
formatted and passes lint. A dash: the database has no such thing."""
HAZARDS = """
## Migrations are dangerous

Plain Alembic runs each of these without a word. Here, `db lint` runs them in a throw-away database
first, and names the line, what the server says about it, and the safe way."""
HARMLESS = """
It leaves alone what does no harm:
"""
ROWS = """
## Tables have rows

Each of these runs on the empty tables of a test, in plain Alembic as well as here. So the project's own
test runs every migration, up, down and up again, on tables that are filled with rows made up for them."""


def written() -> dict[str, dict[str, str]]:
    """What plain Alembic does, by the page as it is."""
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines()]
    found = {row[0]: row[1:-1] for row in rows if row[0] in {step.message for step in STEPS}}
    return {
        database: {step: cells[at] for step, cells in found.items() if cells[at] != NONE}
        for at, database in enumerate(NAMES)
    }


def main() -> None:
    urls = {database: os.environ.get(f"{database.upper()}_URL") for database in NAMES}
    found = {database: dict(plain(database, url)) for database, url in urls.items() if url}
    PAGE.write_text(page(written() | found))


if __name__ == "__main__":
    main()
