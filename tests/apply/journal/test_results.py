"""MySQL and MariaDB: what a migration has read, or was given, before it was interrupted."""

from textwrap import indent

import pytest

from .changes import DIE, TIMES_TEN, A, B
from .workshop import MARKS, Workshop

pytestmark = MARKS


def test_a_long_result(workshop: Workshop) -> None:
    """Rows that the next run cannot read again."""
    read = """
read = sa.text("SELECT id, REPEAT('x', 900000) FROM t WHERE v < 10")
ids = [id for id, _ in op.get_bind().execute(read)]
"""
    use = 'op.execute(f"UPDATE t SET v = v + 1 WHERE id IN ({ids[0]}, {ids[1]})")\n'
    with workshop.case(read + TIMES_TEN + A + DIE + use) as case:
        case.die()
        case.complete()
        assert case.query("SELECT v FROM t ORDER BY id") == [(11,), (21,)]
    with workshop.case(read + A + DIE + B) as case:
        case.die()
        case.execute('UPDATE alembic_journal SET outcome = \'{"digest": "1f"}\' WHERE number = 1')
        assert "the long result that it once gave is not known" in case.refused()


COMMITS = [
    A,
    'op.execute("COMMIT")\n',
    "with op.get_context().autocommit_block():\n    pass\n",
]


def test_a_result_that_the_journal_cannot_keep(workshop: Workshop, database: str) -> None:
    """It is half as long as a packet may be, and cannot be compressed."""
    count = {"mariadb": 80, "mysql": 160}[database]
    read = f"""
op.get_bind().execute(sa.text(
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
    " SELECT RANDOM_BYTES(1024) FROM n CROSS JOIN n AS m"
)).all()
"""
    with workshop.case(TIMES_TEN + read + TIMES_TEN) as case:
        for commit in COMMITS:
            ignored = indent(commit, "    ")
            case.edit(f"{TIMES_TEN}{read}with suppress(Exception):\n{ignored}{TIMES_TEN}")
            refusal = case.refused()
            assert "Statement 2 of the upgrade of r2 gives more rows than the journal" in refusal
            assert case.query("SELECT v FROM t ORDER BY id") == [(1,), (2,)]
            assert case.query("SELECT COUNT(*) FROM alembic_journal") == [(0,)]
        case.edit(TIMES_TEN + read + TIMES_TEN)
        case.complete()
        assert case.query("SELECT v FROM t ORDER BY id") == [(100,), (200,)]


def test_very_many_values(workshop: Workshop) -> None:
    """Their fingerprints would not fit into a packet."""
    insert = """
rows = [{"id": number, "v": uuid.uuid4().int % 10**8} for number in range(10, 60_000)]
op.bulk_insert(sa.table("t", sa.column("id"), sa.column("v")), rows)
"""
    with workshop.case(insert + A + DIE + B) as case:
        case.die()
        said = case.refused()
        assert "the same file says another one now" in said
        assert "Put it back as it was" in said
    with workshop.case(insert.replace("uuid.uuid4().int", "number") + A + DIE + B) as case:
        case.die()
        case.complete()


def test_rows_that_an_insert_gives(workshop: Workshop, database: str) -> None:
    if database == "mysql":
        pytest.skip("MySQL has no RETURNING")
    insert = """
key = sa.Column("id", sa.Integer, primary_key=True, autoincrement=False)
t = sa.Table("t", sa.MetaData(), key, sa.Column("v", sa.Integer))
rows = [{"id": 8, "v": 80}, {"id": 9, "v": 90}]
bind = op.get_bind()
"""
    one = (
        insert
        + """
v = bind.execute(t.insert().values(rows[0]).returning(t.c.v)).scalar_one()
op.execute("UPDATE t SET v = 1 WHERE id = 8")
die()
op.execute(f"INSERT INTO t VALUES (7, {v})")
"""
    )
    with workshop.case(one) as case:
        case.die()
        case.complete()
        assert case.query("SELECT v FROM t WHERE id = 7") == [(80,)]


def test_rows_of_a_session(workshop: Workshop) -> None:
    """Their keys are the server's, and other rows refer to them."""
    session = """
from sqlalchemy.orm import Session, declarative_base, relationship
op.create_table("teams", sa.Column("id", sa.Integer, primary_key=True))
team = sa.Column("team_id", sa.Integer, sa.ForeignKey("teams.id"))
op.create_table("members", sa.Column("id", sa.Integer, primary_key=True), team)

class Base(declarative_base()):
    __abstract__ = True
    id = sa.Column(sa.Integer, primary_key=True)

class Team(Base):
    __tablename__ = "teams"
    members = relationship("Member")

class Member(Base):
    __tablename__ = "members"
    team_id = sa.Column(sa.ForeignKey("teams.id"))

session = Session(op.get_bind())
session.add_all(Team(members=[Member(), Member()]) for _ in range(3))
session.commit()
op.add_column("teams", sa.Column("size", sa.Integer))
die()
for team in session.query(Team).order_by(Team.id):
    op.execute(f"UPDATE teams SET size = {len(team.members)} WHERE id = {team.id}")
"""
    with workshop.case(session) as case:
        case.die()
        case.complete()
        assert case.query("SELECT id, size FROM teams") == [(1, 2), (2, 2), (3, 2)]
        assert len(case.query("SELECT * FROM members")) == 6


def test_what_the_session_knew(workshop: Workshop) -> None:
    """The next run has another session, and other rows to ask."""
    ask = """
op.execute("SET @total = (SELECT SUM(v) FROM t)")
op.execute("UPDATE t SET v = LAST_INSERT_ID(v + 41) WHERE id = 1")
"""
    use = 'op.execute("INSERT INTO t (id, v) VALUES (8, @total), (9, LAST_INSERT_ID())")\n'
    with workshop.case(ask + A + DIE + use) as case:
        case.die()
        case.complete()
        assert case.query("SELECT v FROM t WHERE id > 2 ORDER BY id") == [(3,), (42,)]


def test_what_the_session_knew_when_an_answer_was_lost(workshop: Workshop) -> None:
    ask = 'op.execute("UPDATE t SET v = LAST_INSERT_ID(v + 41) WHERE id = 1")\n'
    use = 'op.execute("INSERT INTO t (id, v) VALUES (9, LAST_INSERT_ID())")\n'
    with workshop.case(ask + A + use) as case:
        case.interrupt("ALTER TABLE t ADD COLUMN a")
        case.complete()
        assert case.query("SELECT v FROM t WHERE id = 9") == [(42,)]
