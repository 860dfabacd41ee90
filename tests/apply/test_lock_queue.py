"""A migration that waits for a lock keeps everybody waiting who comes after it.

PostgreSQL, MySQL and MariaDB have a queue for each table: while a long transaction is open on it,
an ALTER waits for that, and the application's queries wait for the ALTER. So a migration gives up
soon, lets them pass, and tries again.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from .lab import ON_SERVERS, PATIENCE, Lab, Target, restricted
from .traffic import traffic, transaction

pytestmark = pytest.mark.slow

ON_POSTGRESQL = pytest.mark.parametrize("database", ["postgresql"], indirect=True)

# In seconds; whole ones are the smallest on MySQL and MariaDB.
LOCK_TIMEOUT = {"postgresql": 0.5, "mariadb": 1.0, "mysql": 1.0}
TOLERANCE = 1.0
ATTEMPTS = 2

CREATE = """
op.create_table(
    "accounts",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("amount", sa.BigInteger, nullable=False),
)
op.create_table("notes", sa.Column("text", sa.String(50), nullable=False))
op.execute("INSERT INTO accounts VALUES (1, 5)")
op.execute("INSERT INTO notes VALUES ('created')")
"""
ALTER = """
op.add_column("accounts", sa.Column("currency", sa.String(3)))
"""
QUERY = "SELECT count(*) FROM accounts"


@ON_SERVERS
def test_the_application_goes_on(lab: Lab, plain: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    timeout = LOCK_TIMEOUT[lab.database]
    for each in (lab, plain):
        each.write("r1", CREATE)
        each.write("r2", ALTER)
    with lab.fresh() as ours, plain.fresh() as alembics:
        for target in (ours, alembics):
            target.upgrade("r1")
        with traffic(ours.url, QUERY) as with_ours, traffic(alembics.url, QUERY) as with_alembics:
            with transaction(ours.url, QUERY), transaction(alembics.url, QUERY):
                running = [
                    target.begin("upgrade", "head", MIGRATION_LOCK_TIMEOUT=str(timeout))
                    for target in (ours, alembics)
                ]
                begun = with_ours.wait_for_a_slow_one()
                end = begun + (11 * ATTEMPTS - 0.5) * timeout
                time.sleep(end - time.monotonic())
            for migration in running:
                assert migration.result().code == 0, migration.result().output
    with capsys.disabled():
        for name, measured in {"ours": with_ours, "plain Alembic": with_alembics}.items():
            print(
                f"\n{lab.database}, {name}: the application's p99 {measured.percentile(99):.2f} s,"
                f" longest {measured.worst:.2f} s, blocked"
                f" {measured.blocked_share(begun, end):.0%} of {end - begun:.0f} s",
                end="",
            )
    assert with_ours.worst < timeout + TOLERANCE
    assert with_ours.blocked_share(begun, end) < 0.11
    assert with_alembics.worst > timeout + TOLERANCE


@ON_POSTGRESQL
def test_who_is_in_the_way(lab: Lab) -> None:
    _see_who_is_in_the_way(lab)


@ON_POSTGRESQL
def test_who_is_in_the_way_behind_a_pooler(pooled: Lab) -> None:
    _see_who_is_in_the_way(pooled)


def _see_who_is_in_the_way(lab: Lab) -> None:
    """And what the migration has done before is undone while it lets others pass."""
    lab.write("r1", CREATE)
    lab.write("r2", f'op.execute("DELETE FROM notes"){ALTER}')
    with lab.fresh() as target:
        target.upgrade("r1")
        with transaction(target.url, "LOCK TABLE accounts IN SHARE MODE") as connection:
            session = connection.scalar(text("SELECT pg_backend_pid()"))
            ended = target.alembic(
                "-x", "lock-wait=4", "upgrade", "head", MIGRATION_LOCK_TIMEOUT="0.3"
            )
        assert ended.code != 0
        assert "Traceback" not in ended.output
        assert f"longer than 0.3 s, because of session {session} (" in ended.output
        assert "idle in transaction" in ended.output
        assert "SELECT pg_backend_pid()" in ended.output
        assert "tried again in 3 s" in ended.output
        assert "in 3 s, and may wait no longer than 4 s in all. Run the" in ended.output
        assert target.revision == "r1"
        assert target.query("SELECT text FROM notes") == [("created",)]
        target.upgrade("head")


@ON_POSTGRESQL
def test_others_get_what_the_migration_had_locked_before(lab: Lab) -> None:
    """And a type that was made before, and is gone, is made anew."""
    lab.write("r1", CREATE)
    mood = 'sa.Column("mood", sa.Enum("good", "bad", name="mood"))'
    lab.write("r2", f'op.create_table("moods", {mood})\nop.execute("LOCK TABLE notes"){ALTER}')
    with lab.fresh() as target:
        target.upgrade("r1")
        with traffic(target.url, "SELECT count(*) FROM notes") as measured:
            with transaction(target.url, QUERY):
                running = target.begin("upgrade", "head", MIGRATION_LOCK_TIMEOUT="0.5")
                measured.wait_for_a_slow_one()
                time.sleep(2)
            assert running.result().code == 0, running.result().output
        assert measured.worst < 0.5 + TOLERANCE


@ON_POSTGRESQL
def test_who_is_in_the_way_and_may_not_be_seen(lab: Lab) -> None:
    lab.write("r1", CREATE)
    lab.write("r2", ALTER)
    with lab.fresh() as target, restricted(target) as url:
        user = make_url(url).username
        target.execute(f"GRANT ALL ON SCHEMA public TO {user}")
        theirs = replace(target, url=url)
        theirs.upgrade("r1")
        with transaction(target.url, QUERY):
            limits = {"MIGRATION_LOCK_TIMEOUT": "0.4", "MIGRATION_LOCK_WAIT": "1"}
            said = theirs.alembic("upgrade", "head", **limits).output
        owner = make_url(target.url).username
        assert f"of the user {owner}; to be told more, GRANT pg_read_all_stats TO {user})." in said
        assert "None" not in said


@ON_POSTGRESQL
def test_who_is_in_the_way_and_has_no_session(lab: Lab) -> None:
    lab.write("r1", CREATE)
    lab.write("r2", ALTER)
    with lab.fresh() as target:
        if target.query("SHOW max_prepared_transactions") == [("0",)]:
            pytest.skip("This server prepares no transactions.")
        target.upgrade("r1")
        with transaction(target.url, QUERY) as connection:
            connection.execute(text(f"PREPARE TRANSACTION '{target.name}'"))
        limits = {"MIGRATION_LOCK_TIMEOUT": "0.4", "MIGRATION_LOCK_WAIT": "1"}
        said = target.alembic("upgrade", "head", **limits).output
        target.execute(f"ROLLBACK PREPARED '{target.name}'")
        assert f"because of the prepared transaction {target.name} (of " in said


@ON_POSTGRESQL
def test_a_deadlock_is_tried_again(lab: Lab) -> None:
    """With a relative target, which still is meant from where the database was."""
    lab.write("r1", CREATE)
    lab.write("r2", 'op.execute("UPDATE accounts SET amount = 6")')
    lab.write("r3", 'op.execute("UPDATE accounts SET amount = 7")\nop.execute("DELETE FROM notes")')
    with lab.fresh() as target:
        target.upgrade("r1")
        target.execute(f"ALTER DATABASE {target.name} SET deadlock_timeout = '300ms'")
        with transaction(target.url, "UPDATE notes SET text = 'kept'") as connection:
            running = target.begin("upgrade", "+2", MIGRATION_LOCK_TIMEOUT="1")
            _wait_until_somebody_waits(target)
            connection.execute(text("UPDATE accounts SET amount = amount + 1"))
            connection.commit()
        assert running.result().code == 0, running.result().output
        assert "Migration r3 had to wait" in running.result().output
        assert target.query("SELECT amount FROM accounts") == [(7,)]
        assert target.revision == "r3"


@contextmanager
def _at_r1(lab: Lab, change: str) -> Iterator[Target]:
    """A database that lacks r2, which makes the change."""
    lab.write("r1", CREATE)
    lab.write("r2", change)
    with lab.fresh() as target:
        target.upgrade("r1")
        yield target


def _wait_until_somebody_waits(target: Target) -> None:
    deadline = time.monotonic() + 60
    query = (
        "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while not target.query(query):
        assert time.monotonic() < deadline
        time.sleep(0.05)


CONCURRENTLY = """
with op.get_context().autocommit_block():
    op.create_index("ix_amount", "accounts", ["amount"], postgresql_concurrently=True)
