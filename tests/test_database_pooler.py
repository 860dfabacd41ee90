"""A service on PostgreSQL behind PgBouncer, which lends its connections for one transaction."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from .servers import free_port, make_folder, wait_for
from .services import Service, on
from .supervisor import Service as Process

pytestmark = [pytest.mark.anyio, pytest.mark.slow, on("postgresql")]


@contextmanager
def pooler(url: str, *settings: str) -> Iterator[str]:
    """The URL of the same database through PgBouncer; skipped where that is not installed."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed (no pgbouncer)")
    server, port = make_url(url), free_port()
    folder = Path(make_folder("postgresql"))
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        "\n".join(
            [
                "[databases]",
                f"{server.database} = host={server.host} port={server.port}",
                "[pgbouncer]",
                "listen_addr = 127.0.0.1",
                f"listen_port = {port}",
                "unix_socket_dir =",
                "auth_type = trust",
                f"auth_file = {folder}/users",
                "pool_mode = transaction",
                "default_pool_size = 12",
                *settings,
            ]
        )
    )
    (folder / "users").write_text(f'"{server.username}" "{server.password or ""}"\n')
    for file in folder.iterdir():
        file.chmod(0o644)
    process = Process(str(folder), [], [program, str(configuration)], user=owner(folder))
    running = process.start()
    pooled = server.set(port=port).render_as_string(hide_password=False)
    try:
        wait_for(running, process, "postgresql", pooled)
        yield pooled
    finally:
        running.communicate()


def owner(folder: Path) -> str | None:
    """PgBouncer refuses to run as root."""
    return None if folder.owner() == "root" else folder.owner()


@pytest.mark.parametrize(
    "settings", [[], ["ignore_startup_parameters = options"]], ids=["refuses", "ignores"]
)
async def test_behind_a_pooler(service: Service, settings: list[str]) -> None:
    """It refuses startup options, or drops them; its connections go from client to client."""
    with pooler(service.url, *settings) as url:
        async with service.run(url, size=5) as running:
            for _ in range(10):
                answers = await running.together(
                    *(running.create() for _ in range(5)),
                    *(running.count() for _ in range(5)),
                    *(running.client.post("/lab/items/both", json={}) for _ in range(5)),
                    *(running.client.post("/lab/items/read-only", json={}) for _ in range(2)),
                )
                assert answers == [201] * 5 + [200] * 5 + [201] * 5 + [500] * 2
            assert service.items() == 100
            assert await running.is_idle()
