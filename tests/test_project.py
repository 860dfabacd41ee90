"""Each project on its real database: its own tests, its migrations, its server."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, inspect

from .apply.lab import Launcher
from .databases import query
from .migrations import Migrations
from .projects import Project
from .servers import driver_url

Render = Callable[..., Project]

pytestmark = pytest.mark.slow


@pytest.fixture(params=[True, False], ids=["example", "empty"])
def example(request: pytest.FixtureRequest) -> bool:
    kept: bool = request.param
    return kept


#: With the example `test_tutorial.py` does the same, and more.
EMPTY = pytest.mark.parametrize("example", [False], indirect=True, ids=["empty"])


@pytest.fixture
def project(render: Render, database: str, example: bool) -> Project:
    return render(database=database, example=example, audit=example).install()


@pytest.fixture
def migrations(
    render: Render, database: str, database_url: str, example: bool
) -> Iterator[Migrations]:
    project = render(database=database, example=example, audit=example)
    with closing(Launcher(project)) as launcher:
        yield Migrations(project, database_url, launcher)


def test_nothing_is_compiled_anew(render: Render) -> None:
    """What each of the hundred environments would take seconds for, and no other test would notice."""
    done = render().install().run("python", "-v", "-c", "import alembic.config, fastapi")
    assert "import 'fastapi.applications'" in done.stderr
    compiled = re.findall(r"^# created '.*site-packages.*'", done.stderr, re.M)
    assert not compiled


def test_own_suite(project: Project, database: str, database_url: str, example: bool) -> None:
    """With the project's own coverage gate, and all of the example's lines and branches."""
    # With SQLite nothing has to be set.
    url = None if database == "sqlite" else database_url
    # One of the two on several processes, as `make test` does, one without.
    processes = ["-n", "2"] if example else []
    done = project.run("python", "-m", "pytest", "--cov", *processes, url=url)
    summary = done.stdout.splitlines()[-1]
    assert re.search(r"\d+ passed", summary)
    assert not re.search(r"skipped|xfailed|warning", summary)
    if example:
        report = ["report", "--include=*/users/*,*/audit/*", "--fail-under=100"]
        project.run("python", "-m", "coverage", *report)
    assert _tables(database_url) == set()


@EMPTY
def test_migrations(migrations: Migrations, database_url: str) -> None:
    alembic = migrations.alembic
    alembic("upgrade", "head")
    assert _service_tables(database_url) == set()
    assert "No new upgrade operations detected" in alembic("check")
    alembic("downgrade", "base")
    alembic("upgrade", "head")
    assert _service_tables(database_url) == set()
    assert alembic("current") == ""


def test_migrations_as_sql(project: Project, database_url: str, example: bool) -> None:
    script = project.run("alembic", "upgrade", "head", "--sql", url=database_url).stdout
    assert ("CREATE TABLE users" in script) == example
    assert _tables(database_url) == set()


def test_console_script_migrates(project: Project, database_url: str, example: bool) -> None:
    project.run(project.console_script, "db", "upgrade", url=database_url)
    assert ("users" in _tables(database_url)) == example
    project.run(project.console_script, "db", "check", url=database_url)
    refused = project.run(
        project.console_script, "db", "downgrade", "base", url=database_url, check=False
    )
    assert ("would lose the table audit_log (0 rows), the table users" in refused.stderr) == example
    names = ["--lose", "users", "--lose", "audit_log"] if example else []
    project.run(project.console_script, "db", "downgrade", "base", *names, url=database_url)
    assert "users" not in _tables(database_url)


@EMPTY
def test_a_new_feature_is_found(migrations: Migrations, database_url: str) -> None:
    """A folder with models.py: autogenerate writes its table, and it goes up, down and up."""
    alembic, project = migrations.alembic, migrations.project
    feature = project.package / "notes"
    feature.mkdir()
    (feature / "__init__.py").touch()
    (feature / "models.py").write_text(NOTES)
    alembic("upgrade", "head")
    alembic("revision", "--autogenerate", "--message", "Add notes")
    alembic("upgrade", "head")
    assert "notes" in _tables(database_url)
    alembic("check")
    alembic("downgrade", "-1")
    assert "notes" not in _tables(database_url)
    alembic("upgrade", "head")
    for command in (["check"], ["format", "--check"]):
        project.run(sys.executable, "-m", "ruff", *command)


def test_served_in_production(project: Project, database_url: str, example: bool) -> None:
    with project.serve(database_url) as client:
        assert client.get("/livez").status_code == 200
        behind = client.get("/readyz")
        assert behind.status_code == (503 if example else 200), behind.text
        for path in ("/docs", "/redoc", "/openapi.json"):
            assert client.get(path).status_code == 404, path
        missing = client.get("/nothing-here")
        assert missing.headers["content-type"] == "application/problem+json"
    project.run("alembic", "upgrade", "head", url=database_url)
    with project.serve(database_url) as client:
        ready = client.get("/readyz")
        assert ready.status_code == 200, ready.text


def test_served_in_development(project: Project, database_url: str) -> None:
    with project.serve(database_url, ENVIRONMENT="development") as client:
        assert client.get("/docs").status_code == 200
        assert client.get("/openapi.json").json()["openapi"].startswith("3.")


def test_served_by_several_processes(render: Render, tmp_path: Path) -> None:
    project = render().install()
    with project.serve(f"sqlite:///{tmp_path}/app.db", "--workers", "2") as client:
        assert client.get("/livez").status_code == 200


def test_users(render: Render, database: str, database_url: str) -> None:
    """Over HTTP, with what another connection sees in the database."""
    project = render(database=database, audit=True).install()
    project.run("alembic", "upgrade", "head", url=database_url)
    ada = {"name": "Ada Löv😀", "email": "ada@example.com"}
    with project.serve(database_url) as client:
        created = client.post("/users", json=ada, headers={"X-Request-ID": "the-first"})
        assert created.status_code == 201, created.text
        user = created.json()
        assert created.headers["location"].endswith(f"/users/{user['id']}")
        assert query(database_url, "select name, email from users") == [tuple(ada.values())]

        again = client.post("/users", json=ada)
        assert again.status_code == 409
        assert "email" in again.text

        assert client.get(f"/users/{user['id']}").json() == user
        client.post("/users", json={"name": "Bob", "email": "bob@example.com"})
        first = client.get("/users", params={"limit": 1}).json()
        second = client.get("/users", params={"limit": 1, "cursor": first["next"]}).json()
        assert [*first["items"], *second["items"]][0] == user
        assert second["next"] is None

        renamed = client.patch(f"/users/{user['id']}", json={"name": "Ada"})
        assert renamed.json()["name"] == "Ada"
        assert renamed.json()["email"] == ada["email"]
        assert client.delete(f"/users/{user['id']}").status_code == 204
        assert client.get(f"/users/{user['id']}").status_code == 404
        assert query(database_url, "select name from users") == [("Bob",)]
        assert client.post("/users", json={"name": "no address"}).status_code == 422
    done = query(database_url, "select action, row_id from audit_log order by id")
    ids = [str(each["id"]) for each in (*first["items"], *second["items"])]
    assert done == [("insert", ids[0]), ("insert", ids[1]), ("update", ids[0]), ("delete", ids[0])]
    requests = query(database_url, "select request_id from audit_log order by id")
    assert requests[0] == ("the-first",)
    assert len(set(requests)) == 4


NOTES = """\
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from ..database import Base


class Note(Base):
    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(100))
"""


def _service_tables(url: str) -> set[str]:
    """Without those that migrations keep for themselves."""
    return {name for name in _tables(url) if not name.startswith("alembic_")}


def _tables(url: str) -> set[str]:
    engine = create_engine(driver_url(url), poolclass=NullPool)
    return set(inspect(engine).get_table_names())
