"""What a migration leaves that was killed, failed or cut off on PostgreSQL, and the next one."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.engine import make_url

from ..databases import execute
from ..servers import driver_url
from .chain import CONCURRENTLY, CREATE, written
from .lab import Lab, Target
from .private import PrivateServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("database", ["postgresql"], indirect=True),
]

INDEXES = """
    SELECT c.relname, indisvalid, pg_get_indexdef(c.oid)
    FROM pg_index JOIN pg_class c ON c.oid = indexrelid
    WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1
"""
COLUMNS = """
    SELECT table_name, column_name, data_type, column_default FROM information_schema.columns
    WHERE table_schema = 'public' ORDER BY table_name, ordinal_position
"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, convalidated, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text NOT LIKE 'alembic%' ORDER BY 1, 2
"""
OTHER_THINGS = """
    SELECT relname, relkind FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm', 'S') ORDER BY 1
"""
FACTS = [
    INDEXES,
    COLUMNS,
    CONSTRAINTS,
    OTHER_THINGS,
    "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
    "SELECT enumlabel FROM pg_enum ORDER BY enumsortorder",
    "SELECT * FROM accounts ORDER BY id",
    "SELECT * FROM notes ORDER BY text",
    "SELECT * FROM alembic_version",
    "SELECT revision, direction FROM alembic_history ORDER BY id",
]
BATCH = 20


@pytest.fixture
def chain(lab: Lab) -> Lab:
    return written(lab)


@pytest.mark.parametrize(("start", "command"), [("r1", "upgrade head"), ("r3", "downgrade r1")])
def test_killed_at_any_moment(chain: Lab, start: str, command: str, rounds: int) -> None:
    with chain.fresh() as origin:
        origin.upgrade(start)
        with _copy(origin, 0) as target:
            [[ended]] = chain.launch([target.job(*command.split())])
            assert ended.code == 0, ended.output
            wanted = [target.query(fact) for fact in FACTS]
            tables = target.tables()
        points = list(range(1, ended.points + 1, max(1, 10 // rounds)))
        assert ended.points > 60
        for at in range(0, len(points), BATCH):
            _kill_and_repeat(origin, points[at : at + BATCH], command, wanted, tables)


def _kill_and_repeat(
    origin: Target, points: list[int], command: str, wanted: Sequence[object], tables: set[str]
) -> None:
    with ExitStack() as stack:
        targets = {point: stack.enter_context(_copy(origin, point)) for point in points}
        jobs = {point: target.job(*command.split()) for point, target in targets.items()}
        killed = origin.lab.launch([replace(job, kill_at=point) for point, job in jobs.items()])
        assert [ended.code for [ended] in killed] == [-9] * len(points)
        again = origin.lab.launch(list(jobs.values()))
        for (point, target), [ended] in zip(targets.items(), again, strict=True):
            assert ended.code == 0, f"point {point}: {ended.output}"
            assert [target.query(fact) for fact in FACTS] == wanted, f"point {point}"
            assert target.tables() == tables, f"point {point}"


@contextmanager
def _copy(origin: Target, number: int) -> Iterator[Target]:
    url = make_url(origin.url)
    server = url.set(database="postgres").render_as_string(hide_password=False)
    name = f"{url.database}_{number}"
    execute(server, f"CREATE DATABASE {name} TEMPLATE {url.database}")
    try:
        yield replace(origin, url=url.set(database=name).render_as_string(hide_password=False))
    finally:
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")


LONG = """
op.execute("UPDATE accounts SET amount = amount + 1")
op.execute("SELECT pg_sleep(4)")
op.execute("UPDATE accounts SET amount = amount * 2")
"""


def test_a_statement_that_was_left_on_the_server(lab: Lab) -> None:
    _leave_a_statement(lab)


def test_a_statement_that_was_left_behind_a_pooler(pooled: Lab) -> None:
    _leave_a_statement(pooled)


def _leave_a_statement(lab: Lab) -> None:
    """Its process is gone, and with it the lock: the next one finds the statement, and waits."""
    lab.write("r1", CREATE)
    lab.write("r2", LONG)
    with lab.fresh() as target:
        target.upgrade("r1")
        job = target.job("upgrade", "head")
        [[killed], [second]] = lab.launch([replace(job, kill_in="pg_sleep"), job])
        assert killed.code == -9
        assert "still runs on the server" in second.output
        assert "pg_sleep(4)" in second.output
        assert second.code == 0, second.output
        assert target.query("SELECT DISTINCT amount FROM accounts") == [(12,)]


def test_an_index_that_is_still_being_built(chain: Lab) -> None:
    """Killed while the server waits with CREATE INDEX CONCURRENTLY, and then completes it."""
    with chain.fresh() as target:
        target.upgrade("r1")
        with _in_transaction(target, "SELECT count(*) FROM accounts"):
            job = target.job("upgrade", "r2", kill_in="CREATE INDEX CONCURRENTLY")
            [[killed]] = chain.launch([job])
            second = target.begin("upgrade", "r2")
            while not target.query("SELECT pid FROM pg_locks WHERE locktype = 'advisory'"):
                time.sleep(0.1)
            time.sleep(1)
        assert killed.code == -9
        assert "still runs on the server" in second.result().output
        assert second.result().code == 0, second.result().output
        assert indexes(target)["Ix New"]


@contextmanager
def _in_transaction(target: Target, statement: str) -> Iterator[Connection]:
    engine = create_engine(driver_url(target.url), poolclass=NullPool)
    engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        connection.execute(text(statement))
        yield connection


def indexes(target: Target) -> dict[object, object]:
    """Which there are, and whether they are valid."""
    return {name: valid for name, valid, _ in target.query(INDEXES)}


def test_an_index_that_could_not_be_built(lab: Lab) -> None:
    unique = CONCURRENTLY.replace('["amount"]', '["amount"], unique=True')
    lab.write("r1", CREATE)
    lab.write("r2", unique)
    with lab.fresh() as target:
        target.upgrade("r1")
        said = target.alembic("upgrade", "head").output
        assert "failed at `CREATE UNIQUE INDEX" in said
        assert "could not create unique index" in said
        assert indexes(target)["Ix New"] is False
        target.execute("UPDATE accounts SET amount = 10000000 + id")
        target.upgrade("head")
        assert indexes(target)["Ix New"] is True
        assert "alembic_unfinished" not in target.tables()


def test_an_index_that_was_there_before(chain: Lab) -> None:
    """It is somebody else's, however often the migration is tried."""
    with chain.fresh() as target:
        target.upgrade("r1")
        target.execute('CREATE INDEX "Ix New" ON accounts (id)')
        for _ in range(2):
            ended = target.alembic("upgrade", "head")
            assert ended.code != 0
            assert 'relation "Ix New" already exists' in ended.output
        definitions = {name: definition for name, _, definition in target.query(INDEXES)}
        assert str(definitions["Ix New"]).endswith("(id)")


