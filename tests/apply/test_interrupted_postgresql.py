"""What a migration leaves that was killed, failed or cut off on PostgreSQL, and the next one."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.engine import make_url

from ..databases import execute
from ..servers import driver_url
from .lab import Lab, Target
from .private import PrivateServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("database", ["postgresql"], indirect=True),
]

CREATE = """
op.execute("CREATE TYPE mood AS ENUM ('sad')")
op.create_table(
    "accounts",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("amount", sa.BigInteger, nullable=False),
)
op.create_table("notes", sa.Column("text", sa.String(50), nullable=False))
op.create_index("ix_old", "accounts", ["id", "amount"])
op.execute("INSERT INTO accounts SELECT n, 5 FROM generate_series(1, 500) n")
"""
CONCURRENTLY = """
with op.get_context().autocommit_block():
    op.create_index("Ix New", "accounts", ["amount"], postgresql_concurrently=True)
    op.drop_index("ix_old", "accounts", postgresql_concurrently=True)
    op.execute("ALTER TYPE mood ADD VALUE 'it''s well'")
op.execute("UPDATE accounts SET amount = amount * 100")
op.execute("INSERT INTO notes VALUES ('indexed')")
"""
CONCURRENTLY_BACK = """
with op.get_context().autocommit_block():
    op.create_index("ix_old", "accounts", ["id", "amount"], postgresql_concurrently=True)
    op.execute('DROP INDEX CONCURRENTLY "Ix New"')
op.execute("UPDATE accounts SET amount = amount / 100")
op.execute("DELETE FROM notes WHERE text = 'indexed'")
"""
IN_A_TRANSACTION = """
op.execute("UPDATE accounts SET amount = amount + 1")
op.add_column("accounts", sa.Column("currency", sa.String(3), server_default="EUR"))
op.execute("INSERT INTO notes VALUES ('added')")
"""
IN_A_TRANSACTION_BACK = """
op.execute("DELETE FROM notes WHERE text = 'added'")
op.drop_column("accounts", "currency")
op.execute("UPDATE accounts SET amount = amount - 1")
"""
# Another process does so, at the moment when this one is about to ask.
COMPLETE = """
import psycopg
from sqlalchemy import Engine, event
from {package}.cli import main
from {package}.config import load_settings

@event.listens_for(Engine, "before_cursor_execute")
def complete(connection, cursor, statement, *_):
    if "FROM alembic_unfinished" in statement:
        url = load_settings().database_url.set(drivername="postgresql")
        with psycopg.connect(url.render_as_string(hide_password=False)) as other:
            other.execute("DROP TABLE IF EXISTS alembic_unfinished")

main()
"""
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
    lab.write("r1", CREATE)
    lab.write("r2", CONCURRENTLY, CONCURRENTLY_BACK)
    lab.write("r3", IN_A_TRANSACTION, IN_A_TRANSACTION_BACK)
    return lab


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


def test_what_was_begun_is_completed_first(chain: Lab) -> None:
    chain.write("r1", CREATE, 'op.drop_table("notes")')
    chain.write("r2", CONCURRENTLY + "op.execute('SELECT 1/0')")
    with chain.fresh() as target:
        target.upgrade("r1")
        assert target.alembic("upgrade", "head").code != 0
        said = (
            "The upgrade of r2 was interrupted: complete it first, with `my-service db upgrade r2`."
        )
        for environment in ("development", "production"):
            refused = target.alembic("downgrade", "base", ENVIRONMENT=environment)
            assert refused.code != 0
            assert said in refused.output
        assert target.alembic("stamp", "r2").code == 0
        assert "alembic_unfinished" not in target.tables()
        target.upgrade("r3")


def test_what_was_begun_is_completed_while_somebody_looks(chain: Lab) -> None:
    chain.write("r2", CONCURRENTLY + "op.execute('SELECT 1/0')")
    with chain.fresh() as target:
        target.upgrade("r1")
        assert target.alembic("upgrade", "head").code != 0
        look = target.job("db", "status")
        code = COMPLETE.format(package=look.package)
        done = subprocess.run(
            [sys.executable, "-c", code, *look.arguments],
            cwd=chain.project.path,
            env={"PYTHONPATH": str(chain.project.path / "src"), "RELEASE": "1", **look.variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.startswith("behind: "), done.stdout + done.stderr


def test_what_was_begun_follows_another_by_now(chain: Lab) -> None:
    """It cannot be completed first then."""
    chain.write("r2", CONCURRENTLY + "op.execute('SELECT 1/0')")
    with chain.fresh() as target:
        target.upgrade("r1")
        assert target.alembic("upgrade", "head").code != 0
        chain.write("r15", "pass")
        chain.write("r2", CONCURRENTLY)
        for revision in ("r2", "head"):
            refused = target.alembic("upgrade", revision)
            assert "The upgrade of r2 was interrupted, and r15 was put before it" in refused.output
            assert target.revision == "r1"
        (chain.project.package / "migrations" / "versions" / "r15.py").unlink()
        chain.write("r2", CONCURRENTLY)
        target.upgrade("head")


def test_what_was_begun_is_not_taken_for_nothing_to_do(chain: Lab) -> None:
    """A downgrade that was interrupted has not changed the version row."""
    chain.write("r2", CONCURRENTLY, CONCURRENTLY_BACK + "op.execute('SELECT 1/0')")
    with chain.fresh() as target:
        target.upgrade("r2")
        assert target.alembic("downgrade", "-1").code != 0
        refused = target.alembic("upgrade", "r2")
        assert refused.code != 0
        assert "migration r2 was begun and not completed" in refused.output
        assert "Traceback" not in refused.output
        chain.write("r2", CONCURRENTLY, CONCURRENTLY_BACK)
        assert target.alembic("downgrade", "-1").code == 0
        assert target.alembic("upgrade", "r1").code == 0


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
