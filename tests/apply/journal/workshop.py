"""A project whose migrations are interrupted, with everything that takes long to begin."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent

import pytest
from sqlalchemy.engine import make_url

from ...databases import execute, query
from ...projects import Project
from .forks import Ended, Forks
from .proxy import Action, Cut, Moment, Proxy

#: For every test here.
MARKS = [
    pytest.mark.slow,
    pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True),
]

VERSIONS = Path(__file__).with_name("versions")
_HEAD = """
import os
import signal
import uuid
from contextlib import suppress

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {after}


def die():
    if "DIE" in os.environ and not op.get_context().as_sql:
        os.kill(os.getpid(), signal.SIGKILL)


"""
TABLE = """
op.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB")
op.execute("INSERT INTO t VALUES (1, 1), (2, 2)")
"""


class Workshop:
    def __init__(
        self, project: Project, open_database: Callable[[], AbstractContextManager[str]]
    ) -> None:
        self.open_database = open_database
        self.package = str(project.answers["package_name"])
        self.slug = project.console_script
        self.versions = project.package / "migrations" / "versions"
        self.versions.mkdir(exist_ok=True)
        self.forks = [Forks(project.path, self.package) for _ in range(2)]
        with open_database() as url:
            server = make_url(url)
        self.proxy = Proxy(str(server.host), server.port or 3306)

    def close(self) -> None:
        self.proxy.close()
        for forks in self.forks:
            forks.close()

    def take_versions(self) -> None:
        """The ones with every kind of statement."""
        self._remove_versions()
        for file in VERSIONS.glob("r*.py"):
            shutil.copy(file, self.versions)

    def write(
        self, revision: str, upgrade: str, downgrade: str = "pass", after: str | None = "r1"
    ) -> None:
        """Anew, if it is there already."""
        (self.versions / f"{revision}.py").write_text(
            _HEAD.format(revision=revision, after=repr(after))
            + f"def upgrade():\n{_indented(upgrade)}\n\n\n"
            + f"def downgrade():\n{_indented(downgrade)}\n"
        )

    @contextmanager
    def case(self, upgrade: str, downgrade: str = "pass", first: str = TABLE) -> Iterator["Case"]:
        """r1 is applied; r2 is what the test is about."""
        self._remove_versions()
        self.write("r1", first, after=None)
        self.write("r2", upgrade, downgrade)
        with self.open_database() as url:
            case = Case(self, url)
            assert case.run("upgrade", "r1").code == 0
            yield case

    def _remove_versions(self) -> None:
        for file in self.versions.glob("*.py"):
            file.unlink()


@dataclass
class Case:
    """A database with a migration that is interrupted."""

    workshop: Workshop
    url: str

    def edit(self, upgrade: str) -> None:
        self.workshop.write("r2", upgrade)

    def run(self, *arguments: str, user: str | None = None, **variables: str) -> Ended:
        url = make_url(self.url)
        url = url.set(username=user, password="secret") if user else url
        return self.workshop.forks[0].run(
            url.render_as_string(hide_password=False), *arguments, **variables
        )

    def complete(self, *arguments: str, user: str | None = None) -> str:
        ended = self.run(*(arguments or ("upgrade", "head")), user=user)
        assert ended.code == 0, ended.output
        assert self.query("SELECT COUNT(*) FROM alembic_journal") == [(0,)]
        return ended.output

    def refused(self, *arguments: str, user: str | None = None, **variables: str) -> str:
        """The one sentence, without a traceback."""
        ended = self.run(*(arguments or ("upgrade", "head")), user=user, **variables)
        assert ended.code not in (0, -9), ended.output
        found = re.search(r"^FAILED: (.*)$", ended.output, re.MULTILINE)
        assert found, ended.output
        return found[1]

    def die(self, *arguments: str) -> None:
        """Where the migration says so."""
        ended = self.run(*(arguments or ("upgrade", "head")), DIE="1")
        assert ended.code == -9, ended.output

    def interrupt(
        self,
        statement: str,
        *arguments: str,
        action: Action = "kill",
        moment: Moment = "after",
        user: str | None = None,
    ) -> None:
        """At this statement of a migration; after it: nobody has heard the answer."""
        forks, proxy = self.workshop.forks[0], self.workshop.proxy
        cut = proxy.arm(Cut(statement=statement.encode(), action=action, moment=moment))
        url = make_url(proxy.entrance(self.url))
        url = url.set(username=user, password="secret") if user else url
        entrance = url.render_as_string(hide_password=False)
        cut.process = forks.start(entrance, *(arguments or ("upgrade", "head")))
        cut.started.set()
        ended = forks.end()
        # The proxy may be a moment behind the process that it has killed.
        assert cut.over.wait(5), ended.output

    def query(self, statement: str) -> list[tuple[object, ...]]:
        return query(self.url, statement)

    def execute(self, statement: str) -> None:
        execute(self.url, statement)

    @contextmanager
    def user(self, *privileges: str) -> Iterator[str]:
        """With no others, and none on the server."""
        name = f"u{os.getpid()}"
        # A new MariaDB may have a nameless user at localhost, who would come first.
        accounts = f"{name}@localhost", f"{name}@'%'"
        for account in accounts:
            self.execute(f"CREATE USER {account} IDENTIFIED BY 'secret'")
            database = make_url(self.url).database
            self.execute(f"GRANT {', '.join(privileges)} ON {database}.* TO {account}")
        try:
            yield name
        finally:
            for account in accounts:
                self.execute(f"DROP USER {account}")


def _indented(code: str) -> str:
    return indent(dedent(code).strip("\n"), "    ")
