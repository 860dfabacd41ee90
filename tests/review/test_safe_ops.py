"""`safe_ops`: changes of tables in use, interrupted and completed, and in nobody's way."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from textwrap import dedent

import pytest
from sqlalchemy import Connection, NullPool, create_engine, inspect, text

from ..apply.lab import Lab, Target
from ..apply.traffic import traffic
from ..servers import driver_url

pytestmark = pytest.mark.slow

CREATE = """
op.create_table("teams", sa.Column("id", sa.Integer, primary_key=True))
people = op.create_table(
    "people",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("team", sa.Integer),
    sa.Column("email", sa.String(50)),
    sa.Column("amount", sa.Integer),
)
op.execute("INSERT INTO teams VALUES (1)")
op.bulk_insert(people, [
    {"id": 3 * number, "team": 1, "email": f"{number}@example.com", "amount": 10 * number}
    for number in range(1, 26)
])
"""
# Each in a migration of its own.
CHANGES = [
    """
    safe_ops.create_index("people_team", "people", ["team"])
    safe_ops.create_index("people_gone", "people", ["amount"])
    safe_ops.drop_index("people_gone", "people")
    safe_ops.create_foreign_key("fk_team", "people", "teams", ["team"], ["id"], ondelete="CASCADE")
    safe_ops.create_check("ck_amount", "people", "amount > 0")
    """,
    'safe_ops.create_unique("uq_email", "people", ["email"])',
    'safe_ops.set_not_null("people", "email", existing_type=sa.String(50))',
    """
    safe_ops.batched_update("people", "amount = amount + 1", "id <> 6", size=4)
    safe_ops.batched_update("people", "amount = amount + 1", size=5)
    """,
]
DIE_ONCE = """
import os, signal
from {package}.migrations.toolkit.safe_ops import batches

def sleep(_):
    calls.append(1)
    if len(calls) == 3 and not Path("begun").exists():
        Path("begun").touch()
        os.kill(os.getpid(), signal.SIGKILL)

