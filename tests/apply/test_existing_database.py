"""A database that is there already: `upgrade` says so, and `db baseline` finds its migration."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy.engine import make_url

from .lab import Lab, Target

pytestmark = pytest.mark.slow

ON_SERVERS = pytest.mark.parametrize("database", ["postgresql", "mysql", "mariadb"], indirect=True)
CREATE = 'op.create_table("users", sa.Column("id", sa.Integer, primary_key=True))'
ADD = 'op.add_column("users", sa.Column("name", sa.String(50)))'
THEIRS = "CREATE TABLE theirs (id INTEGER PRIMARY KEY)"

MODELS = """
import enum
import uuid
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON, BigInteger, CheckConstraint, Computed, Double, Enum, ForeignKey, Index, Integer,
    LargeBinary, Numeric, SmallInteger, String, Text, UniqueConstraint, Uuid, false, func, text,
)
from sqlalchemy.orm import Mapped, mapped_column

from ..database import Base


class Color(enum.Enum):
    red = "red"
    green = "green"


class Box(Base):
    __tablename__ = "boxes"
    __table_args__ = {"comment": "where things are"}

    id: Mapped[int] = mapped_column(primary_key=True)
    inside: Mapped[int | None] = mapped_column(ForeignKey("boxes.id"), index=True)


class Tag(Base):
    __tablename__ = "tags"

    name: Mapped[str] = mapped_column(String(30), primary_key=True)
    language: Mapped[str] = mapped_column(String(2), primary_key=True)


