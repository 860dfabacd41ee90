"""Migrations to be run by several at once, to be killed, or to be kept waiting."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from textwrap import dedent, indent
from types import MappingProxyType

from sqlalchemy import NullPool, create_engine, inspect
from sqlalchemy.engine import make_url

from ..databases import execute, query
from ..projects import Project
from ..servers import driver_url
from .launcher import Ended, Job

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
    open_database: Callable[[], AbstractContextManager[str]]
    #: Behind a pooler the URL is another.
    entrance: Callable[[str], str] = str

    def write(self, revision: str, upgrade: str, downgrade: str = "pass") -> None:
        """One more migration, or one anew; they follow each other in the order of their names."""
        versions = self.project.package / "migrations" / "versions"
        versions.mkdir(exist_ok=True)
        names = (path.stem for path in versions.glob("*.py"))
        before = max((name for name in names if name < revision), default=None)
        (versions / f"{revision}.py").write_text(
            "import time\nfrom pathlib import Path\n\nimport sqlalchemy as sa\nfrom alembic import op\n\n"
            f"revision = {revision!r}\ndown_revision = {before!r}\n\n\n"
            f"def upgrade():\n{_indented(upgrade)}\n\n\n"
            f"def downgrade():\n{_indented(downgrade)}\n"
        )

    def use_plain_alembic(self) -> None:
        package = str(self.project.answers["package_name"])
        env = self.project.package / "migrations" / "env.py"
        env.write_text(PLAIN.format(package=package))

    @contextmanager
    def fresh(self) -> Iterator["Target"]:
        with self.open_database() as url, ThreadPoolExecutor() as pool:
            yield Target(self, url, pool)

    def launch(self, jobs: list[Job]) -> list[list[Ended]]:
        """One job after the other."""
        done = subprocess.run(
            [sys.executable, str(LAUNCHER)],
            cwd=self.project.path,
            env={**os.environ, "PYTHONPATH": str(self.project.path / "src"), "RELEASE": "1"},
            input=json.dumps([asdict(job) for job in jobs]),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [[Ended(**ended) for ended in job] for job in json.loads(done.stdout)]


@dataclass(frozen=True)
class Target:
    """A database that is migrated."""

    lab: Lab
    url: str
    _pool: ThreadPoolExecutor

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

    def begin(self, *arguments: str, **variables: str) -> Future[Ended]:
        """While the test goes on."""
        return self._pool.submit(self.alembic, *arguments, **variables)

    def tables(self) -> set[str]:
        engine = create_engine(driver_url(self.url), poolclass=NullPool)
        with engine.connect() as connection:
            return set(inspect(connection).get_table_names())

    def query(self, statement: str) -> list[tuple[object, ...]]:
        return query(self.url, statement)

    def execute(self, statement: str) -> None:
        execute(self.url, statement)

    @property
    def name(self) -> str:
        return str(make_url(self.url).database)

    @property
    def revision(self) -> str | None:
        rows = self.query("SELECT version_num FROM alembic_version")
        return str(rows[0][0]) if rows else None


def _indented(code: str) -> str:
    return indent(dedent(code).strip("\n"), "    ")
