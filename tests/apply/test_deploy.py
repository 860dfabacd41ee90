"""A deploy: the server may come later, a migration may fail, a long one says that it goes on."""

import asyncio
import os
import pty
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace

import pytest
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import make_url

from ..databases import execute
from ..proxy import Proxy, open_proxy
from ..servers import driver_url, free_port
from .lab import ON_SERVERS, Lab, Running, Target
from .launcher import Ended
from .private import PrivateServer

pytestmark = pytest.mark.slow

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
ON_MYSQL = pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)

CREATE = """
op.create_table(
    "people",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(50), nullable=False),
)
"""
WAITING = "Waiting up to 60 s for the database: "


def elsewhere(target: Target, **parts: str | int) -> Target:
    """The same with another URL."""
    url = make_url(target.url).set(**parts)  # type: ignore[arg-type]
    return replace(target, url=url.render_as_string(hide_password=False))


def failure(ended: Ended) -> str:
    """What was said, in one line and without a traceback."""
    assert ended.code != 0, ended.output
    assert "Traceback" not in ended.output
    [said] = [line for line in ended.output.splitlines() if "FAILED: " in line]
    return said.partition("FAILED: ")[2]


@ON_SERVERS
def test_the_server_comes_later(lab: Lab) -> None:
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        port = free_port()
        late = elsewhere(target, host="127.0.0.1", port=port)
        waiting = late.begin("-x", "wait=60", "upgrade", "head")
        ended = asyncio.run(_come_later(port, make_url(target.url).port or 0, waiting))
        assert ended.code == 0, ended.output
        assert ended.output.count(WAITING) == 1
        assert target.revision == "r1"
        ended = late.db("upgrade", "--wait", "1")
        assert "Waiting up to 1 s" in ended.output
        assert "does not answer" in failure(ended)


async def _come_later(port: int, server: int, waiting: Running) -> Ended:
    """After a first attempt to connect."""
    tried = asyncio.Event()

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        tried.set()

    async with await asyncio.start_server(hang_up, "127.0.0.1", port):
        await asyncio.wait_for(tried.wait(), 60)
    proxy = Proxy(server, port)
    await proxy.start()
    try:
        return await asyncio.to_thread(waiting.result)
    finally:
        await proxy.stop()


@ON_SERVERS
def test_a_server_that_is_slow_to_answer(lab: Lab) -> None:
    """As when many replicas begin at the same moment."""
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        ended = asyncio.run(_answer_late(target))
        assert ended.code == 0, ended.output


async def _answer_late(target: Target) -> Ended:
    async with open_proxy(make_url(target.url).port or 0) as proxy:
        proxy.freeze()
        slow = elsewhere(target, host="127.0.0.1", port=proxy.port).begin("upgrade", "head")
        await asyncio.sleep(5)
        proxy.thaw()
        return await asyncio.to_thread(slow.result)


@ON_SERVERS
def test_a_server_that_never_answers(lab: Lab) -> None:
    """As one behind a proxy that takes the connection by itself."""
    with lab.fresh() as target, socket.create_server(("127.0.0.1", 0)) as silent:
        silently = elsewhere(target, host="127.0.0.1", port=silent.getsockname()[1])
        assert "does not answer" in failure(silently.db("upgrade", "--wait", "1"))


@ON_MYSQL
def test_a_statement_may_take_longer_than_a_server_that_does_not_answer(lab: Lab) -> None:
    lab.write("r1", "op.execute('DO SLEEP(11)')")
    with lab.fresh() as target:
        target.upgrade()


@ON_SERVERS
def test_there_are_too_many_connections(lab: Lab) -> None:
    lab.write("r1", CREATE)
    with lab.fresh() as target, _user_with_four_connections(lab.database, target) as limited:
        with ExitStack() as others:
            engine = create_engine(driver_url(limited.url), poolclass=NullPool)
            taken = [others.enter_context(engine.connect()) for _ in range(4)]
            said = failure(limited.alembic("upgrade", "head"))
            assert "refuses: " in said
            assert "Try again later, or with `db upgrade --wait 60`." in said
            waiting = limited.begin("-x", "wait=60", "upgrade", "head")
            time.sleep(1.5)
            assert not waiting.done()
            if lab.database == "postgresql":  # Where the turn has a connection of its own.
                taken.pop().close()
                time.sleep(1.5)
                assert not waiting.done()
        ended = waiting.result()
        assert ended.code == 0, ended.output
        assert WAITING in ended.output


@contextmanager
def _user_with_four_connections(database: str, target: Target) -> Iterator[Target]:
    user = f"u_{target.name}"[:32]
    if database == "postgresql":
        target.execute(f"CREATE ROLE {user} LOGIN CONNECTION LIMIT 4")
        target.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {user}")
    else:
        target.execute(f"CREATE USER {user}@'%' WITH MAX_USER_CONNECTIONS 4")
        target.execute(f"GRANT ALL ON {target.name}.* TO {user}@'%'")
    try:
        yield elsewhere(target, username=user)
    finally:
        if database == "postgresql":
            target.execute(f"DROP OWNED BY {user}")
            target.execute(f"DROP ROLE {user}")
        else:
            target.execute(f"DROP USER {user}@'%'")


