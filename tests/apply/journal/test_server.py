"""What only a server of the test's own can go through: it is killed, or is a node of Galera."""

import random
import time
from contextlib import closing
from pathlib import Path

import pytest

from ...databases import execute
from ...servers import free_port
from .private import PrivateServer
from .snapshots import difference, take_snapshot
from .sweep import COMMANDS, QUIET
from .workshop import Workshop

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("database", ["mariadb"], indirect=True),
]

GALERA = Path("/usr/lib/galera/libgalera_smm.so")


def test_the_server_is_killed_at_any_moment(workshop: Workshop, rounds: int) -> None:
    workshop.take_versions()
    forks, moments = workshop.forks[0], random.Random(5)  # noqa: S311
    with closing(PrivateServer()) as server:
        server.start()
        url = _create_database(server)
        assert forks.run(url, "upgrade", "r1", **QUIET).code == 0
        expected = {}
        for direction, command in [*COMMANDS.items(), *COMMANDS.items()]:
            began = time.monotonic()
            assert forks.run(url, *command, **QUIET).code == 0
            took = time.monotonic() - began
            expected[direction] = take_snapshot(url)
        interrupted = resumed = 0
        for _ in range(rounds):
            for direction, command in COMMANDS.items():
                forks.start(url, *command, **QUIET)
                time.sleep(moments.uniform(0, took))
                server.kill()
                interrupted += forks.end().code != 0
                server.start()
                ended = forks.run(url, *command, **QUIET)
                assert ended.code == 0, ended.output
                resumed += "completing it" in ended.output
                assert difference(take_snapshot(url), expected[direction]) == []
    print(f"{2 * rounds} servers killed, {interrupted} in a migration, {resumed} half applied")


@pytest.mark.skipif(not GALERA.exists(), reason="Galera is not installed")
def test_a_node_of_galera_is_refused(workshop: Workshop) -> None:
    options = [
        "--wsrep-on=ON",
        f"--wsrep-provider={GALERA}",
        "--wsrep-cluster-address=gcomm://",
        f"--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{free_port()}",
        "--binlog-format=ROW",
        "--innodb-autoinc-lock-mode=2",
    ]
    workshop.take_versions()
    with closing(PrivateServer(*options)) as server:
        server.start()
        url = _create_database(server)
        ended = workshop.forks[0].run(url, "upgrade", "head")
        assert ended.code != 0
        assert "a node of a Galera cluster" in ended.output
        assert take_snapshot(url) == {}
        script = workshop.forks[0].run(url, "upgrade", "base:r1", "--sql")
        assert script.code == 0, script.output


def _create_database(server: PrivateServer) -> str:
    execute(server.url, "CREATE DATABASE service CHARACTER SET utf8mb4")
    return server.url.replace("/mysql", "/service")
