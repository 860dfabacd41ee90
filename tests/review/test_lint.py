"""`db lint`: each rule finds a dangerous migration at its line, and leaves a safe one alone."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from ..apply.lab import PATIENCE, Launcher
from ..apply.launcher import Job
from ..projects import Project
from .cases import CASES, ELSEWHERE, FAILURES, FILES, KEYLESS, LETTERS, PARTED, TABLE

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("reviewing.py")

COMMIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "a")


def migration(upgrade: str, downgrade: str = "raise NotImplementedError") -> str:
    return "\n".join(
        f"\ndef {name}():\n{indent(dedent(body).strip(), '    ')}\n"
        for name, body in (("upgrade", upgrade), ("downgrade", downgrade))
    )


def test_what_is_found(render: Callable[..., Project], database: str, database_url: str) -> None:
    project = render(database=database, example=False)
    package = str(project.answers["package_name"])
    bodies = [migration(body) for each, body in CASES.values() if LETTERS[database] in each]
    names = [name for name, (each, _) in CASES.items() if LETTERS[database] in each]
    names += [*FILES, "fails"]
    bodies += [*FILES.values(), migration(FAILURES[LETTERS[database]])]
    tables = [*(f"t{number}" for number in range(len(names))), "z0", "z1"]
    first = [TABLE.replace("{t}", table) for table in tables]
    first += [KEYLESS, PARTED, ELSEWHERE] if database == "postgresql" else []
    files = {"first": migration("\n".join(first))}
    for name, table, body in zip(names, tables, bodies, strict=False):
        files[name] = body.replace("{t}", table).replace("{package}", package)
    answer = _review(project, database_url, {"all": History(files)})
    found = answer["found"]["all"]["findings"]
    wrong = {
        name: (expected, seen)
        for name, text in files.items()
        if (expected := _expected(text)) != (seen := _seen(found, name))
    }
    assert not wrong, [each["message"] for each in found if each["code"] == "fails"]
    tried = {code for text in files.values() for _, code in _expected(text)}
    rules = {rule for rule in answer["rules"] if not rule.startswith("squawk-")}
    assert tried == rules - {"breaks-previous-release", "edits-migration"}


TWICE = """
op.execute("CREATE SCHEMA elsewhere")
for schema in (None, "elsewhere"):
    op.create_table("t", sa.Column("id", sa.BigInteger, primary_key=True), schema=schema)
    op.create_foreign_key(
        "f", "t", "t", ["id"], ["id"], source_schema=schema, referent_schema=schema
    )
"""
IN_EACH = """
op.execute("CREATE SCHEMA new")
op.create_table("t", sa.Column("id", sa.BigInteger, primary_key=True), schema="new")
op.create_foreign_key("f", "t", "t", ["id"], ["id"], source_schema="new", referent_schema="new")
op.execute("DELETE FROM new.t")
op.alter_column("t", "id", type_=sa.Integer, existing_type=sa.BigInteger)
op.alter_column(
    "t", "id", type_=sa.Integer, existing_type=sa.BigInteger, schema="elsewhere"
)
op.create_foreign_key(
    "g", "t", "t", ["id"], ["id"], source_schema="elsewhere", referent_schema="new"
)
op.rename_table("t", "u", schema="elsewhere")
op.execute("DROP TABLE elsewhere.u")
op.drop_column("t", "id", schema="public")
"""


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_tables_of_one_name(render: Callable[..., Project], database_url: str) -> None:
    """In several schemas: each is named with its own, and what is new is nobody's yet."""
    project = render(database="postgresql", example=False)
    histories = {
        "each": History({"before": migration(TWICE), "new": migration(IN_EACH)}),
        "path": History(
            {
                "before": migration(TWICE + 'op.drop_table("t")'),
                "new": migration(
                    'op.execute("SET LOCAL search_path TO public, elsewhere; DELETE FROM t")'
                ),
            }
        ),
        "line": History(
            {
                "before": migration(TWICE),
                "new": migration(
                    """
                    op.drop_column("t", "id", schema="elsewhere")  # -> drop-column breaks-previous-release
                    op.drop_column("t", "id")  # -> drop-column breaks-previous-release
                    """
                ),
            },
            ["new"],
        ),
    }
    found = _review(project, database_url, histories)["found"]
    assert [each["message"] for each in found["each"]["findings"]] == [
        "Makes t.id another type.",
        "Makes elsewhere.t.id another type.",
        "Lets elsewhere.t (id) refer to new.t.",
        "Renames the table elsewhere.t to u.",
        "Runs `DROP TABLE elsewhere.u`.",
        "Drops the column public.t.id.",
    ]
    costs = [costs for sql, *costs in found["each"]["statements"]["new"] if "TYPE INT" in sql]
    assert [rewrites for _, rewrites, _ in costs] == [["t"], ["elsewhere.t"]]
    assert ["AccessExclusive", "elsewhere.t"] in costs[1][0]
    assert [each["code"] for each in found["path"]["findings"]] == ["unbatched-update"]
    assert _seen(found["line"]["findings"], "new") == _expected(histories["line"].files["new"])


