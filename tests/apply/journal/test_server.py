"""What only a server of the test's own can go through: it is killed, or is a node of Galera."""

import os
import random
import re
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from ...private import PrivateServer, private_server
from ...servers import free_port
from ..lab import Lab, Target
from ..test_deploy import failure
from ..test_scripts import run_script, write_script
from ..test_targets import follow
from .changes import B
from .proxy import Proxy
from .snapshots import difference, take_snapshot
from .sweep import COMMANDS, QUIET
from .workshop import Workshop

pytestmark = pytest.mark.slow

ON_MARIADB = pytest.mark.parametrize("database", ["mariadb"], indirect=True)

ENGINES = "SELECT DISTINCT engine FROM information_schema.tables WHERE table_schema = DATABASE()"

GALERA = Path("/usr/lib/galera/libgalera_smm.so")


@pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)
def test_the_server_is_killed_at_any_moment(workshop: Workshop, database: str, rounds: int) -> None:
    workshop.take_versions()
    forks, moments = workshop.forks[0], random.Random(5)  # noqa: S311
    with _server(database) as server:
        url = server.create_database("service")
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
                _kill(server)
                interrupted += forks.end().code != 0
                server.start()
                ended = forks.run(url, *command, **QUIET)
                assert ended.code == 0, ended.output
                resumed += "completing it" in ended.output
                assert difference(take_snapshot(url), expected[direction]) == []
    print(f"{2 * rounds} servers killed, {interrupted} in a migration, {resumed} half applied")


@ON_MARIADB
def test_what_a_killed_server_left_of_a_trigger_is_removed(workshop: Workshop) -> None:
    """It has the name, and no trigger: neither CREATE nor CREATE OR REPLACE would do."""
    trigger = 'op.execute("CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW SET NEW.v = 1")\n'
    with _server("mariadb") as server:
        url = server.create_database("service")
        with (
            patch.object(workshop, "open_database", lambda: nullcontext(url)),
            workshop.case(trigger + B) as case,
            closing(Proxy("127.0.0.1", make_url(url).port or 0)) as proxy,
            patch.object(workshop, "proxy", proxy),
        ):
            case.interrupt("CREATE TRIGGER")
            case.execute("DROP TRIGGER x")
            file = _folder(server) / "data" / "service" / "x.TRN"
            file.write_text("TYPE=TRIGGERNAME\ntrigger_table=t\n")
            case.complete()
            case.execute("UPDATE t SET v = 2")
            assert case.query("SELECT DISTINCT v FROM t") == [(1,)]


@pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)
def test_a_server_of_other_defaults(lab: Lab) -> None:
    """A migration meets what such a server refuses, and what the toolkit keeps is kept nevertheless."""
    lab.write("r1", make("t") + "time.sleep(1.5)", 'op.execute("DROP TABLE t")')
    lab.write("r2", make("u") + 'op.execute("UPDATE t SET v = 2")')
    with _server(lab.database) as server:
        target = Target(lab, server.create_database("service"))
        for other in (
            "sql_safe_updates = 1",
            "default_storage_engine = MyISAM",
            "completion_type = 1",
            "wait_timeout = 1",
        ):
            target.execute(f"SET GLOBAL {other}")
        said = failure(target.db("upgrade"))
        assert "at `UPDATE t SET v = 2`: You are using safe update mode" in said
        assert "column. What it did up to and with `CREATE TABLE u" in said
        assert target.query(ENGINES) == [("InnoDB",)]
        assert target.db("stamp", "r2").code == 0
        assert target.db("stamp", "--purge", "r2").code == 0
        target.execute("ALTER TABLE alembic_version ENGINE = MyISAM")
        assert "run `ALTER TABLE alembic_version ENGINE=InnoDB`, then" in failure(
            target.db("downgrade", "-1")
        )
        target.execute("ALTER TABLE alembic_version ENGINE = InnoDB")
        assert target.db("downgrade", "base", "--lose", "t").code == 0
        assert target.tables() == {"alembic_history", "alembic_journal", "alembic_version", "u"}