calls = []
batches.time = type("Time", (), {{"sleep": sleep, "monotonic": time.monotonic}})
"""


@pytest.fixture
def changes(lab: Lab) -> Lab:
    lab.write("r1", CREATE)
    for number, change in enumerate(CHANGES, start=2):
        lab.write(f"r{number}", f"{_import(lab)}\n{dedent(change)}")
    return lab


def _import(lab: Lab) -> str:
    return f"from {lab.project.answers['package_name']}.migrations.toolkit import safe_ops"


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_in_another_schema(lab: Lab) -> None:
    lab.write(
        "r1",
        """
        op.execute("CREATE SCHEMA billing")
        op.execute("CREATE TABLE billing.bills (id int PRIMARY KEY, of int, amount int)")
        """,
        "raise NotImplementedError",
    )
    schemas = 'schemas = {"source_schema": "billing", "referent_schema": "billing"}'
    calls = [
        'create_index("bills_of", "bills", ["of"], schema="billing")',
        'create_foreign_key("fk", "bills", "bills", ["of"], ["id"], **schemas)',
        'create_check("ck", "bills", "amount > 0", schema="billing")',
        'create_unique("uq", "bills", ["amount"], schema="billing")',
        'set_not_null("bills", "of", schema="billing")',
    ]
    for number, call in enumerate(calls, start=2):
        lab.write(
            f"r{number}", f"{_import(lab)}\n{schemas}\nsafe_ops.{call}", "raise NotImplementedError"
        )
    with lab.fresh() as target:
        target.upgrade()
        made = target.query("SELECT conname FROM pg_constraint WHERE convalidated ORDER BY 1")
        assert {("ck",), ("fk",), ("uq",)} <= set(made)
        assert "Nothing found in" in target.db("lint").output


def test_each_does_what_it_says(changes: Lab) -> None:
    with changes.fresh() as target:
        target.upgrade()
        _check(target)
        assert target.query("SELECT amount FROM people WHERE id IN (3, 6) ORDER BY id") == [
            (12,),
            (21,),
        ]


def _check(target: Target) -> None:
    with _connection(target) as connection:
        found = inspect(connection)
        [key] = found.get_foreign_keys("people")
        assert (key["name"], key["options"]) == ("fk_team", {"ondelete": "CASCADE"})
        assert [check["name"] for check in found.get_check_constraints("people")] == ["ck_amount"]
        uniques = [unique["name"] for unique in found.get_unique_constraints("people")]
        assert uniques == ["uq_email"]
        assert "people_team" in [index["name"] for index in found.get_indexes("people")]
        assert "people_gone" not in [index["name"] for index in found.get_indexes("people")]
        nullable = {column["name"]: column["nullable"] for column in found.get_columns("people")}
        assert (nullable["email"], nullable["team"]) == (False, True)
        if target.lab.database == "postgresql":
            invalid = "SELECT conname FROM pg_constraint WHERE NOT convalidated"
            assert not connection.execute(text(invalid)).all()


def test_an_update_that_is_killed_goes_on(lab: Lab, database: str) -> None:
    """Which is seen in what may not be done twice."""
    package = str(lab.project.answers["package_name"])
    update = 'safe_ops.batched_update("people", "amount = amount + 1", size=4)'
    lab.write("r1", CREATE)
    lab.write("r2", f"{_import(lab)}\n{DIE_ONCE.format(package=package)}\n{update}")
    with lab.fresh() as target:
        target.upgrade("r1")
        killed = target.alembic("upgrade", "head")
        assert killed.code == -9
        done = "SELECT COUNT(*) FROM people WHERE amount % 10 = 1"
        # SQLite changes all or nothing.
        assert target.query(done) == [(0 if database == "sqlite" else 12,)]
        target.upgrade()
        assert target.query("SELECT SUM(amount - 10 * id / 3) FROM people") == [(25,)]
        assert target.revision == "r2"


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_an_update_in_the_order_of_bytes_goes_on(lab: Lab) -> None:
    package = str(lab.project.answers["package_name"])
    lab.write(
        "r1",
        """
        op.execute("CREATE TABLE files (id bytea PRIMARY KEY, amount int NOT NULL DEFAULT 1)")
        op.execute("INSERT INTO files SELECT decode(md5(i::text), 'hex') FROM generate_series(1, 25) i")
        """,
    )
    update = 'safe_ops.batched_update("files", "amount = amount + 1", size=4)'
    lab.write("r2", f"{_import(lab)}\n{DIE_ONCE.format(package=package)}\n{update}")
    with lab.fresh() as target:
        target.upgrade("r1")
        assert target.alembic("upgrade", "head").code == -9
        target.upgrade()
        assert target.query("SELECT SUM(amount) FROM files") == [(50,)]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_names_that_are_long(lab: Lab) -> None:
    """What is longer than the server's names is cut in the same way for all statements."""
    table, column = "a" * 50, "b" * 50
    lab.write("r1", f'op.execute("CREATE TABLE {table} ({column} int)")')
    lab.write("r2", f'{_import(lab)}\nsafe_ops.set_not_null("{table}", "{column}")')
    with lab.fresh() as target:
        target.upgrade()
        assert target.query(
            "SELECT attnotnull FROM pg_attribute WHERE attname = repeat('b', 50)"
        ) == [(True,)]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_killed_at_any_moment(changes: Lab, rounds: int) -> None:
    with changes.fresh() as target:
        target.upgrade("r1")
        points = changes.launch([target.job("upgrade", "head")])[0][0].points
    assert points > 100
    stride = max(1, points // (4 * rounds))
    for point in range(stride // 2, points, stride):
        with changes.fresh() as target:
            target.upgrade("r1")
            job = target.job("upgrade", "head")
            [[killed], [ended]] = changes.launch([replace(job, kill_at=point), job])
            assert killed.code == -9
            assert ended.code == 0, f"point {point}: {ended.output}"
            _check(target)
            rest = "SELECT SUM(amount) - SUM(10 * id / 3), COUNT(*) FROM people"
            assert target.query(rest) == [(49, 25)], f"point {point}"
            assert "alembic_unfinished" not in target.tables()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_constraint_keeps_nobody_waiting(lab: Lab) -> None:
    check = 'safe_ops.create_check("ck_amount", "people", "amount > 0")'
    with _at_r1(lab, check, 'op.drop_constraint(op.f("ck_amount"), "people")') as target:
        with _connection(target) as writer:
            writer.execute(text("UPDATE people SET amount = amount + 0 WHERE id = 3"))
            limits = {"MIGRATION_LOCK_TIMEOUT": "0.1", "MIGRATION_LOCK_WAIT": "2"}
            ended = target.alembic("upgrade", "head", **limits)
        assert ended.code != 0
        assert "It lets others pass" in ended.output, ended.output
        target.upgrade()
        assert target.revision == "r2"
        assert target.alembic("downgrade", "r1").code == 0


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_an_update_keeps_nobody_waiting(lab: Lab) -> None:
    """A row of the second batch is held; meanwhile the application changes another one of it."""
    update = 'safe_ops.batched_update("people", "amount = amount + 1", size=4)'
    with _at_r1(lab, update) as target:
        change = "UPDATE people SET team = team WHERE id = 15"
        with traffic(target.url, change) as measured:
            with _connection(target) as writer:
                writer.execute(text("UPDATE people SET team = team WHERE id = 24"))
                running = target.begin("upgrade", "head", MIGRATION_LOCK_TIMEOUT="0.4")
                measured.wait_for_a_slow_one()
                time.sleep(1)
            ended = running.result()
        assert ended.code == 0, ended.output
        assert "Migration r2 had to wait longer than 0.4 s, because of session" in ended.output
        assert measured.worst < 1.4
        assert target.query("SELECT SUM(amount - 10 * id / 3) FROM people") == [(25,)]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_an_invalid_index_is_built_anew(changes: Lab) -> None:
    with changes.fresh() as target:
        target.upgrade("r2")
        target.execute("UPDATE people SET email = 'twice' WHERE id < 9")
        assert target.alembic("upgrade", "r3").code != 0
        target.execute("UPDATE people SET email = email || id")
        target.upgrade()
        _check(target)


@pytest.mark.parametrize("database", ["mysql", "mariadb"], indirect=True)
def test_rows_that_refer_to_none(changes: Lab) -> None:
    with changes.fresh() as target:
        target.upgrade("r1")
        target.execute("UPDATE people SET team = 7 WHERE id < 9")
        ended = target.alembic("upgrade", "head")
        assert "2 rows of people refer by (team) to rows that teams lacks" in ended.output
        target.execute("UPDATE people SET team = 1")
        target.upgrade()
        _check(target)


# SQLite has to look at a table to make it anew.
@pytest.mark.parametrize("database", ["postgresql", "mysql", "mariadb"], indirect=True)
def test_as_sql(changes: Lab) -> None:
    with changes.fresh() as target:
        written = target.alembic("upgrade", "head", "--sql")
    assert written.code == 0, written.output
    assert "UPDATE people SET amount = amount + 1 WHERE (id <> 6);" in written.output


@contextmanager
def _at_r1(lab: Lab, change: str, back: str = "pass") -> Iterator[Target]:
    """A database that lacks r2, which makes the change."""
    lab.write("r1", CREATE)
    lab.write("r2", f"{_import(lab)}\n{change}", back)
    with lab.fresh() as target:
        target.upgrade("r1")
        yield target


@contextmanager
def _connection(target: Target) -> Iterator[Connection]:
    engine = create_engine(driver_url(target.url), poolclass=NullPool)
    with engine.connect() as connection:
        yield connection
