"""`db plan`: what `upgrade` would do, as the server tells it, without doing it."""

import json

import pytest

from ..apply.lab import Lab

pytestmark = pytest.mark.slow

CREATE = """
op.create_table(
    "people",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer),
)
"""
SAFE = """
op.add_column("people", sa.Column("email", sa.String(50)))
op.create_table("teams", sa.Column("id", sa.Integer, primary_key=True))
op.create_index("teams_id", "teams", ["id"])
"""
UNSAFE = """
with op.batch_alter_table("people") as batch:
    batch.alter_column("number", type_=sa.BigInteger, existing_type=sa.Integer)
op.add_column("people", sa.Column("name", sa.String(50), nullable=False, server_default=""))
op.execute("DROP TABLE teams")
op.execute("INSERT INTO people (id, name) VALUES (1, '100%')")
op.drop_column("people", "email")
"""
# What the server says of the first statement of each.
LOCKS = {
    "postgresql": ("AccessExclusive on people", "AccessExclusive on people"),
    "mysql": ("ALGORITHM=INSTANT on people", "ALGORITHM=COPY LOCK=SHARED on people"),
    "mariadb": ("ALGORITHM=INSTANT on people", "ALGORITHM=COPY LOCK=SHARED on people"),
}


@pytest.fixture
def three(lab: Lab) -> Lab:
    for number, change in enumerate([CREATE, SAFE, UNSAFE], start=1):
        lab.write(f"r{number}", change, "raise NotImplementedError")
    return lab


def test_what_is_pending(three: Lab, database: str) -> None:
    with three.fresh() as target:
        target.upgrade("r1")
        ended = target.db("plan", "--json")
        assert (ended.code, target.revision) == (1, "r1"), ended.output
        assert target.tables() >= {"people"}
        assert "teams" not in target.tables()
        shown = target.db("plan")
        target.upgrade()
        nothing = target.db("plan")
    plan = json.loads(ended.output)
    second, third = plan["pending"]
    assert [second["revision"], third["revision"]] == ["r2", "r3"]
    assert second["statements"][0]["sql"].startswith("ALTER TABLE people ADD ")
    assert second["findings"] == []
    # Nobody uses the table that r2 makes, nor its column.
    assert "drop-table" not in [finding["code"] for finding in third["findings"]]
    assert third["findings"][0].keys() >= {"code", "revision", "file", "line", "message"}
    if database != "sqlite":
        locks = second["statements"][0]["locks"][0], third["statements"][0]["locks"][0]
        assert locks == LOCKS[database]
        assert third["findings"][0]["code"] == "change-type"
    assert "people" in [table for each in third["statements"] for table in each["rewrites"]]
    assert plan["breaks"] == []
    assert "r3, src/" in shown.output
    assert "-- writes all rows of people anew" in shown.output
    assert "VALUES (1, '100%');" in shown.output
    assert "would work on the new schema" in shown.output
    assert (nothing.code, nothing.output) == (0, "Nothing is pending.\n")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_statement_of_nothing(lab: Lab) -> None:
    lab.write("r1", 'op.execute(";")')
    with lab.fresh() as target:
        assert "r1, src/" in target.db("plan").output


def test_what_cannot_be_looked_at(three: Lab, database: str) -> None:
    with three.fresh() as target:
        if database == "postgresql":
            configuration = three.project.path / ".squawk.toml"
            configuration.write_text("pg_version = fifteen")
            ended = target.db("plan")
            configuration.unlink()
            assert ended.code == 2
            assert "squawk, which is asked where it is installed, does not answer" in ended.output
            assert "(Configuration error: " in ended.output
            # As what was built for another machine.
            squawk = three.project.path / "squawk"
            squawk.write_bytes(b"\0")
            squawk.chmod(0o755)
            three.write("r4", f'import sys\nsys.executable = "{squawk}"\nop.execute("SELECT 1")')
            ended = target.db("plan")
            (three.project.package / "migrations" / "versions" / "r4.py").unlink()
            squawk.unlink()
            assert ended.code == 2
            assert f"FAILED: {squawk}, which is asked" in ended.output
            assert "2.70 does (Exec format error): install that" in ended.output
        target.upgrade()
        target.execute("UPDATE alembic_version SET version_num = 'later'")
        target.execute("DELETE FROM alembic_history")
        ended = target.db("plan")
        assert ended.code == 2
        assert "FAILED: The database is at a migration that this release" in ended.output