class Thing(Base):
    __tablename__ = "things"
    __table_args__ = (
        UniqueConstraint("code", "kind"),
        UniqueConstraint("serial"),
        CheckConstraint("amount > 0", name="positive"),
        CheckConstraint("kind IN ('a', 'b''s', 'x y')", name="kinds"),
        Index("ix_things_kind_code", "kind", "code"),
        Index("ix_things_lower", func.lower(text("kind"))) if EXPRESSIONS else Index(None, "small"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    box_id: Mapped[int] = mapped_column(ForeignKey("boxes.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(String(20), index=True)
    kind: Mapped[str] = mapped_column(String(20), server_default="a")
    quoted: Mapped[str] = mapped_column(String(20), server_default="it's (0)")
    serial: Mapped[str] = mapped_column(String(40))
    lost: Mapped[str] = mapped_column(String(10))
    note: Mapped[str | None] = mapped_column(Text)
    amount: Mapped[Decimal] = mapped_column(Numeric(10, 2), server_default=text("0"))
    count: Mapped[int] = mapped_column(Integer, server_default="0")
    small: Mapped[int] = mapped_column(SmallInteger, comment="not much")
    big: Mapped[int | None] = mapped_column(BigInteger)
    ratio: Mapped[float] = mapped_column(Double, server_default=text("0.5"))
    double: Mapped[float | None] = mapped_column(Computed("ratio * 2", persisted=True))
    is_new: Mapped[bool] = mapped_column(server_default=false())
    color: Mapped[Color] = mapped_column(Enum(Color), server_default="red")
    mood: Mapped[Color] = mapped_column(Enum(Color, native_enum=False, name="mood"))
    token: Mapped[uuid.UUID] = mapped_column(Uuid)
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    day: Mapped[date]
    hour: Mapped[time | None]
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
"""

#: What is changed in the models, and what is then said of tables that these make.
CHANGES = {
    "    lost: Mapped[str] = mapped_column(String(10))\n": ("", "column things.lost is missing"),
    "serial: Mapped[str] = mapped_column(String(40)": (
        "serial: Mapped[str] = mapped_column(String(50)",
        "column things.serial is ",
    ),
    "note: Mapped[str | None]": ("note: Mapped[str]", "column things.note is "),
    'server_default="a"': ('server_default="b"', "column things.kind is "),
    'Integer, server_default="0"': ('Integer, server_default="1"', "column things.count is "),
    'Index("ix_things_kind_code", "kind", "code")': (
        'Index("ix_things_kind_code", "code", "kind")',
        "index ix_things_kind_code of things is ",
    ),
    "mapped_column(String(20), index=True)": (
        "mapped_column(String(20))",
        "index ix_things_code of things is missing",
    ),
    '        UniqueConstraint("serial"),\n': ("", "uq_things_serial of things is missing"),
    'UniqueConstraint("code", "kind")': (
        'UniqueConstraint("code", "kind", name="unique_code")',
        "unique_code of things should be named uq_things_code_kind",
    ),
    'ondelete="CASCADE"': (
        'ondelete="CASCADE", onupdate="CASCADE"',
        "foreign key fk_things_box_id of things is ",
    ),
    "amount > 0": ("amount > 1", "check ck_things_positive of things is "),
    "ratio * 2": ("ratio * 3", "column things.double is "),
    "    day: Mapped[date]\n": (
        "    day: Mapped[date]\n    night: Mapped[date]\n",
        "column things.night should not be there",
    ),
    '"tags"': ('"labels"', "table tags is missing"),
}
#: Where the server knows them.
COMMENTS = {
    '    __table_args__ = {"comment": "where things are"}\n': ("", "table boxes is "),
    ', comment="not much"': (', comment="a lot"', "column things.small is "),
}


@pytest.fixture
def shop(lab: Lab) -> Iterator[Callable[[str], None]]:
    """Writes the models of a feature."""
    folder = lab.project.package / "shop"
    folder.mkdir()
    expressions = lab.database == "postgresql"  # elsewhere autogenerate leaves them out

    def write(models: str) -> None:
        text = models.replace("EXPRESSIONS", str(expressions))
        (folder / "models.py").write_text(text)

    write(MODELS)
    yield write
    shutil.rmtree(folder)


@pytest.fixture
def migrated(lab: Lab, shop: Callable[[str], None]) -> Lab:
    """A project with a migration for its models."""
    with lab.fresh() as target:
        ended = target.alembic("revision", "--autogenerate", "-m", "Everything")
        assert ended.code == 0, ended.output
    return lab


def create_all(target: Target) -> None:
    project = target.lab.project
    package = project.answers["package_name"]
    code = (
        f"from {package}.config import load_settings\n"
        f"from {package}.driver import create_migration_engine\n"
        f"from {package}.features import load_models\n"
        "with create_migration_engine(load_settings().migration_url).begin() as connection:\n"
        "    load_models().create_all(connection)\n"
    )
    variables = {
        "DATABASE_URL": target.url,
        "PYTHONPATH": str(project.path / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    subprocess.run(
        [sys.executable, "-c", code], cwd=project.path, env={**os.environ, **variables}, check=True
    )


def test_what_create_all_has_made_matches(migrated: Lab) -> None:
    with migrated.fresh() as target:
        create_all(target)
        ended = target.db("baseline")
        assert ended.code == 0, ended.output
        assert "(Everything), which is recorded now" in ended.output
        assert target.db("status").output.startswith("current")
        assert target.query("SELECT direction FROM alembic_history") == [("stamp",)]
        assert target.alembic("upgrade", "head").code == 0


def test_each_difference_is_listed(migrated: Lab, shop: Callable[[str], None]) -> None:
    changes = CHANGES if migrated.database == "sqlite" else CHANGES | COMMENTS
    models = MODELS
    for old, (new, _) in changes.items():
        assert models.count(old) == 1, old
        models = models.replace(old, new)
    shop(models)
    with migrated.fresh() as target:
        create_all(target)
        before = target.tables()
        ended = target.db("baseline")
        assert ended.code == 1
        lines = differences(ended.output)
        for _, wanted in changes.values():
            assert any(wanted in line for line in lines), f"{wanted}: {ended.output}"
        assert "table labels should not be there" in lines
        assert len(lines) == len(changes) + 1, ended.output
        ended = target.db("-x", "other-tables=ignore", "baseline")
        assert ended.code == 1
        assert len(differences(ended.output)) == len(changes)
        assert target.tables() == before


def differences(output: str) -> list[str]:
    return [line.strip() for line in output.splitlines() if line.startswith("  ")]


def test_the_newest_migration_that_matches(lab: Lab) -> None:
    with lab.fresh() as target:
        target.execute(
            "CREATE TABLE users (id INTEGER NOT NULL, CONSTRAINT pk_users PRIMARY KEY (id))"
        )
        lab.write("r1", CREATE.replace("primary_key=True", "primary_key=True, autoincrement=False"))
        lab.write("r2", 'op.execute("DELETE FROM users")')
        lab.write("r3", ADD)
        ended = target.db("baseline")
        assert ended.code == 0, ended.output
        assert target.revision == "r2"
        assert "r1" in ended.output  # which has the same tables
        assert "db upgrade" in ended.output
        history = target.query("SELECT revision, direction FROM alembic_history ORDER BY id")
        assert history == [("r1", "stamp"), ("r2", "stamp")]
        target.upgrade()
        assert target.revision == "r3"


SPELLED = """
op.create_table("users", sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))
op.create_table(
    "notes",
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), index=True, nullable=False),
    sa.Column("text", sa.String(20), server_default="", nullable=False),
    sa.Column("count", sa.Integer, server_default="0", nullable=False),
    sa.Column("is_new", sa.Boolean, server_default=sa.false(), nullable=False),
    sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
)
"""
USERS = "CREATE TABLE users ({id} NOT NULL, CONSTRAINT pk_users PRIMARY KEY (id)){options}"
NOTES = """
CREATE TABLE notes (
    made_at {moment} DEFAULT CURRENT_TIMESTAMP NOT NULL,
    is_new {flag} NOT NULL DEFAULT {false},
    count {count},
    text {text} DEFAULT '' NOT NULL,
    user_id {integer} NOT NULL,
    id {integer} NOT NULL,
    CONSTRAINT fk_notes_user_id FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE NO ACTION,
    CONSTRAINT pk_notes PRIMARY KEY (id)
){options}
"""
SPELLINGS = {
    "sqlite": {
        "id": "'id' integer",
        "integer": "int",
        "moment": "datetime",
        "flag": "boolean",
        "false": "false",
        "count": "integer DEFAULT ('0') NOT NULL",
        "text": "varchar(20)",
        "options": "",
    },
    "postgresql": {
        "id": "id int4",
        "integer": "int",
        "moment": "timestamptz",
        "flag": "bool",
        "false": "'no'",
        "count": "int NOT NULL DEFAULT 0",
        "text": "varchar(20)",
        "options": "",
    },
    "mysql": {
        "id": "id int(11)",
        "integer": "int(10)",
        "moment": "datetime",
        "flag": "tinyint(1)",
        "false": "'0'",
        "count": "int(5) NOT NULL DEFAULT 0",
        "text": "varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "options": " ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
    },
}


def test_what_was_spelled_otherwise_matches(lab: Lab) -> None:
    spelling = SPELLINGS["mysql" if lab.database == "mariadb" else lab.database]
    index = "CREATE INDEX {name} ON notes (user_id)"
    with lab.fresh() as target:
        lab.write("r1", SPELLED)
        if lab.database in {"mysql", "mariadb"}:
            target.execute(f"ALTER DATABASE {target.name} COLLATE utf8mb4_bin")
            explicit = 'sa.String(20, collation="utf8mb4_bin")'
            lab.write("r1", SPELLED.replace("sa.String(20)", explicit))
        for statement in (USERS, NOTES, index):
            target.execute(statement.format(**spelling, name="ix_notes_user_id"))
        ended = target.db("baseline")
        assert ended.code == 0, ended.output
        assert target.revision == "r1"


def test_tables_of_somebody_else(lab: Lab) -> None:
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        target.execute(THEIRS)
        for command in (target.alembic, target.db):
            ended = command("upgrade", "head")
            assert ended.code != 0
            assert "theirs" in ended.output
            assert "db baseline" in ended.output
            assert "Traceback" not in ended.output
            assert target.tables() == {"theirs"}
        ended = target.db("status")
        assert (ended.code, ended.output.split(":")[0]) == (1, "unmanaged")
        ended = target.db("baseline")
        assert ended.code == 1
        assert "table theirs should not be there" in ended.output
        assert target.tables() == {"theirs"}
        ended = target.alembic("-x", "other-tables=ignore", "upgrade", "head")
        assert ended.code == 0, ended.output
        assert target.tables() >= {"theirs", "users"}
        assert target.db("status").output.startswith("current")


def test_ours_beside_tables_of_somebody_else(lab: Lab) -> None:
    with lab.fresh() as target:
        lab.write("r1", CREATE)
        target.upgrade()
        for table in ("alembic_version", "alembic_history"):
            target.execute(f"DROP TABLE {table}")
        target.execute(THEIRS)
        assert target.db("baseline").code == 1
        ended = target.db("-x", "other-tables=ignore", "baseline")
        assert ended.code == 0, ended.output
        assert "theirs" in ended.output
        assert target.revision == "r1"


def test_the_version_table_was_emptied(lab: Lab) -> None:
    lab.write("r1", CREATE, 'op.drop_table("users")')
    with lab.fresh() as target:
        target.upgrade()
        target.execute("DELETE FROM alembic_version")
        for command in (target.alembic, target.db):
            ended = command("upgrade", "head")
            assert ended.code != 0
            assert "has tables already: users" in ended.output
            assert "db baseline" in ended.output
        ended = target.db("status")
        assert (ended.code, ended.output.split(":")[0]) == (1, "unmanaged")
        assert target.db("baseline").code == 0
        assert target.revision == "r1"
        # Where all was undone, a table that is there is nobody's fault.
        assert target.alembic("downgrade", "base").code == 0
        target.execute(THEIRS)
        target.upgrade()


def test_what_a_later_migration_makes_is_not_ignored(lab: Lab) -> None:
    with lab.fresh() as target:
        lab.write("r1", CREATE)
        target.upgrade()
        for table in ("alembic_version", "alembic_history"):
            target.execute(f"DROP TABLE {table}")
        target.execute(THEIRS)
        lab.write(
            "r2", 'op.create_table("theirs", sa.Column("name", sa.String(9), primary_key=True))'
        )
        ended = target.db("-x", "other-tables=ignore", "baseline")
        assert ended.code == 1
        assert "theirs" in ended.output
        assert "alembic_version" not in target.tables()


def test_what_needs_no_baseline(lab: Lab) -> None:
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        ended = target.db("baseline")
        assert ended.code == 1
        assert "has no tables" in ended.output
        target.upgrade()
        ended = target.db("baseline")
        assert ended.code == 1
        assert "migrated already" in ended.output
        assert target.query("SELECT direction FROM alembic_history") == [("upgrade",)]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_tables_of_an_extension(lab: Lab) -> None:
    """As PostGIS has one."""
    lab.write("r1", CREATE)
    with lab.fresh() as target:
        target.execute(THEIRS)
        target.execute("ALTER EXTENSION plpgsql ADD TABLE theirs")
        target.upgrade()
        assert target.db("status").code == 0


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_in_another_schema(lab: Lab) -> None:
    lab.write("r1", f"{CREATE}\nop.create_index('ix', 'users', ['id'])")
    with lab.fresh() as target:
        for statement in (
            "CREATE SCHEMA app",
            f"ALTER DATABASE {target.name} SET search_path = app",
            "CREATE TABLE public.theirs (id integer)",
        ):
            target.execute(statement)
        target.execute("CREATE TABLE users (id serial, CONSTRAINT pk_users PRIMARY KEY (id))")
        target.execute("CREATE INDEX ix ON users (id)")
        ended = target.db("baseline")
        assert ended.code == 0, ended.output
        assert target.query("SELECT version_num FROM app.alembic_version") == [("r1",)]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_an_extension_that_the_migrations_need(lab: Lab) -> None:
    """And that an administrator has made."""
    lab.write("r1", f"{CREATE}\nop.execute('ALTER TABLE users ADD name citext')")
    with lab.fresh() as target:
        if not target.query("SELECT 1 FROM pg_available_extensions WHERE name = 'citext'"):
            pytest.skip("this server has no citext")
        target.execute("CREATE EXTENSION citext")
        target.execute("CREATE TABLE users (id serial, CONSTRAINT pk_users PRIMARY KEY (id))")
        target.execute("ALTER TABLE users ADD name citext")
        ended = target.db("baseline")
        assert ended.code == 0, ended.output


@ON_SERVERS
def test_without_the_right_to_make_a_database(lab: Lab) -> None:
    lab.write("r1", CREATE)
    with lab.fresh() as target, restricted(target) as user:
        target.execute(THEIRS)
        ended = Target(lab, user).db("baseline")
        assert ended.code == 1
        assert ("CREATEDB" if lab.database == "postgresql" else "GRANT ALL ON") in ended.output
        assert "Traceback" not in ended.output
        assert target.tables() == {"theirs"}


@contextmanager
def restricted(target: Target) -> Iterator[str]:
    """A user who may do everything in this database only."""
    name, database = f"u{target.name[-12:]}", target.name
    if target.lab.database == "postgresql":
        grants = [f"CREATE ROLE {name} LOGIN", f"GRANT ALL ON DATABASE {database} TO {name}"]
        role, drop = name, [f"DROP OWNED BY {name}", f"DROP ROLE {name}"]
    else:
        role = f"'{name}'@'%'"
        grants = [f"CREATE USER {role}", f"GRANT ALL ON {database}.* TO {role}"]
        drop = [f"DROP USER {role}"]
    for statement in grants:
        target.execute(statement)
    try:
        yield make_url(target.url).set(username=name).render_as_string(hide_password=False)
    finally:
        for statement in drop:
            target.execute(statement)


def test_no_throw_away_database_is_left(lab: Lab) -> None:
    listing = {
        "postgresql": "SELECT datname FROM pg_database",
        "sqlite": "SELECT file FROM pragma_database_list",
    }.get(lab.database, "SHOW DATABASES")
    with lab.fresh() as target:
        target.execute(THEIRS)
        for migration in (CREATE, f'{CREATE}\nraise RuntimeError("no")'):
            lab.write("r1", migration)
            assert target.db("baseline").code == 1
        names = [str(row[0]) for row in target.query(listing)]
        assert [name for name in names if f"{target.name}_test_" in name] == []