MORE_COLUMNS = """
    sa.Column("kind", sa.Enum("a", "b", name="kind")),
    sa.Column("made", sa.Integer, nullable=False, server_default="1"),
    sa.Column("place", sa.Integer, server_default="1"),
"""
# What a branch adds, and what code of the release before would run into.
RELEASES = {
    "nothing": ('op.add_column("t", sa.Column("size", sa.Integer))', []),
    "column": ('op.execute("ALTER TABLE t DROP COLUMN nickname")', ["t.nickname is gone"]),
    "table": ('op.drop_table("t")', ["the table t is gone"]),
    "rename and back": (
        """
        op.execute("ALTER TABLE t RENAME COLUMN number TO count")
        op.execute("ALTER TABLE t RENAME COLUMN count TO number")
        """,
        [],
    ),
    "null": (
        """
        with op.batch_alter_table("t") as batch:
            batch.alter_column("number", nullable=False, existing_type=sa.Integer)
        """,
        ["t.number refuses NULL"],
    ),
    "required": (
        """
        with op.batch_alter_table("t", recreate="always" if {sqlite} else "auto") as batch:
            batch.add_column(sa.Column("size", sa.Integer, nullable=False))
        """,
        ["t.size must be given when a row is added, and has no default"],
    ),
    "default": (
        """
        with op.batch_alter_table("t") as batch:
            batch.alter_column("made", server_default=None, existing_type=sa.Integer, existing_nullable=False)
            batch.alter_column("place", server_default=None, existing_type=sa.Integer)
        """,
        ["t.made must be given when a row is added, and has no default"],
    ),
    "type": (
        """
        with op.batch_alter_table("t") as batch:
            batch.alter_column("name", type_=sa.Text, existing_type=sa.String(50))
            batch.alter_column("nickname", type_=sa.String(20), existing_type=sa.String(50))
        """,
        ["t.nickname was VARCHAR(50) and is VARCHAR(20)"],
    ),
    "value": (
        """
        if op.get_bind().dialect.name == "postgresql":
            op.execute("ALTER TYPE kind ADD VALUE 'longer'")
        else:
            with op.batch_alter_table("t") as batch:
                batch.alter_column(
                    "kind",
                    type_=sa.Enum("a", "b", "longer", name="kind"),
                    existing_type=sa.Enum("a", "b", name="kind"),
                )
        """,
        [],
    ),
    "unique": (
        """
        op.add_column("t", sa.Column("size", sa.Integer))
        op.create_index("u", "t", ["number"], unique=True)
        """,
        ["unique (number) may refuse rows of t"],
    ),
    "reference": (
        """
        with op.batch_alter_table("t") as batch:
            batch.create_foreign_key("f", "t", ["other"], ["id"])
        """,
        ["the foreign key (other) may refuse rows of t"],
    ),
    "check": (
        """
        with op.batch_alter_table("t") as batch:
            batch.create_check_constraint("c", sa.text("number > 3"))
        """,
        ["the CHECK ({check}) may refuse rows of t"],
    ),
}
# As the server tells it.
CHECK = {"mysql": "(`number` > 3)", "mariadb": "`number` > 3"}


