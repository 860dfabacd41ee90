"""All that Alembic's own tutorial does works as it says, and `db` takes the same commands."""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from textwrap import dedent

import pytest
from sqlalchemy import NullPool, create_engine

from .apply.lab import Launcher
from .databases import query
from .migrations import Migrations, Revision
from .projects import Project
from .servers import driver_url

Render = Callable[..., Project]

pytestmark = pytest.mark.slow

CREATE_ACCOUNT = """op.create_table(
        "account",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("description", sa.Unicode(200)),
    )"""
ORDERS = """
    from datetime import datetime
    from decimal import Decimal

    from sqlalchemy import CheckConstraint, ForeignKey, Identity, Numeric, String, false, func
    from sqlalchemy.orm import Mapped, mapped_column

    from ..database import Base


    class Order(Base):
        __tablename__ = "orders"
        __table_args__ = (CheckConstraint("total >= 0", name="total"),)

        id: Mapped[int] = mapped_column(Identity(), primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
        total: Mapped[Decimal] = mapped_column(Numeric(12, 2), server_default="0")
        paid: Mapped[bool] = mapped_column(server_default=false())
        created_at: Mapped[datetime] = mapped_column(server_default=func.now())
        # more
"""
NOTE = "note: Mapped[str | None] = mapped_column(String(80))"
MESSAGES = [
    'say "hello" and """more"""',
    "it's $HOME, `id` and $(id)",
    "50% off, %(slug)s",
    "Größe ändern 😀 名前",
    "back\\slash \\n \\",
    "${title} {{ title }} <% x %>",
    "-1 is not an option",
]


@pytest.fixture
def migrations(render: Render, database: str, database_url: str) -> Iterator[Migrations]:
    project = render(database=database).install()
    with closing(Launcher(project)) as launcher:
        yield Migrations(project, database_url, launcher)


def test_first_steps(migrations: Migrations) -> None:
    m = migrations
    users = Revision(m.files[0])
    m.alembic("upgrade", "head")
    assert m.look("current") == f"{users.id} (head)\n"

    account = m.revision("-m", "create account table")
    assert re.fullmatch(r"\d{8}_\d{6}_create_account_table\.py", account.path.name)
    assert f'down_revision: str | Sequence[str] | None = "{users.id}"' in account.text
    account.write(CREATE_ACCOUNT, 'op.drop_table("account")')
    m.db("upgrade", "head")
    assert m.tables()["account"] == {"id", "name", "description"}

    column = m.revision("-m", "Add a column", plain=False)
    column.write(
        'op.add_column("account", sa.Column("last_transaction_date", sa.DateTime))',
        'op.drop_column("account", "last_transaction_date")',
    )
    m.alembic("upgrade", column.id[:6])
    assert "last_transaction_date" in m.tables()["account"]
    m.db("downgrade", "-1")
    assert "last_transaction_date" not in m.tables()["account"]
    m.alembic("upgrade", "+1")
    assert "last_transaction_date" in m.tables()["account"]

    assert m.look("current", "--verbose").count(f"Rev: {column.id} (head)") == 1
    assert m.look("heads") == f"{column.id} (head)\n"
    listed = [
        f"{account.id} -> {column.id} (head), Add a column",
        f"{users.id} -> {account.id}, create account table",
        f"<base> -> {users.id}, Create users",
    ]
    for alembic in (m.alembic, m.db):
        # `db history` says more of each, in lines of their own.
        lines = [
            [line for line in alembic("history", *options).splitlines() if line[0] != " "]
            for options in ([], ["-i"], ["-r", f"{account.id[:6]}:head"], ["-r-1:current"])
        ]
        current = listed[0].replace("(head)", "(head) (current)")
        assert lines == [listed, [current, *listed[1:]], listed[:2], listed[:2]]
    assert f"Parent: {account.id}" in m.db("history", "--verbose")
    assert f"Parent: {account.id}" in m.look("show", "head")
    assert f"Rev: {account.id}" in m.look("show", account.id[:6])

    # Somebody forgot the model of a table.
    assert all("table account should not be there" in said for said in m.refusals("check"))

    m.alembic("downgrade", "base")
    assert m.tables() == {}
    assert m.look("current") == ""
    m.db("upgrade")
    assert m.tables().keys() == {"users", "account"}


