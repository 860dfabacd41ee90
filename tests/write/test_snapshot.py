"""`db status --drift` finds what somebody has changed in a database by hand."""

import json
from contextlib import suppress

import pytest
from sqlalchemy.exc import DBAPIError

from ..apply.lab import Lab, Target

pytestmark = pytest.mark.slow

CREATE = """
op.create_table(
    "users",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(50), nullable=False),
    sa.Column("age", sa.Integer),
    sa.CheckConstraint("age > 0", name="age"),
)
op.create_index("ix_users_name", "users", ["name"])
"""
TRIGGERS = {
    "sqlite": "CREATE TRIGGER grow AFTER INSERT ON users BEGIN SELECT 1; END",
    "postgresql": "CREATE TRIGGER grow BEFORE UPDATE ON users FOR EACH ROW"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
}
TRIGGER = "CREATE TRIGGER grow BEFORE INSERT ON users FOR EACH ROW SET NEW.age = 1"
BY_HAND = [
    "CREATE INDEX ix_by_hand ON users (age)",
    "ALTER TABLE users ADD shoes INTEGER",
    "DROP INDEX ix_users_name{}",
    "CREATE VIEW adults AS SELECT id FROM users",
]
FOUND = [
    "index ix_by_hand of users should not be there",
    "column users.shoes should not be there",
    "index ix_users_name of users is missing",
    "view adults should not be there",
    "trigger grow of users should not be there",
]


def drift(target: Target, *options: str) -> tuple[int, list[str]]:
    ended = target.db(*options, "status", "--drift", "--json")
    return ended.code, json.loads(ended.output)["drift"]


def test_what_was_done_by_hand(lab: Lab) -> None:
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        target.upgrade()
        ended = target.db("status", "--drift")
        assert ended.code == 0, ended.output
        assert "Drift:      none" in ended.output
        assert drift(target) == (0, [])
        for statement in (*BY_HAND, TRIGGERS.get(lab.database, TRIGGER)):
            on_table = " ON users" if lab.database in {"mysql", "mariadb"} else ""
            target.execute(statement.format(on_table))
        code, lines = drift(target)
        assert code == 1
        assert len(lines) == len(FOUND)
        for wanted in FOUND:
            assert any(line.startswith(wanted) for line in lines), lines
        ended = target.db("status", "--drift")
        assert ended.code == 1
        assert all(line in ended.output for line in lines)
        assert "undo by hand what was done by hand" in ended.output
        # Nothing was changed meanwhile.
        assert drift(target) == (1, lines)
        assert len(drift(target, "-x", "other-tables=ignore")[1]) == len(FOUND) - 1
        if lab.database == "mariadb":
            target.execute("CREATE SEQUENCE numbers")
            assert "sequence numbers should not be there" in drift(target)[1]


