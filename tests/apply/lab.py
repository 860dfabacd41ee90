"""Migrations to be run by several at once, to be killed, or to be kept waiting."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from textwrap import dedent, indent
from types import MappingProxyType

import pytest
from sqlalchemy import NullPool, create_engine, inspect
from sqlalchemy.engine import make_url

from ..databases import execute, query
from ..projects import WITHOUT_CERTIFICATES, Project
from ..servers import driver_url
from .launcher import Ended, Job

ON_SERVERS = pytest.mark.parametrize("database", ["postgresql", "mysql", "mariadb"], indirect=True)
#: A migration that takes longer, in seconds, will never end.
PATIENCE = 180
LAUNCHER = Path(__file__).with_name("launcher.py")
# Alembic's own env.py, to compare with.
PLAIN = """
from alembic import context
from sqlalchemy import NullPool, create_engine

from {package}.config import load_settings

url = load_settings().migration_url
driver = {{"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}}
url = url.set(drivername=driver.get(url.drivername, url.drivername))
with create_engine(url, poolclass=NullPool).connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""


@dataclass(frozen=True)
class Lab:
    """A project whose migrations the test writes, and throw-away databases for them."""

    project: Project
    database: str
    launcher: "Launcher"
    open_database: Callable[[], AbstractContextManager[str]]
    #: Behind a pooler the URL is another.
    entrance: Callable[[str], str] = str

    def write(self, revision: str, upgrade: str, downgrade: str = "pass") -> None:
        """One more migration, or one anew; they follow each other in the order of their names."""
        write_migration(self.project, revision, upgrade, downgrade)

    def clear(self) -> None:
        """Without the migrations of the test before, their repository, and the files that these made."""
        migrations = self.project.package / "migrations"
        for name in ("versions", "template"):
            shutil.rmtree(migrations / name, ignore_errors=True)
        (migrations / "template.lock").unlink(missing_ok=True)
        for name in ("slow", "begun"):
            (self.project.path / name).unlink(missing_ok=True)
        shutil.rmtree(self.project.path / ".git", ignore_errors=True)

    @contextmanager
    def fresh(self) -> Iterator["Target"]:
        with self.open_database() as url:
            yield Target(self, url)

    def launch(self, jobs: list[Job]) -> list[list[Ended]]:
        """One job after the other."""
        return [self.launcher.start(job).result(PATIENCE) for job in jobs]


class Launcher:
    """The process that starts those that migrate."""

    def __init__(self, project: Project) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(LAUNCHER), str(project.answers["package_name"])],
            cwd=project.path,
            env={
                **os.environ,
                "PYTHONPATH": str(project.path / "src"),
                # A test writes a migration anew within the second that a compiled file may be old.
                "PYTHONDONTWRITEBYTECODE": "1",
                "RELEASE": "1",
                "ENVIRONMENT": "development",
                **WITHOUT_CERTIFICATES,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._jobs: list[Future[list[Ended]]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def start(self, job: Job) -> Future[list[Ended]]:
        assert self._process.stdin is not None
        future: Future[list[Ended]] = Future()
        self._jobs.append(future)
        print(json.dumps(asdict(job)), file=self._process.stdin, flush=True)
        return future

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                number, ended = json.loads(line)
                self._jobs[number].set_result([Ended(**each) for each in ended])
        for future in self._jobs:
            if not future.done():
                future.set_exception(RuntimeError("The launcher has ended."))


@dataclass(frozen=True)
class Running:
    """A migration that goes on while the test does."""

    _future: Future[list[Ended]]

    def done(self) -> bool:
        return self._future.done()

    def result(self) -> Ended:
        [ended] = self._future.result(PATIENCE)
        return ended


@dataclass(frozen=True)
class Target:
    """A database that is migrated."""

    lab: Lab
    url: str

    def job(
        self,
        *arguments: str,
        variables: Mapping[str, str] = MappingProxyType({}),
        at_once: int = 1,
        kill_at: int = 0,
        kill_in: str = "",
    ) -> Job:
        return Job(
            str(self.lab.project.answers["package_name"]),
            list(arguments),
            {"DATABASE_URL": self.lab.entrance(self.url), **variables},
            at_once=at_once,
            kill_at=kill_at,
            kill_in=kill_in,
        )

    def alembic(self, *arguments: str, **variables: str) -> Ended:
        [[ended]] = self.lab.launch([self.job(*arguments, variables=variables)])
        return ended

    def db(self, *arguments: str, **variables: str) -> Ended:
        [[ended]] = self.lab.launch(
            [replace(self.job("db", *arguments, variables=variables), ours=True)]
        )
        return ended

    def upgrade(self, revision: str = "head", **variables: str) -> None:
        ended = self.alembic("upgrade", revision, **variables)
        assert ended.code == 0, ended.output

    def at_once(self, count: int, *arguments: str, **variables: str) -> list[Ended]:
        """As if as many replicas began at the same moment."""
        [ended] = self.lab.launch([self.job(*arguments, variables=variables, at_once=count)])
        return ended

    def begin(self, *arguments: str, **variables: str) -> Running:
        return Running(self.lab.launcher.start(self.job(*arguments, variables=variables)))

    def tables(self) -> set[str]:
        engine = create_engine(driver_url(self.url), poolclass=NullPool)
        with engine.connect() as connection:
            return set(inspect(connection).get_table_names())

    def indexes(self, table: str) -> set[str | None]:
        engine = create_engine(driver_url(self.url), poolclass=NullPool)
        with engine.connect() as connection:
            return {index["name"] for index in inspect(connection).get_indexes(table)}

    def query(self, statement: str) -> list[tuple[object, ...]]:
        return query(self.url, statement)

    def execute(self, statement: str) -> None:
        execute(self.url, statement)

    @property
    def name(self) -> str:
        return str(make_url(self.url).database)

    @property
    def postgresql(self) -> int:
        """The server's major version."""
        [(number,)] = self.query("SHOW server_version_num")
        return int(str(number)) // 10_000

    @property
    def revision(self) -> str | None:
        rows = self.query("SELECT version_num FROM alembic_version")
        return str(rows[0][0]) if rows else None


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


def write_migration(project: Project, revision: str, upgrade: str, downgrade: str = "pass") -> None:
    versions = project.package / "migrations" / "versions"
    versions.mkdir(exist_ok=True)
    names = (path.stem for path in versions.glob("*.py"))
    before = max((name for name in names if name < revision), default=None)
    (versions / f"{revision}.py").write_text(
        "import time\nfrom pathlib import Path\n\nimport sqlalchemy as sa\nfrom alembic import op\n\n"
        f"revision = {revision!r}\ndown_revision = {before!r}\n\n\n"
        f"def upgrade():\n{_indented(upgrade)}\n\n\n"
        f"def downgrade():\n{_indented(downgrade)}\n"
    )


def use_plain_alembic(project: Project) -> None:
    env = project.package / "migrations" / "env.py"
    env.write_text(PLAIN.format(package=project.answers["package_name"]))


def _indented(code: str) -> str:
    return indent(dedent(code).strip("\n"), "    ")