def make(table: str) -> str:
    return f'op.execute("CREATE TABLE {table} (id INT PRIMARY KEY, v INT)")\n'


@ON_MARIADB
@pytest.mark.skipif(not GALERA.exists(), reason="Galera is not installed")
def test_a_node_of_galera_is_refused(lab: Lab) -> None:
    """And the script that is named instead does the same, wherever the database is."""
    options = [
        "--wsrep-on=ON",
        f"--wsrep-provider={GALERA}",
        "--wsrep-cluster-address=gcomm://",
        f"--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{free_port()}",
        "--binlog-format=ROW",
        "--innodb-autoinc-lock-mode=2",
    ]
    follow(lab, "r1", None)
    follow(lab, "r2", "r1")
    follow(lab, "r3", "r1")
    with _server("mariadb", *options) as server:
        target = Target(lab, server.create_database("service"))
        next_command = (
            "apply the script that `my-service db upgrade --sql base:heads` writes, once, on"
        )
        assert next_command in target.db("status").output
        _apply_script(target, "upgrade heads")
        assert _place(target) == ["r2", "r3"]
        _apply_script(target, "stamp --purge r3 r2")
        assert _place(target) == ["r2", "r3"]
        follow(lab, "r4", ("r2", "r3"))
        assert "`my-service db upgrade --sql r2,r3:head`" in target.db("status").output
        _apply_script(target, "upgrade head")
        assert _place(target) == ["r4"]
        _apply_script(target, "stamp r2 r3")
        assert _place(target) == ["r2", "r3"]
        refused = failure(target.db("reset", "--yes"))
        assert "apply the script that `my-service db upgrade --sql base:heads` writes" in refused
        assert "after `SET wsrep_retry_autocommit = 1000`" in refused
        assert _place(target) == ["r2", "r3"]
        _apply_script(target, "downgrade base")
        assert "`DROP TABLE alembic_version`, then the script" in target.db("status").output
        _apply_script(target, "upgrade head")
        target.execute("SET GLOBAL wsrep_on = OFF")  # Of the node: it stays in the cluster.
        assert "a node of a Galera cluster" in failure(target.db("downgrade", "r1"))
        target.execute("SET GLOBAL wsrep_on = ON")
        # As a node has it that is not yet, or no longer, in the cluster.
        with pytest.raises(OperationalError):  # The commit.
            target.execute("SET GLOBAL wsrep_reject_queries = ALL")
        ended = target.db("upgrade", "--wait", "1")
        assert "Waiting up to 1 s for the database: WSREP has not yet prepared" in ended.output
        assert "Try again later" in failure(ended)


def _place(target: Target) -> list[object]:
    return [row[0] for row in target.query("SELECT version_num FROM alembic_version ORDER BY 1")]


def _apply_script(target: Target, command: str) -> None:
    said = failure(target.db(*command.split()))
    assert "a node of a Galera cluster" in said
    found = re.search(
        r"apply (?:`(.+)`, then )?the script that `my-service db (.+)` writes, once, on one node,"
        r" after `SET wsrep_retry_autocommit = 1000`\.$",
        said,
    )
    assert found, said
    first, script = found.groups()
    if first:
        target.execute(first)
    run_script(target, write_script(target, *script.split()).output)


@contextmanager
def _server(database: str, *options: str) -> Iterator[PrivateServer]:
    """As durable as it is by default, unlike the servers of the other tests."""
    durable = ["--innodb-flush-log-at-trx-commit=1", "--innodb-doublewrite=1", *options]
    with private_server(database, lambda _: durable) as server:
        yield server


def _kill(server: PrivateServer) -> None:
    os.kill(int((_folder(server) / "pid").read_text()), signal.SIGKILL)
    server.stop()


def _folder(server: PrivateServer) -> Path:
    return Path(server.service.folder).parent