RARE = [
    "ALTER TABLE users SET UNLOGGED",
    "ALTER SEQUENCE users_id_seq START 5 CACHE 20",
    "CREATE AGGREGATE total (int) (sfunc = int4pl, stype = int, initcond = '0')",
    "CREATE TYPE pair AS (a int, b varchar(3))",
    "CREATE TYPE empty AS ENUM ()",
    "CREATE TYPE nothing AS ()",
    "CREATE DOMAIN positive AS int NOT NULL DEFAULT 5 CHECK (VALUE > 0)",
    "CREATE MATERIALIZED VIEW names AS SELECT 1 AS one",
    "CREATE INDEX ix_names ON names (one)",
    "CREATE RULE quiet AS ON DELETE TO users DO INSTEAD NOTHING",
    "CREATE STATISTICS both_of_them ON name, age FROM users",
    "CREATE TABLE children () INHERITS (users)",
]
FOUND_RARE = [
    "aggregate total(integer) should not be there: int4pl integer - 0",
    "materialized view names should not be there: SELECT 1 AS one;",
    "table children should not be there: OF users",
    "table users is UNLOGGED, and should be without options",
    "type empty should not be there: ENUM ()",
    "type nothing should not be there: ()",
    "type pair should not be there: (a integer, b character varying(3))",
    "type positive should not be there: integer NOT NULL DEFAULT 5 CHECK ((VALUE > 0))",
    (
        "rule quiet of users should not be there:"
        " CREATE RULE quiet AS ON DELETE TO users DO INSTEAD NOTHING;"
    ),
    (
        "sequence users_id_seq of users is integer INCREMENT 1 START 5 FROM 1 TO 2147483647 CACHE 20,"
        " and should be integer INCREMENT 1 START 1 FROM 1 TO 2147483647"
    ),
    (
        "statistics both_of_them of users should not be there:"
        " CREATE STATISTICS public.both_of_them ON name, age FROM users"
    ),
]
SECURE = """
op.execute("ALTER TABLE users ENABLE ROW LEVEL SECURITY")
op.execute("CREATE POLICY own ON users USING (name = current_user)")
"""


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_who_may_see_which_rows(lab: Lab) -> None:
    lab.write("r1", f"{CREATE}{SECURE}")
    with lab.fresh() as target:
        target.upgrade()
        assert drift(target) == (0, [])
        target.execute("ALTER POLICY own ON users USING (true)")
        target.execute("ALTER TABLE users FORCE ROW LEVEL SECURITY, SET (fillfactor = 50)")
        code, lines = drift(target)
        assert code == 1
        assert len(lines) == 2
        assert "FORCE ROW LEVEL SECURITY" in lines[0]
        assert "fillfactor=50" in lines[0]
        assert lines[1].startswith("policy own of users is PERMISSIVE * - USING true")
        for statement in RARE:
            target.execute(statement)
        code, found = drift(target)
        assert [line for line in found if line not in lines] == FOUND_RARE


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_an_invalid_index(lab: Lab) -> None:
    lab.write("r1", CREATE)
    lab.write("r2", "op.create_index('ix_age', 'users', ['age'])")
    with lab.fresh() as target:
        target.upgrade()
        target.execute("DROP INDEX ix_age")
        target.execute("INSERT INTO users (name, age) VALUES ('a', 1), ('b', 1)")
        with suppress(DBAPIError):
            target.execute("CREATE UNIQUE INDEX CONCURRENTLY ix_age ON users (age)")
        code, [line] = drift(target)
        assert code == 1
        assert line.startswith("index ix_age of users is ")
        assert " INVALID, and should be " in line


def test_at_another_revision(lab: Lab) -> None:
    """What the database has is compared with the migrations up to where it is, where that is known."""
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        target.upgrade()
        lab.write("r2", "op.add_column('users', sa.Column('shoes', sa.Integer))")
        ended = target.db("status", "--drift")
        assert ended.code == 1
        assert "behind" in ended.output
        assert "Drift:      none" in ended.output
        target.execute("UPDATE alembic_version SET version_num = 'elsewhere'")
        ended = target.db("status", "--drift")
        assert ended.code == 2
        assert "FAILED: The database is unknown: " in ended.output


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_what_comes_of_the_order_of_branches(lab: Lab) -> None:
    """Foreign keys without a name are numbered."""
    create = "CREATE TABLE users (id INTEGER PRIMARY KEY, r2 INTEGER, r3 INTEGER)"
    lab.write("r1", f"op.execute('{create}')")
    for name in ("r2", "r3"):
        key = f"FOREIGN KEY ({name}) REFERENCES users (id)"
        lab.write(name, f"op.execute('ALTER TABLE users ADD {key}')")
    path = lab.project.package / "migrations" / "versions" / "r3.py"
    path.write_text(path.read_text().replace("down_revision = 'r2'", "down_revision = 'r1'"))
    with lab.fresh() as target:
        target.upgrade("heads")
        assert drift(target) == (0, [])