op.execute("DROP TABLE notes")
"""


@ON_POSTGRESQL
def test_an_index_is_not_built_again(lab: Lab) -> None:
    """It waits without a limit, keeps nobody waiting, and stays when what follows is tried again."""
    with _at_r1(lab, CONCURRENTLY) as target:
        with transaction(target.url, "LOCK TABLE notes IN SHARE MODE"):
            with (
                traffic(target.url, "UPDATE accounts SET amount = amount + 1") as measured,
                transaction(target.url, QUERY, isolation_level="REPEATABLE READ") as connection,
            ):
                session = connection.scalar(text("SELECT pg_backend_pid()"))
                running = target.begin("upgrade", "head", MIGRATION_LOCK_TIMEOUT="0.4")
                _wait_until_somebody_waits(target)
                time.sleep(2)
            _wait_until_somebody_waits(target)
            built = target.query("SELECT 'ix_amount'::regclass::oid")
            time.sleep(1)
        output = running.result().output
        assert running.result().code == 0, output
        assert f"Waiting for session {session} (" in output
        assert "Migration r2 had to wait longer than 0.4 s" in output
        assert target.query("SELECT 'ix_amount'::regclass::oid") == built
        assert measured.worst < TOLERANCE


# As a migration does where some installations lack the index.
CAUGHT = """
op.create_table("before", sa.Column("id", sa.Integer, primary_key=True))
try:
    with op.get_bind().begin_nested():
        op.drop_index("ix_amount", "accounts")
