"""What a user does with migrations: the commands, the files, the tables."""

import re
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import NullPool, create_engine, inspect

from .apply.lab import Launcher
from .apply.launcher import Ended, Job
from .projects import Project
from .servers import driver_url


@dataclass
class Migrations:
    """A project's migrations, and a database for them."""

    project: Project
    url: str
    #: Runs the commands in no time; without it each is a command of the shell.
    launcher: Launcher | None = None
    looks: int = 0

    @property
    def files(self) -> list[Path]:
        return sorted((self.project.package / "migrations" / "versions").glob("*.py"))

    def alembic(self, *arguments: str) -> str:
        """The plain command, as Alembic's tutorial has it."""
        return self._run(*arguments).output

    def db(self, *arguments: str) -> str:
        return self._run(*arguments, ours=True).output

    def _run(self, *arguments: str, ours: bool = False, check: bool = True) -> Ended:
        command = [self.project.console_script, "db"] if ours else ["alembic"]
        if self.launcher is None:
            done = self.project.run(
                *command, *arguments, url=self.url, check=check, ENVIRONMENT="development"
            )
            return Ended(done.returncode, done.stdout, 0, done.stderr)
        words = [*command[1:], *arguments]
        variables = {"ENVIRONMENT": "development"}
        if self.url:
            variables["DATABASE_URL"] = self.url
        job = Job(self.project.package.name, words, variables, ours=ours, apart=True)
        [ended] = self.launcher.start(job).result()
        assert not check or ended.code == 0, f"{words}: {ended}"
        return ended

    def look(self, *arguments: str) -> str:
        """For commands that change nothing: with SQLite both ways, which must answer the same.

        With a server once, each way in turn: a command takes a second.
        """
        self.looks += 1
        if not self.url.startswith("sqlite"):
            return (self.alembic if self.looks % 2 else self.db)(*arguments)
        answer = self.alembic(*arguments)
        assert self.db(*arguments) == answer
        return answer

    def refusals(self, *arguments: str) -> list[str]:
        """What both ways say where they must fail: one line each."""
        said = []
        for ours in (False, True):
            done = self._run(*arguments, ours=ours, check=False)
            assert done.code != 0
            text = (done.output + done.errors).strip()
            assert "Traceback" not in text
            said.append(text)
        return said

    def revision(self, *arguments: str, plain: bool = True) -> "Revision":
        """Make a revision and find its file."""
        before = self.files
        (self.alembic if plain else self.db)("revision", *arguments)
        (new,) = set(self.files).difference(before)
        return Revision(new)

    def tables(self) -> dict[str, set[str]]:
        """The service's own tables, with their columns."""
        engine = create_engine(driver_url(self.url), poolclass=NullPool)
        with engine.connect() as connection:
            look = inspect(connection)
            return {
                table: {column["name"] for column in look.get_columns(table)}
                for table in look.get_table_names()
                if not table.startswith("alembic_")
            }


@dataclass
class Revision:
    path: Path

    @property
    def id(self) -> str:
        found = re.search(r'^revision: str = "(\w+)"$', self.text, re.MULTILINE)
        assert found
        return found[1]

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def write(self, upgrade: str, downgrade: str) -> None:
        """Fill in the two functions of a revision that was made without --autogenerate."""
        head, up, down = self.text.split("\n    pass\n")
        self.path.write_text(f"{head}\n    {upgrade}\n{up}\n    {downgrade}\n{down}")
