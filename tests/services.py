"""pytest plugin: a rendered service in this process, so that its pools and permits can be looked at.

It has one feature more, `features/lab`, whose routes do what can go wrong.
"""

import asyncio
import dataclasses
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import structlog
from httpx2 import ASGITransport, AsyncClient, Response
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from .databases import execute, query, throwaway_database
from .projects import Renderer, run_uv
from .proxy import Proxy, open_proxy
from .shared import once, shared_folder

LAB = Path(__file__).parent / "features" / "lab"
SERVERS = ("postgresql", "mariadb", "mysql")
# What a call of the API may take when the database is away.
PATIENCE = 10.0

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Service:
    """The modules of a rendered project, and a database of the test's own for it."""

    database: str
    package: str
    url: str

    def module(self, name: str) -> Any:
        return import_module(f"{self.package}.{name}")

    def create_tables(self) -> None:
        metadata = self.module("features").load_models()
        with self.migration_engine().begin() as connection:
            metadata.create_all(connection)

    def migration_engine(self) -> Any:
        driver = self.module("driver")
        return driver.create_migration_engine(driver.parse_url(self.url, Path.cwd()))

    def items(self) -> int:
        """How many rows others see."""
        [(count,)] = query(self.url, "SELECT count(*) FROM items")
        assert isinstance(count, int)
        return count

    def kill_connections(self) -> int:
        """Let the server end the service's connections; how many there were."""
        if self.database == "postgresql":
            return len(
                query(
                    self.url,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
                )
            )
        found = query(
            self.url,
            "SELECT id FROM information_schema.processlist"
            " WHERE db = database() AND id <> connection_id()",
        )
        for (number,) in found:
            execute(self.url, f"KILL {number}")
        return len(found)

    @asynccontextmanager
    async def proxy(self) -> AsyncIterator[Proxy]:
        async with open_proxy(make_url(self.url).port or 0) as proxy:
            yield proxy

    def through(self, port: int, **changes: Any) -> str:
        url = make_url(self.url).set(port=port, **changes)
        return url.render_as_string(hide_password=False)

    @asynccontextmanager
    async def run(
        self, url: str = "", *, size: int = 10, patience: float | None = None
    ) -> AsyncIterator["Running"]:
        settings = self.module("config").Settings(
            _env_file=None,
            environment="development",
            database_url=url or self.url,
            database_pool_size=size,
        )
        app = self.module("main").create_app(settings)
        async with app.router.lifespan_context(app) as state:
            if patience is not None:
                state["database"] = dataclasses.replace(state["database"], patience=patience)

            async def with_state(scope: dict[str, Any], receive: Receive, send: Send) -> None:
                await app({**scope, "state": dict(state)}, receive, send)

            async with open_client(with_state) as client:
                yield Running(with_state, client, state["database"], size)


@dataclass(frozen=True)
class Running:
    app: Any
    client: AsyncClient
    database: Any
    size: int

    async def create(self, **item: Any) -> Response:
        return await self.client.post("/lab/items", json=item)

    async def count(self) -> Response:
        return await self.client.get("/lab/items")

    async def together(self, *requests: Awaitable[Response]) -> list[int]:
        """The status of each of requests at the same time, which may take PATIENCE at most."""
        async with asyncio.timeout(PATIENCE):
            answers = await asyncio.gather(*requests)
        for answer in answers:
            assert answer.status_code != 503 or answer.headers["retry-after"] == "1"
        return [answer.status_code for answer in answers]

    async def connect(self) -> None:
        """Fill both pools: what follows then meets connections that were open before."""
        for method in ("GET", "POST"):
            request = [
                self.client.request(method, "/lab/hold?seconds=0.05") for _ in range(self.size)
            ]
            assert max(await self.together(*request)) < 300

    async def is_idle(self) -> bool:
        """Whether all permits and connections come back."""
        for _ in range(100):
            if self._is_idle():
                return True
            await asyncio.sleep(0.05)
        return False

    @property
    def engines(self) -> list[AsyncEngine]:
        """The writers' and the readers'."""
        database = self.database
        return [made.kw["bind"] for made in (database.sessions, database.read_sessions)]

    @property
    def pools(self) -> list[Any]:
        return [engine.pool for engine in self.engines]

    def _is_idle(self) -> bool:
        free: int = self.database.permits._value
        return free == self.size and not any(pool.checkedout() for pool in self.pools)


def on(*databases: str) -> pytest.MarkDecorator:
    """Run the test on these databases only."""
    return pytest.mark.parametrize("database", databases, indirect=True)


def open_client(app: Any) -> AbstractAsyncContextManager[AsyncClient]:
    return AsyncClient(transport=ASGITransport(app), base_url="http://test", timeout=30)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def empty_service(
    database: str, renderer: Renderer, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> Iterator[Service]:
    """On a database without tables."""
    package = f"lab_{database}"
    installed = once(
        shared_folder(tmp_path_factory) / "services" / database,
        lambda folder: _install(renderer, package, database, folder),
    )
    if str(installed) not in sys.path:
        sys.path.append(str(installed))
    # structlog's own form shows every variable of a traceback, which takes seconds.
    structlog.configure(
        [structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()]
    )
    with throwaway_database(database, tmp_path) as url:
        service = Service(database, package, url)
        yield service
        if database != "sqlite":
            # A statement that a test left running would keep its tables.
            service.kill_connections()


@pytest.fixture
def service(empty_service: Service) -> Service:
    empty_service.create_tables()
    return empty_service


def _install(render: Renderer, package: str, database: str, folder: Path) -> None:
    answers = {
        "project_slug": package.replace("_", "-"),
        "package_name": package,
        "database": database,
    }
    project = render(folder.with_name(f"{folder.name}-project"), answers)
    shutil.copytree(LAB, project.package / LAB.name)
    target = ["--python", sys.executable, "--target", str(folder)]
    run_uv("pip", "install", *target, "--no-deps", "--no-build-isolation", str(project.path))
