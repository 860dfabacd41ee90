"""Runs in a project: each migration up, down and up again, on a database that is there."""

import sys
from importlib import import_module
from typing import Any

KINDS = ("bare", "filled")


def main() -> None:
    package, kind = sys.argv[1:]
    names = ("config", "driver", "migrations.toolkit.config", "migrations.toolkit.throwaway")
    settings, driver, config, throwaway = (import_module(f"{package}.{name}") for name in names)
    url = settings.load_settings().migration_url
    given = config.alembic_config(url)
    with driver.create_migration_engine(url).connect() as connection:
        if kind == "filled":
            walk = import_module(f"{package}.migrations.toolkit.rows.walk").Walk
            assert not list(walk(given, connection, {}).findings())
        else:
            given.attributes["connection"] = connection
            _walk(given, throwaway.run_step)


def _walk(config: Any, run_step: Any) -> None:
    """One connection, and the files are read once."""
    scripts = import_module("alembic.script").ScriptDirectory.from_config(config)
    for script in reversed(list(scripts.walk_revisions())):
        for way in ("upgrade", "downgrade", "upgrade"):
            run_step(config, scripts, script, way)


if __name__ == "__main__":
    main()
