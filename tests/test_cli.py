"""What the command line says where something is missing or wrong."""

import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from sqlalchemy import URL, make_url

from .databases import execute, query
from .migrations import Migrations
from .projects import Project

Render = Callable[..., Project]

pytestmark = pytest.mark.slow

SECRET = "p@ss/w:%# rd"
SERVERS = {"postgresql": "postgres:18", "mariadb": "mariadb:12", "mysql": "mysql:9"}
WAYS = (["db", "upgrade"], ["db", "seed"], ["serve"])
MALFORMED = {
    "nothing": "",
    "no-url": f"postgresql//me:{quote(SECRET)}@localhost/name",
    "another-database": f"mysql://me:{quote(SECRET)}@localhost/name",
    "unknown-parameter": f"postgresql://me:{quote(SECRET)}@localhost/name?nonsense=1",
    "no-name": f"postgresql://me:{quote(SECRET)}@localhost",
}


def test_a_malformed_url_is_one_sentence(render: Render) -> None:
    """Without a traceback, the same from every command, and without the password."""
    project = render(database="postgresql").install()
    commands = [[project.console_script, *way] for way in WAYS] + [["alembic", "current"]]
    for number, url in enumerate(MALFORMED.values()):
        for command in commands if number == 0 else [commands[number % len(commands)]]:
            done = project.run(*command, check=False, DATABASE_URL=url)
            assert done.returncode == 1
            assert done.stdout == ""
            assert done.stderr.startswith("DATABASE_URL ")
            assert done.stderr.count("\n") == 1
            assert SECRET not in done.stderr
            assert quote(SECRET) not in done.stderr


@pytest.mark.parametrize("database", SERVERS, indirect=True)
def test_what_is_missing_is_made_by_what_is_said(
    render: Render, database: str, database_url: str
) -> None:
    project = render(database=database).install()
    url = make_url(database_url)
    assert advice(project, url.set(port=1)).endswith(f" {SERVERS[database]}")

    missing = url.set(database=f"{url.database}_2")
    command = shlex.split(advice(project, missing).removesuffix("."))
    assert command[0] == ("createdb" if database == "postgresql" else database)
    if database == "mysql":
        return  # whose client need not be here
    subprocess.run(command, check=True)
    try:
        assert advice(project, missing) == ""
    finally:
        execute(database_url, f"DROP DATABASE {missing.database}")


def advice(project: Project, url: URL) -> str:
    """The command that an error names."""
    written = url.render_as_string(hide_password=False)
    done = project.run("alembic", "current", url=written, check=False)
    said = (done.stdout + done.stderr).strip()
    return re.split(r"create what is missing: |for development: ", said)[-1]


# With it the tests would change the service's own database.
THEIR_OWN = """
import pytest
from my_service.config import load_settings

pytest_plugins = ["tests.plugin"]


@pytest.fixture(scope="session")
def database_url():
    return load_settings().database_url
"""


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_the_tests_end_at_once_where_they_get_no_database(
    render: Render, database: str, database_url: str
) -> None:
    project = render(database=database).install()
    url = make_url(database_url)
    user = f"plain_{url.database}"
    execute(database_url, f"CREATE ROLE {user} LOGIN")
    try:
        written = url.set(username=user).render_as_string(hide_password=False)
        done = project.run("python", "-m", "pytest", "-n", "2", url=written, check=False)
    finally:
        execute(database_url, f"DROP ROLE {user}")
    assert done.returncode == 2
    assert re.search(f'Interrupted: .* `ALTER ROLE "{user}" CREATEDB`', done.stdout)
    assert "sqlalchemy" not in done.stdout

    (project.path / "tests" / "conftest.py").write_text(THEIR_OWN)
    tests = ["tests/users", "-n", "1"]
    done = project.run("python", "-m", "pytest", *tests, url=database_url, check=False)
    assert done.returncode == 2
    assert "Interrupted: The tests would change the database of DATABASE_URL" in done.stdout
    assert "INTERNALERROR" not in done.stdout


EXAMPLES = """
import shlex
from my_service.migrations.toolkit.commands import DatabaseCommands
db = DatabaseCommands("db")
for parser in db.subparsers.choices.values():
    _, *examples = parser.epilog.splitlines()
    assert examples, parser.prog
    for example in examples:
        db.parser.parse_args(shlex.split(example.removeprefix("  db ").partition(" >")[0]))
"""


