"""One migration in the place of many: new databases are the same, and those in use notice nothing."""

import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ..apply.lab import Lab, Launcher, Target
from ..migrations import Migrations
from ..projects import Project
from .branches import on_sqlite
from .endings import refuses, succeed

pytestmark = pytest.mark.slow

USERS = """
op.create_table(
    "users",
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("email", sa.String(320), nullable=False, unique=True, comment="where to write"),
    sa.Column("mood", sa.Enum("good", "it's bad", name="mood"), server_default="good"),
    sa.Column("kind", sa.Enum("a", "b", native_enum=False, create_constraint=True, name="kind")),
    sa.Column("born", sa.Date),
    sa.Column("seen", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    sa.Column("settings", sa.JSON),
    sa.Column("is_new", sa.Boolean, server_default=sa.true(), nullable=False),
    sa.Column("photo", sa.LargeBinary),
    sa.Column("score", sa.Float),
    sa.Column("key", sa.Uuid),
)
"""
ORDERS = """
op.create_table(
    "orders",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("total", sa.Numeric(10, 2), server_default="0"),
    sa.Column(
        "user_id", sa.BigInteger, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False
    ),
    sa.Column("double", sa.Integer, sa.Computed("number * 2", persisted=True)),
    sa.Column("previous", sa.Integer, sa.ForeignKey("orders.id")),
    sa.Column("note", sa.String(20)),
    sa.CheckConstraint("number > 0", name="positive"),
    sa.CheckConstraint("note LIKE 'a%'", name="starts"),
    sa.UniqueConstraint("user_id", "number"),
    comment="what was bought",
)
op.create_index("ix_orders_total", "orders", ["total", "number"])
"""
ADD = """
with op.batch_alter_table("users") as batch:
    batch.add_column(sa.Column("name", sa.String(50)))
    batch.create_index("ix_users_name", ["name"], unique=True)
"""
DROP = """
with op.batch_alter_table("users") as batch:
    batch.drop_index("ix_users_name")
    batch.drop_column("name")
"""
ONLY = {
    "postgresql": """
op.execute("CREATE SCHEMA billing")
op.execute("ALTER TYPE mood ADD VALUE 'better'")
op.create_table(
    "bills",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("state", sa.Enum("open", "paid", name="state", schema="billing")),
    sa.Column("moods", sa.ARRAY(sa.dialects.postgresql.ENUM(name="mood", create_type=False))),
    sa.ForeignKeyConstraint(["id"], ["users.id"]),
    schema="billing",
)
op.create_table(
    "things",
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("other", sa.Integer, sa.ForeignKey("others.id")),
    sa.Column("mood", sa.dialects.postgresql.ENUM(name="mood", create_type=False)),
    sa.Column("tags", sa.ARRAY(sa.Text)),
    sa.Column("document", sa.dialects.postgresql.JSONB),
    sa.CheckConstraint("id > 0 AND id BETWEEN 0 AND 9", name="few"),
)
op.create_index("ix_tags", "things", ["tags"], postgresql_using="gin")
op.create_index("ix_few", "things", ["id"], postgresql_where=sa.text("mood = 'good'"))
op.execute("ALTER INDEX ix_few RENAME TO ix_some;")
op.execute(
    '''
    CREATE UNIQUE INDEX ix_sorted
    ON things ((id + 1) DESC NULLS LAST, (id + 2));
    '''
)
op.create_table(
    "stays",
    sa.Column("during", sa.dialects.postgresql.INT4RANGE),
    sa.dialects.postgresql.ExcludeConstraint(("during", "&&"), name="apart"),
    schema="billing",
)
op.execute("ALTER TABLE orders ADD CONSTRAINT each EXCLUDE (number WITH =) WHERE (number > 9)")
op.alter_column("orders", "id", type_=sa.BigInteger)
op.execute("ALTER SEQUENCE orders_id_seq AS bigint")
""",
    "sqlite": """
op.create_table("things", sa.Column("id", sa.Integer, primary_key=True), sqlite_autoincrement=True)
op.create_index("ix_any", "things", ["id"], sqlite_where=sa.text("id > 5"))
op.execute("DROP INDEX ix_any")
op.execute("CREATE INDEX ix_some ON things (id) WHERE id > 5;")
""",
    "mysql": """
op.create_table(
    "things",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("other", sa.Integer, sa.ForeignKey("others.id")),
    sa.Column("text", sa.Text(collation="utf8mb4_bin")),
    mysql_engine="InnoDB",
    mysql_auto_increment="1000",
    mariadb_auto_increment="1000",
)
op.create_index("ix_one", "things", ["other"])
op.execute("ALTER TABLE things RENAME INDEX ix_one TO ix_other")
""",
}
SAID = {
    "postgresql": ('"CREATE SCHEMA billing"',),
    "mysql": ('mysql_auto_increment="1000"',),
    "mariadb": ('mariadb_auto_increment="1000"',),
}
CIRCLE = """
op.create_table("others", sa.Column("id", sa.Integer, primary_key=True), sa.Column("thing", sa.Integer))
"""
CLOSE = """
with op.batch_alter_table("others") as batch:
    batch.create_foreign_key("fk_thing", "things", ["thing"], ["id"])
"""


