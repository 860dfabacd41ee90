"""Runs in a project: walks through each history that standard input gives, in a database of its own."""

import json
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

HEADER = "import sqlalchemy as sa\nfrom alembic import op\n\n"


def main() -> None:
    histories: dict[str, list[str]] = json.load(sys.stdin)
    print(json.dumps({name: _walk(files) for name, files in histories.items()}))


def _walk(files: list[str]) -> list[str]:
    package = sys.argv[1]
    driver, config, settings, walk = (
        import_module(f"{package}.{name}")
        for name in (
            "driver",
            "migrations.toolkit.config",
            "config",
            "migrations.toolkit.rows.walk",
        )
    )
    folder = Path(tempfile.mkdtemp())
    for number, text in enumerate(files):
        before = f"r{number - 1}" if number else None
        (folder / f"r{number}.py").write_text(
            f'"""step {number}"""\n{HEADER}revision = "r{number}"\ndown_revision = {before!r}\n{text}'
        )
    url = driver.throw_away_url(settings.load_settings().migration_url, folder, uuid4().hex[:12])
    alembic_config = config.alembic_config(url)
    alembic_config.set_main_option("version_locations", str(folder))
    driver.create_database(url)
    try:
        with driver.create_migration_engine(url).connect() as connection:
            found = list(walk.Walk(alembic_config, connection, GIVEN).findings())
            return [*found, *_repeated(connection)]
    except alembic_error() as error:
        return [f"error: {error}"]
    finally:
        driver.drop_database(url)


def _repeated(connection: Any) -> list[str]:
    """A table that stays as it is gets rows once."""
    sqlalchemy = import_module("sqlalchemy")
    if not sqlalchemy.inspect(connection).has_table("houses"):
        return []
    rows = connection.exec_driver_sql("SELECT COUNT(*) FROM houses").scalar()
    return [f"houses has {rows} rows"] if rows > 3 else []


def alembic_error() -> Any:
    return import_module("alembic.util").CommandError


SEVENS = ("weights.kilos", "billing.bills.weight", "stores.kilos")
GIVEN = dict.fromkeys(SEVENS, lambda number: 7 * number) | {
    "parcels.store": lambda _: 21,
    "widths.metres": lambda _: 3,
    "given.kind": lambda number: "abc"[number % 3],
    "tickets.seat": lambda number: 100 + number,
    "given_of_kind.kind": lambda _: "a",
}

if __name__ == "__main__":
    main()
