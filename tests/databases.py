"""pytest plugin: the databases that a run covers, and throw-away databases in them."""

import json
import os
import uuid
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import make_url

from .servers import DATABASES, Server, Servers, driver_url

# Carries the servers from the process that starts them to xdist's workers.
_VARIABLE = "TEMPLATE_TEST_SERVERS"
_servers = Servers()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("databases")
    group.addoption(
        "--databases",
        default=",".join(DATABASES),
        help="cover only these, separated by commas (default: %(default)s)",
    )
    group.addoption(
        "--require-databases",
        default="",
        help="fail the run when one of these, separated by commas, is not covered",
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    if not _is_controller(session.config) or session.config.option.collectonly:
        return
    required = _names(session.config, "require_databases")
    wanted = _names(session.config, "databases")
    with ThreadPoolExecutor() as pool:
        found = dict(zip(wanted, pool.map(_servers.find, wanted), strict=True))
    os.environ[_VARIABLE] = json.dumps({name: asdict(found[name]) for name in wanted})
    missing = [f"{name}: {_server(name).reason}" for name in required if _server(name).reason]
    if missing:
        pytest.exit("required databases cannot be had: " + "; ".join(missing), returncode=1)


def pytest_unconfigure(config: pytest.Config) -> None:
    if _is_controller(config):
        _servers.close()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        parameters = getattr(item, "callspec", None)
        if parameters and "database" in parameters.params:
            item.user_properties.append(("database", parameters.params["database"]))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """The last words of a run: a line per database."""
    yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not _is_controller(session.config) or _VARIABLE not in os.environ or reporter is None:
        return
    passed, failed = (_count(reporter.stats.get(key, [])) for key in ("passed", "failed"))
    required = _names(session.config, "require_databases")
    for name in DATABASES:
        line = _coverage(_server(name), passed.get(name, 0), failed.get(name, 0))
        reporter.write_line(f"{name + ':':<12}{line}")
        if name in required and not passed.get(name, 0) and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """The name of a database; the test runs for each, and is skipped where it cannot be had."""
    name: str = request.param
    server = _server(name)
    if not server.available:
        pytest.skip(server.reason)
    return name


@pytest.fixture
def database_url(database: str, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, as a user would write it; dropped at the end."""
    with throwaway_database(database, tmp_path) as url:
        yield url


@contextmanager
def throwaway_database(database: str, folder: Path) -> Iterator[str]:
    """An empty database; with SQLite a file in the folder."""
    name = f"template_{uuid.uuid4().hex[:12]}"
    if database == "sqlite":
        yield f"sqlite:///{folder / name}.db"
        return
    url = _server(database).url
    # MariaDB before 11.6 makes it Latin-1, which projects refuse.
    charset = "" if database == "postgresql" else " character set utf8mb4"
    execute(url, f"create database {name}{charset}")
    try:
        yield make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        force = " with (force)" if database == "postgresql" else ""
        execute(url, f"drop database {name}{force}")


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    """Rows, read over a connection of the tests' own."""
    engine = create_engine(driver_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def execute(url: str, statement: str) -> None:
    """Run one statement, with the administrator's rights."""
    engine = create_engine(driver_url(url), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))


def _server(name: str) -> Server:
    known = json.loads(os.environ.get(_VARIABLE, "{}"))
    return Server(**known[name]) if name in known else Server(name, reason="not asked for")


def _names(config: pytest.Config, option: str) -> list[str]:
    names = [name for name in config.getoption(option).split(",") if name]
    if unknown := set(names) - set(DATABASES):
        raise pytest.UsageError(f"unknown database: {', '.join(sorted(unknown))}")
    return names


def _is_controller(config: pytest.Config) -> bool:
    return not hasattr(config, "workerinput")


def _count(reports: list[pytest.TestReport]) -> dict[str, int]:
    names = [dict(report.user_properties).get("database") for report in reports]
    return {str(name): names.count(name) for name in set(names) if name}


def _coverage(server: Server, passed: int, failed: int) -> str:
    if not server.available:
        return f"not covered: {server.reason}"
    product = f"{server.version} ({server.origin})"
    if not passed and not failed:
        return f"not covered: {product} is there, and no test that ran needs it"
    return f"covered by {passed + failed} tests on {product}" + (
        f", {failed} FAILED" if failed else ""
    )