SMALL = 'op.create_table("users", sa.Column("id", sa.Integer, primary_key=True))'


class Repository:
    def __init__(self, path: Path) -> None:
        self.path = path
        self("init", "-q", "-b", "main")
        self.commit()

    def __call__(self, *arguments: str) -> str:
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=self.path, capture_output=True, text=True, check=True)
        return done.stdout

    def commit(self) -> None:
        self("add", "--all")
        self("commit", "-q", "--allow-empty", "-m", "more")


def versions(lab: Lab) -> dict[str, str]:
    folder = lab.project.package / "migrations" / "versions"
    return {path.stem: path.read_text() for path in sorted(folder.glob("*.py"))}


@pytest.fixture
def four(lab: Lab, database: str) -> Lab:
    lab.write("r1", USERS, 'op.drop_table("users")')
    lab.write("r2", ORDERS, 'op.drop_table("orders")')
    lab.write("r3", CIRCLE + ONLY["mysql" if database == "mariadb" else database] + CLOSE)
    lab.write("r4", ADD, DROP)
    return lab


def test_nobody_notices(four: Lab) -> None:
    git = Repository(four.project.path)
    with four.fresh() as before, four.fresh() as behind, four.fresh() as after:
        before.upgrade()
        behind.upgrade("r2")
        text = succeed(before.db("squash", "r4"))
        assert "4 migrations are one now: r4.py." in text
        assert list(versions(four)) == ["r4"]
        assert git("status", "--short").count(" D ") == 3

        assert "Nothing to do" in succeed(before.db("upgrade"))
        assert '"state": "current"' in succeed(before.db("status", "--json"))
        assert "r2" not in succeed(before.db("history"))
        refuses(behind.db("upgrade"), "it was squashed into r4", "bring the database to r4 with")
        assert "it was squashed into r4" in behind.db("status").output

        after.upgrade()
        four.write("r5", 'op.add_column("users", sa.Column("age", sa.Integer))')
        for target in (before, after):
            target.upgrade()
        git.commit()
        succeed(before.db("squash"))
        assert '"state": "current"' in succeed(before.db("status", "--json"))
        refuses(behind.db("upgrade"), "it was squashed into r5")
        assert 'replaces = {\n    "r1": [\n' in versions(four)["r5"]
        # What another server may have otherwise.
        assert "mysql_engine" not in versions(four)["r5"].replace("mariadb", "mysql")
        # What PostgreSQL 14 does not know.
        assert "nulls_not_distinct" not in versions(four)["r5"]
        assert "postgresql_include" not in versions(four)["r5"]
        assert "ignore_search_path" not in versions(four)["r5"]
        # What the server does not tell of itself.
        for said in SAID.get(four.database, ()):
            assert said in versions(four)["r5"]
        four.write("r6", "pass")
        follower = four.project.package / "migrations" / "versions" / "r6.py"
        before.upgrade()
        behind.execute("UPDATE alembic_version SET version_num = 'r6'")  # Written behind r2.
        behind.execute("UPDATE alembic_history SET revision = 'r6' WHERE revision = 'r2'")
        refuses(behind.db("rebase"), "has a part only of what was squashed into r5 (", "db reset`")
        follower.unlink()
        before.execute("UPDATE alembic_version SET version_num = 'r5'")
        forget(before)
        assert "those of migration r5" in succeed(before.db("baseline"))