def test_help_at_each_level(render: Render) -> None:
    project = render().install()
    name = project.console_script
    for level, line in {
        (): f"{name} db upgrade",
        ("serve",): f"{name} serve --host 0.0.0.0 --port 8080 --workers 4",
        ("db",): f"{name} db revision --help",
        ("db", "downgrade"): f"{name} db downgrade -1",
    }.items():
        shown = project.run(name, *level, "--help").stdout
        assert f"\n  {line}\n" in shown
    project.run("python", "-c", EXAMPLES)
    assert project.run(name, "--version").stdout == "0.1.0\n"
    for arguments in ([], ["db"], ["sevre"], ["db", "show", ""], ["db", "merge", "head", ""]):
        done = project.run(name, *arguments, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith("usage: ")
    # Who reads may have enough.
    read = f"{name} db heads --verbose | true; exit ${{PIPESTATUS[0]}}"
    done = project.run("bash", "-c", read, check=False)
    assert (done.returncode, done.stderr) == (141, "")


def test_any_password(render: Render, database: str, database_url: str) -> None:
    if database == "sqlite":
        pytest.skip("a file has no password")
    with login(database, database_url) as url:
        m = Migrations(render(database=database).install(), url)
        m.alembic("upgrade", "head")
        shown = m.db("current", "--verbose")
        assert SECRET not in shown
        assert quote(SECRET, safe="") not in shown
        m.db("reset", "--yes")
        assert query(url, "select count(*) from users") == [(3,)]

        # The way that is for migrations goes first.
        m.project.run("alembic", "current", url=database_url, DATABASE_MIGRATION_URL=url)
        nowhere = make_url(url).set(database="nowhere").render_as_string(hide_password=False)
        done = m.project.run(
            "alembic", "current", url=url, check=False, DATABASE_MIGRATION_URL=nowhere
        )
        assert "nowhere" in done.stdout
        assert SECRET not in done.stdout + done.stderr


@contextmanager
def login(database: str, url: str) -> Iterator[str]:
    """The URL with a name and a password of its own."""
    parsed = make_url(url)
    user = f"m_{parsed.database}"[:32]
    accounts = [user]
    if database == "postgresql":
        execute(url, f"CREATE ROLE {user} SUPERUSER LOGIN PASSWORD '{SECRET}'")
    else:
        # Somebody without a name at localhost would go before somebody at any host.
        accounts = [f"{user}@'%'", f"{user}@localhost"]
        for account in accounts:
            execute(url, f"CREATE USER {account} IDENTIFIED BY '{SECRET}'")
            execute(url, f"GRANT ALL ON {parsed.database}.* TO {account}")
    yield parsed.set(username=user, password=SECRET).render_as_string(hide_password=False)
    if database == "postgresql":
        execute(url, f"DROP OWNED BY {user}")
    for account in accounts:
        execute(url, f"DROP USER {account}")


LOADED = """
import sys
from my_service.cli import main
main(["db", "upgrade"])
print([name for name in ("fastapi", "structlog", "uvicorn") if name in sys.modules])
rooms = {"review", "rows", "team", "write"}
print([name for name in sys.modules if "toolkit" in name and rooms & {*name.split(".")}])
"""


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_nothing_to_do_is_quickly_seen(render: Render, database_url: str) -> None:
    """Each replica asks when it starts: what only the service needs is not loaded for it."""
    project = render().install()
    project.run("alembic", "upgrade", "head", url=database_url)
    done = project.run("python", "-c", LOADED, url=database_url)
    assert "Nothing to do" in done.stderr
    assert done.stdout == "[]\n[]\n"


def test_a_file_that_cannot_be_read_or_written_is_one_sentence(render: Render) -> None:
    project = render().install()
    (project.package / "migrations" / "versions" / "broken.py").write_text("<<<<<<< HEAD\n")
    done = project.run(project.console_script, "serve", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("FAILED: A migration cannot be read: ")
    assert "broken.py, line 1: " in done.stderr
    assert done.stderr.count("\n") == 1

    (project.package / "migrations" / "versions" / "broken.py").write_text("HELP = 1\n")
    done = project.run(project.console_script, "db", "check", check=False)
    assert done.returncode == 2
    assert re.match(r"FAILED: broken\.py in .*/versions is no migration", done.stderr)
    assert done.stderr.count("\n") == 1

    (project.package / "migrations" / "versions" / "broken.py").unlink()
    head = project.package / "migrations" / "head.txt"
    head.unlink()
    head.mkdir()
    command = [project.console_script, "db", "revision", "-m", "fill names"]
    done = project.run(*command, check=False)
    assert done.returncode == 1
    assert done.stderr == f"FAILED: {head} cannot be read or written: Is a directory.\n"

    folder = project.package / "migrations" / "versions"
    folder.rename(folder.with_name("elsewhere"))
    folder.touch()
    done = project.run(project.console_script, "db", "upgrade", check=False)
    assert done.returncode == 1
    assert f"cannot be read: {folder}: NotADirectoryError: " in done.stderr