def test_a_statement_that_was_corrected(lab: Lab) -> None:
    lab.write("r1", CREATE)
    lab.write("r2", CONCURRENTLY + "op.execute('SELECT 1/0')")
    with lab.fresh() as target:
        target.upgrade("r1")
        assert target.alembic("upgrade", "head").code != 0
        assert "ix_old" not in indexes(target)
        lab.write("r2", CONCURRENTLY.replace('["amount"]', '["id"]'))
        target.upgrade("head")
        definitions = {name: definition for name, _, definition in target.query(INDEXES)}
        assert str(definitions["Ix New"]).endswith("(id)")
        assert target.query("SELECT DISTINCT amount FROM accounts") == [(500,)]


COMMENTED = """
with op.get_context().autocommit_block():
    op.execute("-- built while others write\\nCREATE INDEX /* here */ CONCURRENTLY ix_c ON accounts (id)")
    op.execute("/* not */ DROP INDEX CONCURRENTLY ix_old -- any more")
"""
OTHER = """
with op.get_context().autocommit_block():
    op.execute("ALTER TABLE accounts ADD COLUMN IF NOT EXISTS currency text")
"""
FUNCTION = """
with op.get_context().autocommit_block():
    op.execute("SELECT lo_create(7) WHERE NOT EXISTS (TABLE pg_largeobject_metadata)")
"""
READ_ONLY = """
with op.get_context().autocommit_block():
    op.execute("SELECT amount FROM accounts")
"""


@pytest.mark.parametrize("block", [COMMENTED, OTHER, FUNCTION])
def test_what_a_block_has_changed_is_said(lab: Lab, block: str) -> None:
    lab.write("r1", CREATE)
    lab.write("r2", block + "op.execute('SELECT 1/0')")
    with lab.fresh() as target:
        target.upgrade("r1")
        failed = target.alembic("upgrade", "head")
        assert "What it did outside a transaction stays" in failed.output
        assert '"half-applied"' in target.db("status", "--json").output
        lab.write("r2", block)
        target.upgrade("head")
        assert "alembic_unfinished" not in target.tables()


def test_a_block_that_only_reads_leaves_nothing(lab: Lab) -> None:
    lab.write("r1", CREATE)
    lab.write("r2", READ_ONLY + "op.execute('SELECT 1/0')")
    with lab.fresh() as target:
        target.upgrade("r1")
        assert "Nothing of it stays" in target.alembic("upgrade", "head").output
        assert '"behind"' in target.db("status", "--json").output


def test_an_index_without_a_name(lab: Lab) -> None:
    """A second run would not know it, and build another one."""
    index = "CREATE INDEX CONCURRENTLY ON accounts (amount)"
    lab.write("r1", CREATE)
    lab.write("r2", f"with op.get_context().autocommit_block():\n    op.execute('{index}')")
    with lab.fresh() as target:
        target.upgrade("r1")
        before = indexes(target)
        refused = target.alembic("upgrade", "head")
        assert "r2 builds an index without a name" in refused.output
        assert "Traceback" not in refused.output
        assert indexes(target) == before


@pytest.mark.parametrize(("start", "command"), [("r1", "upgrade head"), ("r3", "downgrade r1")])
def test_the_server_is_killed_at_any_moment(
    chain: Lab, start: str, command: str, rounds: int
) -> None:
    with closing(PrivateServer()) as server:
        execute(server.url, "CREATE DATABASE origin")
        url = make_url(server.url).set(database="origin").render_as_string(hide_password=False)
        origin = Target(chain, url)
        origin.upgrade(start)
        with _copy(origin, 0) as target:
            [[ended]] = chain.launch([target.job(*command.split())])
            wanted = [target.query(fact) for fact in FACTS]
        for point in range(ended.points // (2 * rounds), ended.points + 1, ended.points // rounds):
            with _copy(origin, point) as target:
                # Otherwise a copy's sequences may forget numbers that they have given.
                execute(target.url, "CHECKPOINT")
                job = target.job(*command.split())
                [[failed]] = chain.launch([replace(job, kill_at=point, server=server.process)])
                assert "Traceback" not in failed.output, failed.output
                assert failed.code != 0
                server.start_again()
                [[second]] = chain.launch([job])
                assert second.code == 0, f"point {point}: {second.output}"
                assert [target.query(fact) for fact in FACTS] == wanted, f"point {point}"