def forget(target: Target) -> None:
    """That it was migrated: then `baseline` compares it with what the migrations make."""
    for table in {"alembic_version", "alembic_history", "alembic_journal"} & target.tables():
        target.execute(f"DROP TABLE {table}")


REFUSED = {
    "bulk": 'op.bulk_insert(sa.table("users", sa.column("id")), [{"id": 1}])',
    "sql": 'op.execute("UPDATE users SET id = id + 1")',
    "bind": "op.get_bind()",
    "long": 'op.execute("UPDATE/*%s*/users/**/SET/**/id=1")' % ("-" * 60),
}


@on_sqlite
@pytest.mark.parametrize("kind", REFUSED)
def test_more_than_the_schema_is_not_squashed(lab: Lab, kind: str) -> None:
    lab.write("r1", SMALL)
    lab.write("r2", "pass", 'op.execute("SELECT 1")')
    lab.write("r3", REFUSED[kind])
    lab.write("r4", 'op.add_column("users", sa.Column("age", sa.Integer))')
    Repository(lab.project.path)
    before = versions(lab)
    with lab.fresh() as target:
        ended = target.db("squash")
        assert ended.code == 1
        assert f"r3.py, line 12: {REFUSED[kind].replace(chr(34), chr(39))}"[:40] in ended.output
        assert "`my-service db squash r2`), or if new databases" in ended.output
        assert "`my-service db squash head --without r3`" in ended.output
        assert "r2.py" not in ended.output
        assert versions(lab) == before
        succeed(target.db("squash", "r2"))
        assert list(versions(lab)) == ["r2", "r3", "r4"]
        succeed(target.db("upgrade"))
    lab.clear()


ROWS = """
from alembic import op


def add():
    op.execute("INSERT INTO users VALUES (1)")


def grant():
    op.execute("CREATE TEMPORARY TABLE passing (id INTEGER)")


def add_unseen():
    op.get_bind().connection.cursor().execute("INSERT INTO users VALUES (2)")
"""


END = "def upgrade() -> None:\n"


