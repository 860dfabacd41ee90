"""Configuration of the process, read once from the environment and `.env`."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, InstanceOf, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL

from . import driver

_ROOT = Path(__file__).parents[2]
#: The project's folder, or None where the package was installed from a wheel.
PROJECT = _ROOT if (_ROOT / "pyproject.toml").is_file() else None


def _parse_url(value: Any) -> URL:
    return driver.parse_url(value, PROJECT or Path.cwd())


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


# SQLAlchemy's URL, unlike a string, does not show its password when printed.
DatabaseURL = Annotated[InstanceOf[URL], NoDecode, BeforeValidator(_parse_url)]
Names = Annotated[list[str], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=(PROJECT or Path.cwd()) / ".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    # What is open, verbose or destructive needs "development".
    environment: Literal["development", "production"] = "production"

    database_url: DatabaseURL = Field(default=driver.DEFAULT_URL, validate_default=True)
    # The same database for migrations: a role that may change the schema, or the way around a pooler.
    database_migration_url: DatabaseURL | None = None
    # Each process opens at most this many connections for reading and as many for writing.
    database_pool_size: int = Field(default=10, ge=1)

    # How long a migration waits for its turn, and its statements for a lock before they let the
    # application pass and try again; in seconds.
    migration_lock_wait: float = Field(default=600, ge=0)
    migration_lock_timeout: float = Field(default=2, gt=0)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    workers: int = Field(default=1, ge=1)
    # Proxies whose X-Forwarded-* headers are believed; "*" for all.
    forwarded_allow_ips: str = "127.0.0.1"
    # Names under which the service may be called; "*" for any, "*.example.com" for a domain.
    allowed_hosts: Names = ["*"]
    # Web pages of these origins may call the service from a browser.
    cors_origins: Names = []
    # In bytes.
    max_body_size: int = Field(default=1024 * 1024, ge=0)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def development(self) -> bool:
        return self.environment == "development"

    @property
    def migration_url(self) -> URL:
        return self.database_migration_url or self.database_url

    # This service's own settings:


def load_settings() -> Settings:
    """Raise SystemExit with one sentence for each setting that is missing or wrong."""
    try:
        return Settings()
    except ValidationError as error:
        raise SystemExit("\n".join(_explain(dict(found)) for found in error.errors())) from None


def _explain(found: dict[str, Any]) -> str:
    name, reason = str(found["loc"][0]).upper(), str(found["msg"])
    if found["type"] == "value_error":
        return f"{name} {found['ctx']['error']}. Set it in the environment or in .env."
    return f"{name}: {reason}. Set it in the environment or in .env."