def test_code_of_the_release_before(
    render: Callable[..., Project], database: str, database_url: str
) -> None:
    table = migration(TABLE.replace("{t}", "t").replace("\n)", f"\n    {MORE_COLUMNS}\n)"))
    histories = {
        name: History(
            {
                "before": table,
                "new": migration(body.replace("{sqlite}", str(database == "sqlite"))),
            },
            ["new"],
        )
        for name, (body, _) in RELEASES.items()
    }
    column = migration(RELEASES["column"][0])
    models = {"t": ["id", "name", "number", "other"]}
    histories["column not named"] = History({"before": table, "new": column}, ["new"], models)
    histories["mended"] = History(
        {
            "before": table,
            "away": column,
            "back": migration('op.add_column("t", sa.Column("nickname", sa.String(50)))'),
        },
        ["away", "back"],
    )
    expected = {name: breaks for name, (_, breaks) in RELEASES.items()}
    told = CHECK.get(database, "number > 3")
    expected["check"] = [each.format(check=told) for each in expected["check"]]
    expected |= {"column not named": [], "mended": []}
    if database == "postgresql":
        change = migration('op.drop_column("bills", "a", schema="elsewhere")')
        files = {"before": migration(ELSEWHERE), "new": change}
        histories["elsewhere"] = History(files, ["new"], {"elsewhere.bills": ["a"]})
        expected["elsewhere"] = ["elsewhere.bills.a is gone"]
    project = render(database=database, example=False)
    found = _review(project, database_url, histories)["found"]
    assert {name: each["breaks"] for name, each in found.items()} == expected
    code = "breaks-previous-release"
    codes = {name: [each["code"] for each in seen["findings"]] for name, seen in found.items()}
    assert {name for name, each in codes.items() if code in each} == {
        name for name, breaks in expected.items() if breaks
    }
    # Where a reason is looked for, too.
    assert len({each["line"] for each in found["unique"]["findings"]}) == 1


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_value_that_need_not_be_taken_back(
    render: Callable[..., Project], database_url: str
) -> None:
    """As autogenerate writes it."""
    change = "op.execute(\"ALTER TYPE mood ADD VALUE IF NOT EXISTS 'glad' AFTER 'sad'\")"
    files = {
        "before": migration("op.execute(\"CREATE TYPE mood AS ENUM ('sad')\")"),
        "new": migration(change, "pass"),
    }
    project = render(database="postgresql", example=False)
    answer = _review(project, database_url, {"all": History(files, ["new"])})
    assert answer["found"]["all"]["findings"] == []


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_squawk(render: Callable[..., Project], database_url: str) -> None:
    """As it is: what it says of locks, the server knows better, and what it cannot read is left out."""
    files = {
        "new": migration(
            """
            op.execute("CREATE TABLE t -- of theirs\\n(a text)")
            op.get_bind().exec_driver_sql("INSERT INTO t VALUES (%s)", ("x",))
            op.execute("INSERT INTO t VALUES ('--')")
            op.execute("ALTER TABLE t ADD b char(3) DEFAULT 'a;b'")  # -> squawk-ban-char-field
            op.add_column("t", sa.Column("c", sa.DateTime))  # -> squawk-prefer-timestamp-tz
            op.add_column("t", sa.Column("d", sa.DateTime))  # safe: squawk-prefer-timestamp-tz UTC
            op.execute("CREATE TYPE mood AS ENUM ('sad')")
            op.execute("ALTER TYPE mood ADD VALUE 'glad'")  # -> squawk-require-enum-value-ordering
            op.execute("CREATE DOMAIN e AS int CHECK (value > 0)")  # -> squawk-ban-create-domain-with-constraint
            op.execute("ALTER DOMAIN e ADD CHECK (value < 9)")  # -> squawk-ban-alter-domain-with-add-constraint
            op.execute("CREATE TABLE " + "long" * 20 + " (a int)")  # -> squawk-identifier-too-long
            """
        )
    }
    project = render(database="postgresql", example=False)
    answer = _review(project, database_url, {"all": History(files)})
    found = _seen(answer["found"]["all"]["findings"], "new")
    assert found == _expected(files["new"])
    assert {code for _, code in found} == {
        rule for rule in answer["rules"] if rule.startswith("squawk-")
    }


@pytest.fixture
def launched(render: Callable[..., Project]) -> Iterator[tuple[Project, Launcher]]:
    project = render(database="sqlite")
    with closing(Launcher(project)) as launcher:
        yield project, launcher