@on_sqlite
def test_what_is_in_the_way_of_a_squash(lab: Lab) -> None:
    lab.write("r1", SMALL)
    lab.write("r2", 'op.add_column("users", sa.Column("age", sa.Integer))')
    with lab.fresh() as target:
        refuses(target.db("squash"), "`git init`", "not a git repository", code=2)
    git = Repository(lab.project.path)
    with lab.fresh() as target:
        refuses(target.db("squash", DATABASE_URL="nonsense"), "DATABASE_URL", code=2)
        refuses(target.db("squash", "nowhere"), "'nowhere'", code=2)

        def refused(*parts: str, option: str = "r2") -> None:
            before = versions(lab)
            ended = target.db("squash", option, "--without", "r2")
            assert ended.code == 1
            assert all(part in ended.output for part in parts), ended.output
            assert versions(lab) == before

        lab.write("r2", 'op.add_column("users", sa.Column("years", sa.Integer))')
        refused("git could not bring these back: ", "r2.py")
        git.commit()
        lab.write("r3", "pass")
        path = lab.project.package / "migrations" / "versions" / "r3.py"
        path.write_text(path.read_text().replace("'r2'", "'r1'"))
        refused("r3 follows one that would be gone")
        refuses(target.db("squash"), "2 migrations are the last, ", "db rebase`", "db merge`")
        path.unlink()

        for statement, sentence in (
            ("CREATE VIEW v AS SELECT 1 AS n", "view v is missing"),
            ("CREATE TABLE t (a INTEGER COLLATE NOCASE)", "column t.a "),
            (
                "CREATE TABLE t (a INTEGER UNIQUE ON CONFLICT IGNORE)",
                "should be ON CONFLICT IGNORE",
            ),
        ):
            lab.write("r2", f"op.execute({statement!r})")
            git.commit()
            refused(sentence, "What is listed above cannot be squashed.")
        lab.write("r2", "pass")
        mako = lab.project.package / "migrations" / "script.py.mako"
        text = mako.read_text()
        for changed, sentence in {
            text.replace(END, f'{END}    op.execute("SELECT 1 FROM nowhere")\n'): (
                "The squashed migration does not run, and nothing was done: `SELECT 1 FROM nowhere`"
            ),
            text.replace(END, f"# Up.\n{END}"): "script.py.mako has no `def upgrade(` after two",
        }.items():
            mako.write_text(changed)
            git.commit()
            before = versions(lab)
            ended = target.db("squash", "r2")
            assert sentence in ended.output
            assert versions(lab) == before
        mako.write_text(text)
        lab.write("r2", "op.execute('CREATE TABLE t (a)')")
        git.commit()
        refused("The type of t.a is none that SQLAlchemy knows")
        succeed(target.db("squash", "r1"))

        # Rows and SQL that come in another way than by the calls that are looked for.
        (lab.project.package / "rows.py").write_text(ROWS)
        many = [f"r{number}" for number in range(60, 80)]
        for revision in many:
            lab.write(revision, "op.execute('DELETE FROM users')")
        git.commit()
        said = target.db("squash").output.rpartition("(`")[2].removesuffix("`).\n")
        assert max(map(len, said.splitlines())) < 100
        words = [word for revision in ("r2", *many) for word in ("--without", revision)]
        assert said.replace("\\\n", "").split() == ["my-service", "db", "squash", "head", *words]
        for revision in many:
            (lab.project.package / "migrations" / "versions" / f"{revision}.py").unlink()
        lab.write("r2", "from my_service.rows import add\nadd()")
        lab.write("r3", "op.execute('DELETE FROM users')")
        lab.write("r4", "from my_service.rows import grant\ngrant()")
        lab.write("r5", "from my_service.rows import add_unseen\nadd_unseen()")
        git.commit()
        ended = target.db("squash", "--without", "r3")
        assert "r2.py, line 13: INSERT INTO users VALUES (1)\n" in ended.output
        assert "r4.py, line 13: CREATE TEMPORARY TABLE passing (id INTEGER)\n" in ended.output
        assert "r5.py, line 1: rows for users\n" in ended.output
        assert "squash r1 --without r3`)" in ended.output
        command = "squash head --without r3 --without r2 --without r4 --without r5"
        assert ended.output.endswith(f"`my-service db {command}`).\n")
        assert "Left out: r2.py, line 13: INSERT INTO users VALUES (1)\n" in succeed(
            target.db(*command.split())
        )
    (lab.project.package / "rows.py").unlink()


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_the_tests_of_the_project(
    render: Callable[..., Project], database: str, database_url: str
) -> None:
    """The history goes on, and is formatted, free of faults, and true to the models."""
    project = render(database=database).install()
    with closing(Launcher(project)) as launcher:
        m = Migrations(project, database_url, launcher)
        for way in ("add_column", "drop_column"):
            column = 'sa.Column("age", sa.Integer())' if way == "add_column" else '"age"'
            revision = m.revision("-m", f"{way} age to users")
            revision.write(f'op.{way}("users", {column})', "pass")
        git = Repository(m.project.path)
        m.alembic("upgrade", "head")
        m.db("squash")
        assert git("status", "--short", "--", "src").count(" D ") == 2
        assert m.look("current").endswith("(head)\n")
    for command in (
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["pytest", "-q", "tests/test_migrations.py"],
    ):
        project.run(*command, url=database_url)
