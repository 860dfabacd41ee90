"""On PostgreSQL each migration is one transaction: what would end it in the middle is refused."""

import pytest

from .chain import CREATE
from .lab import Lab
from .test_interrupted_postgresql import FACTS, indexes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("database", ["postgresql"], indirect=True),
]

BEFORE_THE_BLOCK = """
op.add_column("accounts", sa.Column("currency", sa.String(3)))
with op.get_context().autocommit_block():
    op.create_index("ix_currency", "accounts", ["currency"], postgresql_concurrently=True)
"""
READ_BEFORE_THE_BLOCK = """
rows = op.get_bind().execute(sa.text("SELECT count(*) FROM accounts")).scalar()
op.execute("SET LOCAL statement_timeout = 0")
if rows:
    with op.get_context().autocommit_block():
        op.create_index("ix_amount", "accounts", ["amount"], postgresql_concurrently=True)
"""


def test_a_change_before_an_autocommit_block_is_refused(lab: Lab) -> None:
    lab.write("r1", CREATE)
    lab.write("r2", BEFORE_THE_BLOCK)
    with lab.fresh() as target:
        target.upgrade("r1")
        before = [target.query(fact) for fact in FACTS]
        for command in (target.alembic, target.db):
            refused = command("upgrade", "head")
            assert refused.code != 0
            assert "Traceback" not in refused.output
            assert "r2 changes something before its autocommit_block()" in refused.output
        assert [target.query(fact) for fact in FACTS] == before


@pytest.mark.parametrize(
    "end",
    [
        'op.execute("/* now */ commit;")',
        'op.execute("ROLLBACK WORK")',
        "op.execute(\"INSERT INTO accounts VALUES (1, 1); COMMIT; SELECT 'x'\")",
        'op.execute("BEGIN; UPDATE accounts SET amount = 1; END;")',
        "op.execute(\"PREPARE TRANSACTION 'x'\")",
        "op.get_bind().commit()",
        "op.get_bind().rollback()",
    ],
)
def test_a_migration_does_not_end_its_transaction(lab: Lab, end: str) -> None:
    lab.write("r1", CREATE)
    lab.write("r2", f'op.execute("CREATE TABLE a (id INT)")\n{end}\nop.execute("SELECT 1/0")')
    with lab.fresh() as target:
        target.upgrade("r1")
        before = [target.query(fact) for fact in FACTS]
        refused = target.alembic("upgrade", "head")
        assert refused.code != 0
        assert "FAILED: Migration r2 " in refused.output
        assert "leave " in refused.output.lower()
        assert "Traceback" not in refused.output
        assert [target.query(fact) for fact in FACTS] == before


def test_what_looks_like_the_end_of_a_transaction(lab: Lab) -> None:
    lab.write(
        "r1",
        """
        op.execute("SAVEPOINT here")
        op.execute("ROLLBACK TO SAVEPOINT here; ROLLBACK TRANSACTION TO here")
        op.execute("CREATE TABLE notes (text TEXT DEFAULT '; COMMIT;') -- ; COMMIT")
        op.execute("CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN NULL; COMMIT; END $$")
        op.execute("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END")
        op.execute(
            "CREATE FUNCTION g() RETURNS int BEGIN ATOMIC"
            " SELECT 1; SELECT CASE WHEN true THEN 1 END; END; SELECT 1"
        )
        with op.get_bind().begin_nested() as nested:
            nested.rollback()
        from sqlalchemy.orm import Session
        with Session(op.get_bind()) as session:
            session.execute(sa.text("INSERT INTO notes VALUES ('kept')"))
            session.commit()
        """,
    )
    with lab.fresh() as target:
        target.upgrade("head")


