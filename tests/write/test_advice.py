"""What is left to the author, who is told what to write."""

import re
from dataclasses import replace

import pytest

from ..apply.lab import Lab
from .authoring import (
    Write,
    on_postgresql,
    on_sqlite,
    revision,
    versions,
)
from .steps import columns

pytestmark = pytest.mark.slow


@on_sqlite
def test_what_is_left_to_the_author(lab: Lab, write: Write) -> None:
    """What it says to write makes the tables alike."""
    lab.write("r0", "op.create_table('users', sa.Column('id', sa.Integer, primary_key=True))")
    with lab.fresh() as target:
        write({})
        before = versions(lab)
        ended, text = revision(target, "give no key twice")
        assert "table users is without options, and should be AUTOINCREMENT" in text
        [advice] = re.findall(r"`(with op\.batch_alter_table.*): pass`", ended.output)
        [path] = versions(lab) - before
        path.write_text(text.replace("    pass", f"    {advice}:\n        pass", 1))
        ended = target.db("check")
        assert ended.code == 0, ended.output
        write({"ix": "sa.Index('ix_none')"})
        ended, text = revision(target, "find by nothing")
        refused = "the database refuses a part of it: `CREATE INDEX ix_none ON users ()` failed: "
        assert refused in ended.output
        assert f"# Write this yourself: {refused}" in text


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_a_key_for_what_has_none(lab: Lab, write: Write) -> None:
    """What it says to write numbers the rows that are there."""
    make, where, users = "pass", {}, "users"
    if lab.database == "postgresql":
        make, where, users = (
            "op.execute('CREATE SCHEMA billing')",
            {"schema": "schema='billing'"},
            "billing.users",
        )
    table = ", ".join(("'users', sa.Column('name', sa.String(50))", *where.values()))
    lab.write("r0", f"{make}\nop.create_table({table})")
    with lab.fresh() as target:
        target.db("upgrade")
        target.execute(f"INSERT INTO {users} (name) VALUES ('Ada'), ('Grace')")
        write(columns(name="sa.String(50)") | where)
        before = versions(lab)
        ended, text = revision(target, "number the users")
        [advice] = re.findall(r"made as the key: `(op\.add_column[^`]*)`", ended.output)
        [path] = versions(lab) - before
        added = re.compile(r"op\.add_column\(.*\)\n +op\.create_primary_key\(.*\)\n")
        dropped = re.compile(r"op\.drop_constraint\(.*\)\n +(?=op\.drop_column)")
        path.write_text(dropped.sub("", added.sub(f"{advice}\n", text, count=1)))
        assert target.db("upgrade").code == 0
        assert target.query(f"SELECT id FROM {users} ORDER BY id") == [(1,), (2,)]
        ended = target.db("check")
        assert ended.code == 0, ended.output
        assert target.db("downgrade", "-1").code == 0
        assert target.db("upgrade").code == 0
        # The server would miss it only when a row is inserted.
        number = "sa.BigInteger, sa.Sequence('user_numbers')"
        write(columns(name="sa.String(50)", number=number) | where)
        before = versions(lab)
        ended, text = revision(target, "number them anew")
        [advice] = re.findall(r"sequence user_numbers is missing.*`(op\.execute.*?)`", ended.output)
        [path] = versions(lab) - before
        path.write_text(re.sub(r"(def upgrade\(\).*\n)", rf"\1    {advice}\n", text))
        ended = target.db("check")
        assert ended.code == 0, ended.output


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_key_that_is_there(lab: Lab, write: Write) -> None:
    """It cannot be added once more."""
    key = "sa.Column('id', sa.Integer, primary_key=True{})"
    with lab.fresh() as target:
        write({"people": key.format(", autoincrement=False")})
        revision(target, "create users")
        write({"people": key.format("")})
        ended, _ = revision(target, "number the users")
        assert "WARNING: write this yourself: column people.id is " in ended.output
        assert "op.add_column" not in ended.output


@on_postgresql
def test_a_new_value_that_is_the_default_at_once(lab: Lab, write: Write) -> None:
    """It comes first, since PostgreSQL lets nobody use it before it is committed."""
    with lab.fresh() as target:
        write(columns(mood="sa.Enum('sad', name='mood'), server_default='sad'"))
        revision(target, "create users")
        write(columns(mood="sa.Enum('sad', 'glad', name='mood'), server_default='glad'"))
        ended = target.db("check")
        assert (ended.code, "type mood is ENUM" in ended.output) == (1, True), ended.output
        before = versions(lab)
        ended, text = revision(target, "be glad")
        assert "failed: unsafe use of new value" in ended.output
        [path] = versions(lab) - before
        block = "with op.get_context().autocommit_block():\n        op.execute"
        path.write_text(text.replace("op.execute", block, 1))
        assert target.db("upgrade").code == 0
        ended = target.db("check")
        assert ended.code == 0, ended.output


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_what_the_database_says_in_several_lines(lab: Lab, write: Write) -> None:
    """Each remark is a comment, which ends with its line."""
    with lab.fresh() as target:
        write(columns(twice="sa.Integer, sa.Computed('age *')", name="sa.String(50)"))
        ended, text = revision(target, "create users")
        said = re.escape("near '), name VARCHAR(50), ")
        assert re.search(f"write this yourself: .*{said}", ended.output)
        assert re.search(f"^# Write this yourself: .*{said}", text, re.MULTILINE)


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_a_url_that_says_mysql(lab: Lab, write: Write) -> None:
    """MariaDB takes no NOT NULL of what is computed, whatever the URL calls it."""
    with lab.fresh() as target:
        target = replace(target, url=target.url.replace("mariadb://", "mysql://"))
        write({})
        with (lab.project.package / "shop" / "models.py").open("a") as models:
            models.write(
                "from sqlalchemy.orm import Mapped, mapped_column\n\n\nclass Pet(Base):\n"
                "    __tablename__ = 'pets'\n    id: Mapped[int] = mapped_column(primary_key=True)\n"
                "    twice: Mapped[int] = mapped_column(sa.Computed('3 * 2'))\n"
            )
        ended, _ = revision(target, "create users")
        assert "WARNING" not in ended.output
        assert target.db("upgrade").code == 0
        ended = target.db("check")
        assert ended.code == 0, ended.output


@pytest.mark.parametrize("database", ["mysql", "mariadb"], indirect=True)
def test_other_characters(lab: Lab, write: Write) -> None:
    """And a comment that only this database is to have."""
    column, given = columns(name="sa.String(50)"), "{0}_charset='{1}', {0}_comment='{2}'"
    with lab.fresh() as target:
        write(column | {"given": given.format(lab.database, "latin1", "all")})
        revision(target, "create users")
        ended = target.db("check")
        assert ended.code == 0, ended.output
        write(column | {"given": given.format(lab.database, "utf8mb4", "some")})
        before = versions(lab)
        ended, text = revision(target, "name users in any language")
        [advice] = re.findall(r"`(op\.execute.*?)`", ended.output)
        [path] = versions(lab) - before
        path.write_text(re.sub(r"(def upgrade\(\).*\n)", rf"\1    {advice}\n", text))
        ended = target.db("check")
        assert ended.code == 0, ended.output