@ON_SERVERS
def test_what_does_not_pass_is_not_waited_for(lab: Lab) -> None:
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        for wrong in ({"database": "nowhere"}, {"username": "nobody_here"}):
            _see_that_it_fails_at_once(elsewhere(target, **wrong))


@ON_MYSQL
def test_a_wrong_password(lab: Lab) -> None:
    with lab.fresh() as target, _user_with_four_connections(lab.database, target) as limited:
        _see_that_it_fails_at_once(elsewhere(limited, password="wrong"))


@ON_POSTGRESQL
def test_a_wrong_password_on_postgresql(lab: Lab) -> None:
    with closing(PrivateServer()) as server:
        execute(server.url, "CREATE ROLE somebody LOGIN PASSWORD 'right'")
        server.ask_for_passwords("somebody")
        url = make_url(server.url).set(username="somebody", password="wrong")
        target = Target(lab, url.render_as_string(hide_password=False))
        _see_that_it_fails_at_once(target)
        _see_that_it_fails_at_once(elsewhere(target, password=""))


def _see_that_it_fails_at_once(target: Target) -> None:
    began = time.monotonic()
    ended = target.db("upgrade", "--wait", "60")
    assert time.monotonic() - began < 30
    assert " refuses: " in failure(ended)
    assert "Waiting" not in ended.output
    assert "wrong" not in ended.output


@ON_SQLITE
def test_a_file_that_cannot_be_opened(lab: Lab) -> None:
    ended = Target(lab, "sqlite:////nowhere/app.db").db("upgrade", "--wait", "60")
    assert failure(ended).startswith("SQLite cannot open /nowhere/app.db")


@ON_SERVERS
def test_the_server_goes(lab: Lab) -> None:
    kill = {
        "postgresql": "SELECT pg_terminate_backend(pg_backend_pid())",
        "mariadb": "KILL CONNECTION_ID()",
        "mysql": "KILL CONNECTION_ID()",
    }[lab.database]
    for block in ("if True", "with op.get_context().autocommit_block()"):
        lab.write("r1", f'{block}:\n    op.execute("{kill}")\n{CREATE}')
        with lab.fresh() as target:
            said = failure(target.alembic("upgrade", "head"))
            assert said.startswith("The upgrade of r1 (src/")
            assert f"failed at `{kill}`" in said or "failed: the connection is lost" in said
            assert "The database is at base. When the database answers again, run" in said


END_OTHERS = """
with driver.create_migration_engine(config.load_settings().migration_url).connect() as admin:
    if admin.dialect.name == "postgresql":
        admin.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    else:
        others = "SELECT id FROM information_schema.processlist WHERE db = DATABASE()"
        for other in admin.exec_driver_sql(f"{others} AND id <> CONNECTION_ID()").scalars():
            admin.exec_driver_sql(f"KILL {other}")
"""


@ON_SERVERS
def test_the_server_goes_while_somebody_looks(lab: Lab) -> None:
    """A downgrade is called to find out what it would lose."""
    end_others = f"from my_service import config, driver\n{END_OTHERS}"
    lab.write("r1", CREATE, f'{end_others}op.drop_table("people")')
    with lab.fresh() as target:
        target.upgrade()
        said = failure(target.alembic("downgrade", "base", ENVIRONMENT="production"))
        assert said.startswith("The connection to the database is lost: ")
        assert said.endswith("Run the command again when the database answers.")
        # Nobody notices until it is closed, which is done in silence.
        lab.write("r1", CREATE, f'op.execute("DELETE FROM people")\n{end_others}')
        ended = target.alembic("downgrade", "base", ENVIRONMENT="production")
        assert ended.output.startswith("FAILED: This downgrade would lose what cannot be told ")
        assert ended.output.count("\n") == 1
        assert target.revision == "r1"


@ON_SERVERS
def test_a_user_who_may_not(lab: Lab) -> None:
    """Commands that only look fail with a sentence, too."""
    lab.write("r1", CREATE)
    with lab.fresh() as target, _user_with_four_connections(lab.database, target) as limited:
        if lab.database == "postgresql":
            target.upgrade()
            user = make_url(limited.url).username
            target.execute(f"REVOKE CREATE ON SCHEMA public FROM {user}")
            for command in ("current", "upgrade"):
                said = failure(limited.db(command))
                assert "refuses at `SELECT " in said
                assert "permission denied for table alembic_version" in said
        else:
            user = make_url(limited.url).username
            target.execute(f"REVOKE ALL ON {target.name}.* FROM {user}@'%'")
            target.execute(f"GRANT SELECT ON {target.name}.* TO {user}@'%'")
            said = failure(limited.db("upgrade"))
            assert "CREATE command denied" in said