except sa.exc.DBAPIError:
    pass
"""
AFTER = """
op.create_table("after", sa.Column("id", sa.Integer, primary_key=True))
"""


@ON_SERVERS
def test_a_lock_that_was_not_given_is_no_error_to_be_caught(lab: Lab) -> None:
    """Whether the migration then goes on, ends, or fails."""
    lab.write("r1", f'{CREATE}op.create_index("ix_amount", "accounts", ["amount"])')
    with lab.fresh() as target:
        target.upgrade("r1")
        with transaction(target.url, QUERY):
            for rest in (AFTER, "", "raise RuntimeError"):
                lab.write("r2", CAUGHT + rest)
                ended = target.alembic(
                    "-x", "lock-wait=0", "upgrade", "head", MIGRATION_LOCK_TIMEOUT="0.3"
                )
                assert "Migration r2 did not get its locks" in ended.output
                assert target.revision == "r1"
                assert "after" not in target.tables()
        lab.write("r2", CAUGHT + AFTER)
        target.upgrade("head")
        assert {"before", "after"} <= target.tables()
        assert "ix_amount" not in target.indexes("accounts")


ANOTHER = """
assert "accounts" in sa.inspect(op.get_bind().engine).get_table_names()
op.execute("UPDATE accounts SET amount = 6")
with op.get_bind().engine.begin() as connection:
    connection.execute(sa.text("UPDATE accounts SET amount = 7"))