def test_autogenerate(migrations: Migrations) -> None:
    m = migrations
    m.db("upgrade")
    assert "No new upgrade operations detected." in m.look("check")
    feature = m.project.package / "orders"
    feature.mkdir()
    models = feature / "models.py"
    models.write_text(dedent(ORDERS).lstrip())
    assert all("table orders is missing" in said for said in m.refusals("check"))

    orders = m.revision("--autogenerate", "-m", "add orders")
    assert 'op.create_table(\n        "orders"' in orders.text
    assert "sa.DateTime(timezone=True)" in orders.text
    assert str(m.project.answers["package_name"]) not in orders.text
    # What this database needs, and nothing that another one would.
    is_sqlite = m.url.startswith("sqlite")
    assert f'"user_id", sa.{"Integer" if is_sqlite else "BigInteger"}()' in orders.text
    assert ("sqlite" in orders.text) == is_sqlite
    assert ("sqlite_autoincrement=True" in orders.text) == is_sqlite
    m.alembic("upgrade", "head")
    assert m.tables()["orders"] == {"id", "user_id", "total", "paid", "created_at"}

    models.write_text(models.read_text().replace("# more", NOTE))
    note = m.revision("--autogenerate", "-m", "add a note", plain=False)
    assert '"note"' in note.text
    m.db("upgrade")
    m.look("check")
    m.alembic("downgrade", "-2")
    assert m.tables().keys() == {"users"}
    m.alembic("upgrade", "head")
    m.look("check")
    assert_clean(m)
    m.project.run("python", "-m", "pytest", "tests/test_migrations.py", url=m.url)


def test_offline(migrations: Migrations) -> None:
    m = migrations
    (users,) = (Revision(path) for path in m.files)
    up = m.look("upgrade", "head", "--sql")
    assert m.db("upgrade", "--sql") == up
    assert m.tables() == {}
    apply(m.url, up)
    assert m.look("current") == f"{users.id} (head)\n"
    m.look("check")

    apply(m.url, m.look("downgrade", "head:base", "--sql"))
    assert m.look("current") == ""
    assert m.tables() == {}

    m.alembic("upgrade", "head")
    rows = query(m.url, "select direction, host is null, digest from alembic_history order by id")
    assert [row[:2] for row in rows] == [("upgrade", 1), ("downgrade", 1), ("upgrade", 0)]
    assert len({row[2] for row in rows}) == 1


def test_branches(migrations: Migrations) -> None:
    m = migrations
    users = Revision(m.files[0])
    m.alembic("upgrade", "head")
    one = m.revision("-m", "one")
    two = m.revision("-m", "two", "--head", users.id, "--splice")
    for each in (one, two):
        each.write('op.execute("SELECT 1")', 'op.execute("SELECT 2")')
    assert set(m.look("heads").splitlines()) == {f"{one.id} (head)", f"{two.id} (head)"}
    assert f"{users.id} (branchpoint)" in m.alembic("branches")
    for refused in (["upgrade", "head"], ["stamp", "head"], ["revision", "-m", "three"]):
        for said in m.refusals(*refused):
            assert f"{two.id} (two)" in said
            assert "db rebase` puts yours" in said
            assert "db merge` joins them" in said
            assert "\n" not in said
    m.db("upgrade", "heads")
    assert len(m.alembic("current").splitlines()) == 2
    before = m.files
    m.alembic("merge", "heads", "-m", "merge one and two")
    (path,) = set(m.files).difference(before)
    merge = Revision(path)
    m.db("upgrade")
    assert m.look("current") == f"{merge.id} (head) (mergepoint)\n"
    m.project.run("python", "-m", "pytest", "tests/test_migrations.py", url=m.url)

    m.alembic("stamp", "base")
    assert m.look("current") == ""
    m.db("stamp", one.id)
    assert m.look("current") == f"{one.id}\n"
    m.alembic("stamp", "head")
    assert m.look("current") == f"{merge.id} (head) (mergepoint)\n"
    # All that a stamp passes by counts as applied from then on, and is recorded so.
    stamps = query(m.url, "select revision, direction from alembic_history order by id")[-8:]
    revisions = [users.id, one.id, two.id, merge.id]
    assert sorted(stamps[:4]) == sorted((revision, "unstamp") for revision in revisions)
    assert stamps[4:6] == [(users.id, "stamp"), (one.id, "stamp")]
    assert stamps[6:] == [(two.id, "stamp"), (merge.id, "stamp")]


