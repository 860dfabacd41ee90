"""MySQL and MariaDB: the turn lasts as long as the server works, and who is in the way is named."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import make_url

from ...servers import driver_url
from .changes import TIMES_TEN, TWO_TABLES, A, B
from .forks import IDLE
from .workshop import MARKS, Case, Workshop

pytestmark = MARKS

LOCK = "CONCAT('alembic:', LEFT(SHA2(LOWER(DATABASE()), 256), 40))"
# Whether the turn is free, and whether the statement runs.
LOOK = f"""
SELECT IS_FREE_LOCK({LOCK}), (
    SELECT COUNT(*) FROM information_schema.processlist
    WHERE db = DATABASE() AND info LIKE 'ALTER TABLE t FORCE%'
)
"""
# Another process does so, at the moment when this one is about to ask.
MAKE = """
import sys
import time
from threading import Thread
from sqlalchemy import Engine, event
from {package}.cli import main
from {package}.config import load_settings
from {package}.driver import create_migration_engine

threads = []

def make():
    with create_migration_engine(load_settings().migration_url).begin() as other:
        other.exec_driver_sql("CREATE TABLE alembic_history {like}")

@event.listens_for(Engine, "before_cursor_execute")
def begin_to_make(connection, cursor, statement, *_):
    if statement.startswith("DESCRIBE") and "alembic_history" in statement and not threads:
        threads.append(Thread(target=make))
        threads[0].start()
        time.sleep(0.5)

sys.argv[1:] = ["db", "status"]
main()
"""
# On a busy machine it takes a moment to look who is in the way.
IMPATIENT = {"MIGRATION_LOCK_TIMEOUT": "3", "MIGRATION_LOCK_WAIT": "3"}


def test_a_killed_process_keeps_its_turn_while_its_statement_runs(workshop: Workshop) -> None:
    with workshop.case('op.execute("ALTER TABLE t FORCE, ALGORITHM = COPY")\n' + B) as case:
        _fill(case)
        process = workshop.forks[0].start(case.url, "upgrade", "head")
        while case.query(LOOK)[0][1] == 0:
            time.sleep(0.01)
        os.kill(process, signal.SIGKILL)
        assert workshop.forks[0].end().code == -9
        looks = []
        while (look := case.query(LOOK)[0])[1]:
            looks.append(look[0])
            time.sleep(0.01)
        assert looks, "The statement has ended with its process: this tests nothing."
        assert not any(looks), "The turn is free while the statement runs."
        case.complete()


@pytest.mark.parametrize("like", ["LIKE kept", "AS SELECT kept.* FROM kept WHERE SLEEP(1) = 0"])
def test_a_table_is_made_while_somebody_looks(workshop: Workshop, like: str) -> None:
    """MySQL does not let a transaction read it that has begun to read before."""
    with workshop.case(A) as case:
        case.complete()
        case.execute("RENAME TABLE alembic_history TO kept")
        src = workshop.versions.parents[2]
        done = subprocess.run(
            [sys.executable, "-c", MAKE.format(package=workshop.package, like=like)],
            cwd=src.parent,
            env={"PYTHONPATH": str(src), "RELEASE": "1", "DATABASE_URL": case.url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.startswith("current: "), done.stdout + done.stderr


def test_a_session_that_does_nothing_any_more_is_ended(workshop: Workshop) -> None:
    with workshop.case(A) as case, _session(case, f"SELECT GET_LOCK({LOCK}, 0)") as session:
        time.sleep(1.1)
        ended = case.run("upgrade", "head", MIGRATION_LOCK_WAIT="10", **{IDLE: "1"})
        assert ended.code == 0, ended.output
        assert f"session {session} is ended" in ended.output


def test_who_has_the_turn_is_named(workshop: Workshop) -> None:
    with workshop.case(A) as case, _session(case, f"SELECT GET_LOCK({LOCK}, 0)") as session:
        refusal = case.refused(MIGRATION_LOCK_WAIT="0")
        assert f"Another process is migrating this database: session {session} (" in refusal


@pytest.mark.parametrize(
    ("migration", "lock"),
    [
        (A, "SELECT v FROM t"),
        ('op.execute("UPDATE t SET v = v * 10")\n', "UPDATE t SET v = 5 WHERE id = 2"),
    ],
    ids=["definition", "rows"],
)
def test_who_is_in_the_way_is_named(
    workshop: Workshop, database: str, migration: str, lock: str
) -> None:
    with workshop.case(migration) as case:
        with _session(case, lock) as session:
            refusal = case.refused(**IMPATIENT)
            guessed = database == "mariadb" and migration == A
            assert f"because of {'probably ' * guessed}session {session} (" in refusal
            if database == "mysql":
                assert f": {lock}" in refusal
        with _prepared(case):
            refusal = case.refused(**IMPATIENT)
            assert "because of probably a prepared transaction, since 2" in refusal
        case.complete()
        assert case.query("SELECT v FROM t WHERE id = 2") == [(2 if migration == A else 20,)]


def test_it_is_tried_again_from_where_it_was(workshop: Workshop) -> None:
    """What was done before the wait, in the same run, is not done again."""
    with workshop.case(TIMES_TEN + A, first=TWO_TABLES) as case:
        workshop.write(
            "r3", TIMES_TEN + 'op.execute("ALTER TABLE u ADD COLUMN b INT")\n', after="r2"
        )
        with _session(case, "SELECT v FROM u"):
            workshop.forks[0].start(case.url, "upgrade", "head", MIGRATION_LOCK_TIMEOUT="1")
            while case.query("SELECT state FROM alembic_journal") != [("done",), ("failed",)]:
                time.sleep(0.1)
        ended = workshop.forks[0].end()
        assert ended.code == 0, ended.output
        assert "It lets others pass, and is tried again in 10 s." in ended.output
        assert case.query("SELECT v FROM t") == [(100,)]


def test_a_user_who_is_not_told_is_told_why(workshop: Workshop) -> None:
    privileges = "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "INDEX"
    with (
        workshop.case(A) as case,
        case.user(*privileges) as user,
        _session(case, "SELECT v FROM t"),
    ):
        refusal = case.refused(user=user, **IMPATIENT)
        assert "a session that this user may not see without the privilege PROCESS" in refusal


@contextmanager
def _session(case: Case, statement: str) -> Iterator[int]:
    """Another one, which stays in its transaction."""
    engine = create_engine(driver_url(case.url), poolclass=NullPool)
    with engine.connect() as connection:
        number: int = connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one()
        connection.exec_driver_sql(statement).close()
        yield number
        connection.invalidate()


@contextmanager
def _prepared(case: Case) -> Iterator[None]:
    """A transaction that outlives its session."""
    engine = create_engine(driver_url(case.url), poolclass=NullPool)
    name = f"'{make_url(case.url).database}'"
    with engine.connect() as connection:
        for statement in ("XA START {}", "UPDATE t SET v = 5", "XA END {}", "XA PREPARE {}"):
            connection.exec_driver_sql(statement.format(name))
        connection.invalidate()
    try:
        yield
    finally:
        case.execute(f"XA ROLLBACK {name}")


def _fill(case: Case) -> None:
    """Enough rows to be copied for a second or more."""
    case.execute("ALTER TABLE t MODIFY id INT AUTO_INCREMENT, ADD COLUMN filler CHAR(200)")
    for _ in range(17):
        case.execute("INSERT INTO t (v, filler) SELECT v, REPEAT('x', 200) FROM t")
