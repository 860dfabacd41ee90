"""What `db baseline` compares: tables match however they were made, and each difference is listed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from .lab import Lab, Target
from .models import MODELS, on

pytestmark = pytest.mark.slow

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
    '"comment": "where things are", ': ("", "table boxes is "),
    ', comment="not much"': (', comment="a lot"', "column things.small is "),
}


@pytest.fixture
def shop(lab: Lab) -> Iterator[Callable[[str], None]]:
    """Writes the models of a feature."""
    folder = lab.project.package / "shop"
    folder.mkdir()

    def write(models: str) -> None:
        (folder / "models.py").write_text(on(lab.database, models))

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
