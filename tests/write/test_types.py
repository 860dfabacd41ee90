"""Types of columns: also those that only a database or an extension knows."""

import pytest

from ..apply import models
from ..apply.lab import Lab
from .authoring import (
    Write,
    on_postgresql,
    revision,
    run_history,
)
from .steps import columns, tables

pytestmark = pytest.mark.slow


def test_types_and_defaults_of_all_kinds(lab: Lab, write: Write) -> None:
    """There is no difference after one migration for all of them."""
    write({})
    (lab.project.package / "shop" / "models.py").write_text(models.on(lab.database))
    with lab.fresh() as target:
        ended, _ = revision(target, "create everything")
        assert "WARNING" not in ended.output
        ended = target.db("check")
        assert ended.code == 0, ended.output


@on_postgresql
def test_a_text_becomes_an_enum_and_back(lab: Lab, write: Write) -> None:
    """And what cannot be cast by itself, as little as its default."""
    texts = columns(
        mood="sa.String(20), server_default='sad'",
        count="sa.String(9), server_default='0'",
        data="sa.Text, server_default='{}'",
    )
    with lab.fresh() as target:
        write(texts)
        revision(target, "create users")
        write(
            columns(
                mood="sa.Enum('sad', 'glad', name='mood'), server_default='sad'",
                count="sa.Integer, server_default='0'",
                data="sa.JSON",
            )
        )
        ended, text = revision(target, "allow two moods")
        assert "WARNING: users.mood: From VARCHAR(20) to the enum mood, which fails" in ended.output
        assert "write this yourself" not in ended.output
        assert 'postgresql_using="mood::mood"' in text
        assert target.db("check").code == 0
        write(texts)
        ended, text = revision(target, "allow any mood")
        assert "the database refuses" not in ended.output
        assert "write this yourself" not in ended.output
        assert text.index("type_=sa.String") < text.index('op.execute("DROP TYPE mood")')
        assert target.db("upgrade").code == target.db("downgrade", "-2").code == 0


@on_postgresql
def test_types_that_sqlalchemy_does_not_reflect(lab: Lab, write: Write) -> None:
    """Such as those of extensions: renamed and changed by what the models call them."""
    kind = "sa.dialects.postgresql.JSONPATH"
    steps = [
        columns(old=kind, path=f"{kind}, nullable=False", gone="sa.Integer"),
        columns(new=kind, path=f"{kind}, comment='of a tree'"),
    ]
    orders = [
        {"models": tables(parts), "message": message, "x": [x]}
        for parts, message, x in zip(
            steps,
            ("create users", "change users"),
            ("no-rename", "rename=users.old:new"),
            strict=True,
        )
    ]
    with lab.fresh() as target:
        write({})
        made = run_history(target, orders, "rows")
    for answer in made.answers:
        assert (answer["error"], answer["check"]) == ("", "")
        assert "write this yourself" not in answer["said"]
    assert made.ways_back == made.losses == []


@on_postgresql
def test_enums_are_not_written_twice(lab: Lab, write: Write) -> None:
    """A library that does so, too, which env.py of other projects imports."""
    package = lab.project.package
    library = package.parent / "alembic_postgresql_enum.py"
    env = package / "migrations" / "env.py"
    original = env.read_text()
    write(columns(level="sa.Enum('low', 'high', name='level')"))
    library.touch()
    env.write_text(f"import alembic_postgresql_enum\n{original}")
    with lab.fresh() as target:
        _, text = revision(target, "create users")
        assert "sa.Enum(" in text
        assert "CREATE TYPE" not in text
        assert "DROP TYPE" not in text
    env.write_text(original)
    library.unlink()