def test_two_heads_and_two_of_a_kind_are_found(render: Render) -> None:
    m = Migrations(render().install(), "")
    first = m.files[0]
    m.revision("-m", "one")
    m.revision("-m", "two", "--head", Revision(first).id, "--splice")
    found = own_tests(m, "one_head")
    assert "my-service db rebase" in found
    assert "my-service db merge" in found
    (m.files[0].parents[1] / "head.txt").write_text("another\n")
    assert "my-service db rebase" in own_tests(m, "head_file")
    first.with_name("20300101_000000_copy.py").write_text(first.read_text())
    assert "give one another id" in own_tests(m, "has_an_id_of_its_own")


def test_messages(render: Render) -> None:
    m = Migrations(render().install(), "")
    for number, message in enumerate(MESSAGES):
        revision = m.revision(f"--message={message}", plain=number % 2 == 0)
        docstring = ast.get_docstring(ast.parse(revision.text))
        assert docstring
        assert docstring.splitlines()[0] == message
    assert len(m.look("history").splitlines()) == 1 + len(MESSAGES)
    assert_clean(m)
    m.alembic("upgrade", "head")


def test_without_a_server(render: Render) -> None:
    url = "postgresql://me:hidden@127.0.0.1:1/nowhere"
    m = Migrations(render(database="postgresql").install(), url)
    m.revision("-m", "written on a train")
    assert "written on a train" in m.look("history")
    assert m.look("heads").endswith("(head)\n")
    assert "CREATE TABLE users" in m.look("upgrade", "head", "--sql")
    for arguments in (
        ["current"],
        ["upgrade", "head"],
        ["revision", "--autogenerate", "-m", "add email"],
    ):
        for said in m.refusals(*arguments):
            assert said.startswith("FAILED: PostgreSQL does not answer at 127.0.0.1:1 ")
            assert "\n" not in said
            assert "hidden" not in said


def test_what_alembic_init_leaves(render: Render) -> None:
    m = Migrations(render().install(), "")
    m.alembic("init", "alembic")
    sentence = "takes the place of [tool.alembic] in pyproject.toml"
    done = m.project.run(m.project.console_script, "db", "upgrade", check=False)
    assert sentence in done.stderr
    assert sentence in own_tests(m, "no_alembic_ini")
    # Whatever is in it, once it finds the migrations.
    (m.project.path / "alembic.ini").write_text("[alembic]\n")
    assert all(sentence in said for said in m.refusals("upgrade", "head"))


def own_tests(migrations: Migrations, name: str) -> str:
    """What the project's own test says when it fails."""
    command = ["python", "-m", "pytest", "tests/test_migrations.py", "-k", name]
    done = migrations.project.run(*command, check=False)
    assert done.returncode == 1
    return done.stdout


def assert_clean(migrations: Migrations) -> None:
    files = [str(path) for path in migrations.files]
    for command in (["check"], ["format", "--check"]):
        migrations.project.run(sys.executable, "-m", "ruff", *command, *files)


def apply(url: str, sql: str) -> None:
    """What a database administrator does with a script."""
    lines = [line for line in sql.splitlines() if not line.startswith("--")]
    engine = create_engine(driver_url(url), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in "\n".join(lines).split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