"""
IN_AUTOCOMMIT = ANOTHER.replace(
    "engine.begin()", 'engine.execution_options(isolation_level="AUTOCOMMIT").connect()'
)


@ON_SERVERS
@pytest.mark.parametrize("upgrade", [ANOTHER, IN_AUTOCOMMIT])
def test_another_connection_of_the_migration_waits_for_it(lab: Lab, upgrade: str) -> None:
    """For ever, if it were let; and to try again would end in the same way."""
    with _at_r1(lab, upgrade) as target:
        ended = target.alembic("upgrade", "head", MIGRATION_LOCK_TIMEOUT="0.4")
        assert ended.code != 0
        assert "UPDATE accounts SET amount = 7" in ended.output
        assert "let the migration use op.get_bind() and not its engine" in ended.output
        assert "tried again" not in ended.output
        assert target.revision == "r1"
        lab.write("r2", 'op.execute("UPDATE accounts SET amount = 7")')
        target.upgrade()
        assert target.query("SELECT amount FROM accounts") == [(7,)]


BLOCK = f"""
with op.get_context().autocommit_block():
    {ALTER.strip()}
"""


@ON_POSTGRESQL
def test_a_block_keeps_nobody_waiting(lab: Lab) -> None:
    with _at_r1(lab, BLOCK) as target:
        with traffic(target.url, QUERY) as measured:
            with transaction(target.url, QUERY):
                running = target.begin("upgrade", "head", MIGRATION_LOCK_TIMEOUT="0.4")
                measured.wait_for_a_slow_one()
                time.sleep(2)
            assert running.result().code == 0, running.result().output
        assert "Migration r2 had to wait longer than 0.4 s" in running.result().output
        assert measured.worst < 0.4 + TOLERANCE


@ON_POSTGRESQL
def test_a_block_behind_a_pooler(pooled: Lab) -> None:
    with _at_r1(pooled, BLOCK) as target:
        with transaction(target.url, QUERY):
            limits = ["-x", "lock-wait=0", "upgrade", "head"]
            ended = target.alembic(*limits, MIGRATION_LOCK_TIMEOUT="0.3")
        assert "Migration r2 did not get its locks, because" in ended.output
        target.upgrade()
        assert target.query("SELECT currency FROM accounts") == [(None,)]


@ON_POSTGRESQL
def test_the_server_ends_sessions_that_do_nothing(lab: Lab) -> None:
    """Not those that work, pause, or wait for their turn."""
    lock = "SET idle_in_transaction_session_timeout = 0; LOCK TABLE accounts IN SHARE MODE"
    with _at_r1(lab, f"time.sleep(0.6){ALTER}") as target:
        for setting in ("idle_session_timeout", "idle_in_transaction_session_timeout"):
            target.execute(f"ALTER DATABASE {target.name} SET {setting} = '300ms'")
        with transaction(target.url, lock):
            job = target.job(
                "upgrade", "head", variables={"MIGRATION_LOCK_TIMEOUT": "0.1"}, at_once=2
            )
            both = target.lab.launcher.start(job)
            time.sleep(3)
        for ended in both.result(PATIENCE):
            assert ended.code == 0, ended.output


@ON_POSTGRESQL
def test_an_index_waits_no_longer_than_it_may(lab: Lab) -> None:
    with _at_r1(lab, CONCURRENTLY) as target:
        with transaction(target.url, QUERY, isolation_level="REPEATABLE READ") as connection:
            session = connection.scalar(text("SELECT pg_backend_pid()"))
            for _ in range(2):
                ended = target.db("upgrade", "--lock-wait", "1", MIGRATION_LOCK_TIMEOUT="0.4")
                assert ended.code != 0
                said = f"Migration r2 did not get its locks, because of session {session} ("
                assert said in ended.output, ended.output
        target.upgrade()
        assert target.query(
            "SELECT indisvalid FROM pg_index WHERE indexrelid='ix_amount'::regclass"
        ) == [(True,)]
