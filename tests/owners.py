"""Projects that were made from a release, and have been lived in."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import copier
import yaml

from .apply.lab import PATIENCE, Launcher
from .apply.launcher import Ended, Job
from .databases import execute, query, throwaway_database
from .projects import Project, Renderer
from .template import SNAPSHOT, commit, git

ORDERS = "5c1d9a7b3e20"
MODELS = """\
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from ..database import Base


class Order(Base):
    __tablename__ = "orders"

    code: Mapped[str] = mapped_column(String(20), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
"""
MIGRATION = f"""\
\"\"\"Create orders

Revision ID: {ORDERS}
Revises: {{before}}
Create Date: 2026-12-01 00:00:00 UTC
\"\"\"

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "{ORDERS}"
down_revision: str | Sequence[str] | None = "{{before}}"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("user_id", sa.{{integer}}(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_orders_user_id")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_orders")),
    )


def downgrade() -> None:
    op.drop_table("orders")
"""
ROWS = (
    "insert into users (name, email) values ('Ann', 'ann@example.org')",
    "insert into orders (code, user_id) select 'A-1', id from users",
)
COMPARE = """
import sys
from sqlalchemy import make_url
from {package}.driver import create_migration_engine
from {package}.migrations.toolkit.schema.snapshot import differences, snapshot

facts = []
for url in sys.argv[1:]:
    with create_migration_engine(make_url(url)).connect() as connection:
        facts.append(snapshot(connection))
assert facts[0], "there is nothing to compare"
print("\\n".join(differences(*facts)), end="")
"""


@dataclass
class Owner:
    """Whose project was made from a release, and has a feature, a migration and rows since."""

    project: Project
    url: str
    launcher: Launcher | None = None

    def run(self, *words: str, ours: bool = False) -> Ended:
        if self.launcher is None:
            self.launcher = Launcher(self.project)
        variables = {"DATABASE_URL": self.url, "ENVIRONMENT": "development"}
        job = Job(self.project.package.name, list(words), variables, ours=ours)
        [ended] = self.launcher.start(job).result(PATIENCE)
        return ended

    def alembic(self, *arguments: str) -> str:
        ended = self.run(*arguments)
        assert ended.code == 0, f"{arguments}: {ended}"
        return ended.output

    def db(self, *arguments: str) -> str:
        ended = self.run("db", *arguments, ours=True)
        assert ended.code == 0, f"{arguments}: {ended}"
        return ended.output

    def end(self) -> None:
        """The code that has been imported is not the newest any more."""
        if self.launcher is not None:
            self.launcher.close()
            self.launcher = None

    def git(self, *arguments: str) -> str:
        return git(self.project.path, *arguments)

    def commit(self) -> None:
        commit(self.project.path, "Work")

    def update(self, to: str = SNAPSHOT, **answers: object) -> None:
        """As `make update-template` does, which has tests of its own; without `--trust`."""
        head = self.git("rev-parse", "HEAD")
        copier.run_update(
            self.project.path, data=answers, vcs_ref=to, defaults=True, overwrite=True, quiet=True
        )
        assert self.git("diff", "--name-only", "--diff-filter=U") == ""
        assert self.git("rev-parse", "HEAD") == head
        assert self.git("stash", "list") == ""
        self.end()

    def texts(self) -> dict[str, str]:
        """Of all files that git knows, or would."""
        path = self.project.path
        names = self.git("ls-files", "--cached", "--others", "--exclude-standard").splitlines()
        return {name: self.project.read(name) for name in names if (path / name).exists()}

    def answers(self) -> dict[str, object]:
        found: dict[str, object] = yaml.safe_load(self.project.read(".copier-answers.yml"))
        return found

    def differences(self, other: "Owner") -> str:
        code = COMPARE.format(package=self.project.package.name)
        command = [sys.executable, "-c", code, self.url, other.url]
        environment = {**os.environ, "PYTHONPATH": str(self.project.path / "src")}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout

    def add_orders(self) -> None:
        package = self.project.package
        feature, migrations = package / "orders", package / "migrations"
        feature.mkdir()
        (feature / "__init__.py").touch()
        (feature / "models.py").write_text(MODELS)
        before = (migrations / "head.txt").read_text().splitlines()[-1]
        integer = "Integer" if self.project.answers["database"] == "sqlite" else "BigInteger"
        text = MIGRATION.format(before=before, integer=integer)
        (migrations / "versions" / "20261201_000000_create_orders.py").write_text(text)
        head = (migrations / "head.txt").read_text().replace(before, ORDERS)
        (migrations / "head.txt").write_text(head)

    def take_over(self) -> None:
        self.db("adopt")
        self.db("upgrade")
        assert "They are alike." in self.db("check")
        state = json.loads(self.db("status", "--json"))
        assert (state["state"], state["to_adopt"]) == ("current", [])
        assert len(self.alembic("heads").splitlines()) == 1

    def follow(self, to: str = SNAPSHOT, **answers: object) -> None:
        """An update as it is finished."""
        self.update(to, **answers)
        self.take_over()
        self.commit()

    def rows(self) -> list[tuple[object, ...]]:
        return query(
            self.url, "select name, email, code from orders join users on users.id = orders.user_id"
        )

    def versions(self) -> list[str]:
        folder = self.project.package / "migrations" / "versions"
        return sorted(path.name for path in folder.glob("*.py"))


@dataclass
class Past:
    """Makes projects as their owners did, with a release."""

    renderer: Renderer
    folder: Path
    url: str
    database: str = "sqlite"
    owners: list[Owner] = field(default_factory=list)

    def own(self, project: Project, url: str = "") -> Owner:
        self.owners.append(Owner(project, url or self.url))
        return self.owners[-1]

    def project(self, version: str, **answers: object) -> Project:
        """Not in use yet."""
        asked = {"database": self.database, **answers}
        folder = self.folder / f"project-{len(list(self.folder.glob('project-*')))}"
        made = self.renderer(folder, asked, version)
        git(made.path, "init", "--quiet", "--initial-branch", "main")
        commit(made.path, "Begin")
        return made

    def owner(self, version: str, **answers: object) -> Owner:
        owner = self.own(self.project(version, **answers))
        owner.add_orders()
        owner.db("upgrade")
        for row in ROWS:
            execute(self.url, row)
        owner.commit()
        return owner

    @contextmanager
    def fresh(self, **answers: object) -> Iterator[Owner]:
        """What the newest template would make of it, with the same feature."""
        with throwaway_database(self.database, self.folder) as url:
            owner = self.own(self.project(SNAPSHOT, **answers), url)
            owner.add_orders()
            owner.db("upgrade")
            yield owner
