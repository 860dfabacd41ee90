"""Alembic's configuration, also where there is no pyproject.toml to read it from."""

from pathlib import Path
from typing import Any

from alembic.config import Config
from sqlalchemy import URL

from ...config import PROJECT, load_settings

LOCATION = Path(__file__).parents[1]


def alembic_config(url: URL | None = None, **options: Any) -> Config:
    """`attributes["connection"]` of the result, if set, is used instead of a new connection."""
    config = Config(toml_file=PROJECT and PROJECT / "pyproject.toml", **options)
    config.set_main_option("script_location", str(LOCATION).replace("%", "%%"))
    config.attributes["url"] = url
    return config


def migration_url(config: Config) -> URL:
    """The one given to `alembic_config`, or that of the settings."""
    url: URL | None = config.attributes["url"]
    return url or load_settings().migration_url


def scratch_url(config: Config) -> URL:
    """Beside which throw-away databases are made."""
    url: URL | None = config.attributes["url"]
    return url or load_settings().scratch_url