def test_a_migration_that_leaves_the_schema(lab: Lab) -> None:
    """As the first lines of what pg_dump writes do."""
    leave = "op.execute(\"SELECT pg_catalog.set_config('search_path', '', false)\")"
    lab.write("r1", leave)
    with lab.fresh() as target:
        for command in ("upgrade", "lint"):
            ended = target.db(command)
            assert ended.code == 1
            assert "a migration that sets search_path, as what pg_dump writes does," in ended.output
        lab.write("r1", f"{leave}\nop.execute('RESET search_path')")
        target.upgrade("head")


@pytest.mark.parametrize(
    ("end", "rest"),
    [
        ("commit", 'op.create_table("b", sa.Column("id", sa.Integer))'),
        ("commit", "1 / 0"),
        ("commit", 'op.get_bind().connection.cursor().execute("SELECT 1")'),
        ("rollback", "pass"),
    ],
)
def test_a_migration_that_has_ended_its_transaction(lab: Lab, end: str, rest: str) -> None:
    """Through the driver, so that it is known only afterwards: what is said of it is true."""
    create = 'op.create_table("a", sa.Column("id", sa.Integer))'
    lab.write("r1", CREATE)
    lab.write("r2", f"{create}\nop.get_bind().connection.{end}()\n{rest}")
    with lab.fresh() as target:
        target.upgrade("r1")
        ended = target.alembic("upgrade", "head")
        assert ended.code != 0
        assert "Migration r2 has ended its transaction by itself" in ended.output
        assert "Nothing of it stays" not in ended.output
        assert "b" not in target.tables()
        assert '"half-applied"' in target.db("status", "--json").output
        target.execute("DROP TABLE IF EXISTS a")
        lab.write("r2", create)
        target.upgrade("head")
        assert '"current"' in target.db("status", "--json").output


def test_autocommit_without_a_block(lab: Lab) -> None:
    """As some projects write it: what has run is known, as in a block."""
    without = (
        'op.get_bind().commit()\nop.get_bind().execution_options(isolation_level="AUTOCOMMIT")'
    )
    index = "op.execute('CREATE INDEX CONCURRENTLY ix_amount ON accounts (amount)')"
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        target.upgrade("r1")
        lab.write("r2", f"{without}\nop.execute('VACUUM nothing')")
        assert 'relation "nothing" does not exist' in target.alembic("upgrade", "head").output
        lab.write("r2", f"{without}\n{index}")
        refused = target.alembic("upgrade", "head")
        assert refused.code != 0
        assert "FAILED: Migration r2 leaves the connection in AUTOCOMMIT" in refused.output
        lab.write("r2", f"with op.get_context().autocommit_block():\n    {index}")
        target.upgrade("head")
        assert indexes(target)["ix_amount"] is True


def test_an_error_that_is_caught(lab: Lab) -> None:
    """PostgreSQL refuses all that follows, with words that tell nothing of the cause."""
    lab.write("r1", CREATE)
    caught = "try:\n    op.execute('SELECT 1 / 0')\nexcept Exception:\n    pass"
    with lab.fresh() as target:
        target.upgrade("r1")
        for rest in ("", "op.execute('SELECT 2')"):
            lab.write("r2", f"{caught}\n{rest}")
            said = target.alembic("upgrade", "head").output
            assert "FAILED: Migration r2 has caught an error of the database (division by" in said
            assert "`with op.get_bind().begin_nested():`" in said


def test_what_only_reads_may_come_before_an_autocommit_block(lab: Lab) -> None:
    lab.write("r1", CREATE)
    lab.write("r2", READ_BEFORE_THE_BLOCK)
    with lab.fresh() as target:
        target.upgrade("head")
        assert indexes(target)["ix_amount"] is True


def test_the_first_migration_may_have_an_autocommit_block(lab: Lab) -> None:
    """On an empty database, where Alembic's own table is made in the same run."""
    lab.write("r1", "with op.get_context().autocommit_block():\n    op.execute('VACUUM')")
    lab.write("r2", CREATE)
    with lab.fresh() as target:
        target.upgrade("head")