@ON_SQLITE
@pytest.mark.parametrize("told", ["SIGINT", "SIGTERM"])
def test_a_command_that_is_interrupted(lab: Lab, told: str) -> None:
    lab.write("r1", f"{CREATE}\nimport os, signal\nos.kill(os.getpid(), signal.{told})")
    with lab.fresh() as target:
        for ended in (target.db("upgrade"), target.alembic("upgrade", "head")):
            assert ended.code == 130
            assert ended.output.splitlines()[-1] == (
                "INTERRUPTED: run the same command again, and it completes what was begun."
            )
            assert "Traceback" not in ended.output


# While the statement is under way, SQLAlchemy gives up the connection, and what comes to its end says so.
DURING_A_STATEMENT = """
import signal
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.setitimer(signal.ITIMER_REAL, 1)
with {}:
    op.get_bind().execute(sa.text("SELECT {}(20)"))
"""


@ON_SERVERS
def test_a_statement_that_is_interrupted(lab: Lab) -> None:
    sleep = "pg_sleep" if lab.database == "postgresql" else "SLEEP"
    for block in ("op.get_context().autocommit_block()", "op.get_bind().begin_nested()"):
        lab.write("r1", DURING_A_STATEMENT.format(block, sleep))
        with lab.fresh() as target:
            ended = target.db("upgrade")
            assert ended.code == 130, ended.output
            assert ended.output.splitlines()[-1].startswith("INTERRUPTED: run the same command")
            assert "Traceback" not in ended.output


# As some services do when they start.
FROM_A_THREAD = """
import signal
from threading import Thread

from alembic.config import main

thread = Thread(target=main, kwargs={"argv": ["upgrade", "head"]})
thread.start()
thread.join()
main(["current"])
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
"""


@ON_SQLITE
def test_a_program_that_calls_alembic(lab: Lab) -> None:
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        job = target.job()
        done = subprocess.run(
            [sys.executable, "-c", FROM_A_THREAD],
            cwd=lab.project.path,
            env={"PYTHONPATH": str(lab.project.path / "src"), "RELEASE": "1", **job.variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "r1 (head)\n"), done.stderr


@ON_SQLITE
def test_progress(lab: Lab) -> None:
    """In a log, a line for each migration, and one now and then while it runs."""
    lab.write("r1", CREATE)
    lab.write("r2", "time.sleep(10.5)")
    lab.write("r3", "import logging\nlogging.basicConfig()")
    lab.write("r4", "pass")
    with lab.fresh() as target:
        lines = target.alembic("upgrade", "head").output.splitlines()
        assert lines[:2] == ["Running 1 of 4: upgrade  -> r1", "Running 2 of 4: upgrade r1 -> r2"]
        assert re.fullmatch(r"Running 2 of 4 for (9|10) s: upgrade r1 -> r2", lines[2])
        logger = "my_service.migrations.toolkit.progress"
        assert lines[3:] == [
            "Running 3 of 4: upgrade r2 -> r3",
            f"INFO:{logger}:Running 4 of 4: upgrade r3 -> r4",
        ]
        assert target.alembic("-q", "downgrade", "r1").output == ""


@ON_SQLITE
def test_progress_on_a_terminal(lab: Lab) -> None:
    """One line, written anew."""
    lab.write("r1", CREATE)
    lab.write("r2", "time.sleep(2.5)")
    lab.write("r3", "pass")
    with lab.fresh() as target:
        output = _on_terminal(target, "upgrade", "head")
        assert output.count("\n") == 1
        assert output.endswith("\n")
        lines = [line for line in output.rstrip().split("\r\x1b[K") if line]
        assert lines[:2] == ["Running 1 of 3: upgrade  -> r1", "Running 2 of 3: upgrade r1 -> r2"]
        assert lines[-1] == "Running 3 of 3: upgrade r2 -> r3"
        for line in lines[2:-1]:
            assert re.fullmatch(r"Running 2 of 3 for [1-3] s: upgrade r1 -> r2", line)
        assert len(lines) in {4, 5}


def _on_terminal(target: Target, *arguments: str) -> str:
    """What is written to standard error, when that is a terminal of a hundred columns."""
    terminal, its_end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=target.lab.project.path,
        env={
            **os.environ,
            "DATABASE_URL": target.url,
            "PYTHONPATH": str(target.lab.project.path / "src"),
            "RELEASE": "1",
            "TERM": "xterm",
            "COLUMNS": "100",
        },
        stderr=its_end,
    )
    os.close(its_end)
    output = b""
    with suppress(OSError):  # Linux says so where it ends.
        while data := os.read(terminal, 1024):
            output += data
    os.close(terminal)
    assert process.wait() == 0, output
    return output.decode().replace("\r\n", "\n")