def test_command(launched: tuple[Project, Launcher], tmp_path: Path) -> None:
    project, launcher = launched
    url = f"sqlite:///{tmp_path / 'app.db'}"

    def lint(*arguments: str, code: int = 0, actions: str = "", url: str = url) -> str:
        variables = {"DATABASE_URL": url, "GITHUB_ACTIONS": actions}
        words = ["db", "lint", *arguments]
        job = Job(project.package.name, words, variables, ours=True, apart=True)
        [ended] = launcher.start(job).result(PATIENCE)
        assert (ended.code, "Traceback" in ended.errors) == (code, False), ended.errors
        return ended.output + ended.errors

    assert "not a git repository" in lint("--since", "main", code=2)
    project.run("git", "init", "--initial-branch", "main")
    # When there was no service yet.
    project.run(*COMMIT, "--allow-empty")
    project.run("git", "tag", "before")
    project.run("git", "add", ".")
    project.run(*COMMIT)
    assert "DATABASE_URL" in lint(url="nonsense", code=2)
    assert "git knows no nowhere" in lint("--since", "nowhere", code=2)
    assert "0 migrations since main" in lint("--since", "main")
    assert json.loads(lint("--json")) == []
    assert "Nothing found in 1 migration since before" in lint("--since", "before")
    [old] = (project.package / "migrations" / "versions").glob("*.py")
    old.rename(old.with_name("renamed.py"))
    assert "0 migrations since main" in lint("--since", "main")
    renamed = old.with_name("renamed.py")
    renamed.rename(old)
    before = old.read_text()
    old.write_text(
        before.replace("def upgrade() -> None:\n", "def upgrade() -> None:\n    # Users.\n")
    )
    assert "Nothing found in 0 migrations since main." in lint("--since", "main")
    old.write_text(before.replace("length=200", "length=100"))
    [edited] = json.loads(lint("--since", "main", "--json", code=1))
    assert (edited["code"], edited["line"]) == ("edits-migration", 1)
    assert "Does something else than in main." in edited["message"]
    old.write_text(f"# safe: edits-migration nobody has run it\n{old.read_text()}")
    lint("--since", "main")
    old.write_text(f"<<<<<<< HEAD\n{before}")
    project.run(*COMMIT, "--all")
    assert "FAILED: A migration cannot be read: " in lint("--since", "main", "--json", code=2)
    old.write_text(before)
    lint("--since", "main")
    project.run(*COMMIT, "--all")
    file = "src/my_service/migrations/versions/new.py"
    text = migration('op.drop_column("users", "name")').lstrip()
    (project.path / file).write_text(
        f'import sqlalchemy as sa\nfrom alembic import op\n\nrevision = "new"\n'
        f'down_revision = "8c1d5e0f42ab"\n\n\n{text}'
    )
    [finding, broken] = json.loads(lint("--since", "main", "--json", code=1))
    place = {"revision": "new", "file": file, "line": 9}
    assert finding.items() >= {"code": "drop-column", **place}.items()
    assert finding.keys() == {"code", "revision", "file", "line", "message", "safe_way"}
    assert broken.items() >= {"code": "breaks-previous-release", **place}.items()
    annotation = f"::warning file={file},line=9,title=drop-column::Drops the column users.name."
    assert annotation in lint(code=1, actions="true")
    git = project.path / ".git"
    in_folder_above = git.rename(project.path.parent / ".git")
    assert f"::warning file={project.path.name}/{file},line=9," in lint("--github", code=1)
    in_folder_above.rename(git)
    assert "The models of main would not work" in lint("--since", "main", code=1)
    # The release before no longer names the column: there is nothing to break.
    models = project.package / "users" / "models.py"
    models.write_text(re.sub(r"\n    name: .*", "", models.read_text()))
    project.run(*COMMIT, str(models))
    assert "The models of main would work" in lint("--since", "main", code=1)
    new = project.path / file
    new.write_text(new.read_text().replace('"name")', '"name")  # safe: drop-column unused'))
    assert "Nothing found in 1 migration since main." in lint("--since", "main")


@dataclass
class History:
    files: dict[str, str]
    new: list[str] | None = None
    models: dict[str, list[str]] = field(default_factory=dict)


def _review(project: Project, url: str, histories: dict[str, History]) -> dict[str, Any]:
    """Revisions are named by what they do."""
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), str(project.answers["package_name"])],
        input=json.dumps({name: asdict(each) for name, each in histories.items()}),
        env={
            "PYTHONPATH": str(project.path / "src"),
            "DATABASE_URL": url,
            "RELEASE": "1",
            "PATH": os.environ["PATH"],
        },
        cwd=project.path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def _expected(text: str) -> list[tuple[int, str]]:
    """Line and code; the files begin with what `reviewing.py` writes."""
    lines = enumerate(text.split("\n"), start=7)
    found = ((line, re.search(r"# -> (.*)", each)) for line, each in lines)
    return sorted((line, code) for line, each in found if each for code in each[1].split())


def _seen(findings: list[dict[str, Any]], revision: str) -> list[tuple[int, str]]:
    mine = (each for each in findings if each["revision"] == revision)
    return sorted((each["line"], each["code"]) for each in mine)
