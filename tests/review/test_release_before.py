"""`db lint`: what the models of the release before would run into on the new schema."""

from collections.abc import Callable

import pytest

from ..projects import Project
from .cases import ELSEWHERE, TABLE
from .histories import History, migration, review

pytestmark = pytest.mark.slow

MORE_COLUMNS = """
    sa.Column("kind", sa.Enum("a", "b", name="kind")),
    sa.Column("level", sa.String(5)),
    sa.CheckConstraint("level IN ('a', 'b')", name="level"),
    sa.Column("made", sa.Integer, nullable=False, server_default="1"),
    sa.Column("place", sa.Integer, server_default="1"),
    sa.Column("price", sa.Numeric(6, 2)),
    sa.Column("weight", sa.Numeric(6, 2)),
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
            batch.alter_column("price", type_=sa.Numeric(8, 2), existing_type=sa.Numeric(6, 2))
            batch.alter_column("weight", type_=sa.Numeric(6, 1), existing_type=sa.Numeric(6, 2))
        """,
        [
            "t.nickname was VARCHAR(50) and is VARCHAR(20)",
            "t.weight was {numeric}(6, 2) and is {numeric}(6, 1)",
        ],
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
    "another value": (
        """
        if op.get_bind().dialect.name == "postgresql":
            op.execute("ALTER TYPE kind RENAME VALUE 'b' TO 'c'")
        else:
            with op.batch_alter_table("t") as batch:
                batch.alter_column(
                    "kind",
                    type_=sa.Enum("a", "c", name="kind"),
                    existing_type=sa.Enum("a", "b", name="kind"),
                )
        """,
        ["t.kind was ENUM (a, b) and is ENUM (a, c)"],
    ),
    "value of a check": (
        """
        with op.batch_alter_table("t") as batch:
            batch.drop_constraint("level", type_="check")
            batch.create_check_constraint("level", sa.text("level IN ('a', 'b', 'c', 'it''s')"))
        """,
        [],
    ),
    "not a value of a check": (
        """
        with op.batch_alter_table("t") as batch:
            batch.drop_constraint("level", type_="check")
            batch.create_check_constraint("level", sa.text("level NOT IN ('a', 'b', 'c')"))
        """,
        ["the CHECK ("],
    ),
    "another value of a check": (
        """
        with op.batch_alter_table("t") as batch:
            batch.drop_constraint("level", type_="check")
            batch.create_check_constraint("level", sa.text("level IN ('a', 'c')"))
        """,
        ["the CHECK ("],
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
    numeric = "DECIMAL" if database in CHECK else "NUMERIC"
    expected["type"] = [each.format(numeric=numeric) for each in expected["type"]]
    expected |= {"column not named": [], "mended": []}
    if database == "sqlite":
        expected["another value"] = []  # It has no enums.
    if database == "postgresql":
        change = migration('op.drop_column("bills", "a", schema="elsewhere")')
        files = {"before": migration(ELSEWHERE), "new": change}
        histories["elsewhere"] = History(files, ["new"], {"elsewhere.bills": ["a"]})
        expected["elsewhere"] = ["elsewhere.bills.a is gone"]
    project = render(database=database, example=False)
    found = review(project, database_url, histories)["found"]
    for name in ("not a value of a check", "another value of a check"):
        [begin], [what] = expected[name], found[name]["breaks"]
        assert what.startswith(begin)
        expected[name] = [what]
    assert {name: each["breaks"] for name, each in found.items()} == expected
    code = "breaks-previous-release"
    codes = {name: [each["code"] for each in seen["findings"]] for name, seen in found.items()}
    assert {name for name, each in codes.items() if code in each} == {
        name for name, breaks in expected.items() if breaks
    }
    # Where a reason is looked for, too.
    assert len({each["line"] for each in found["unique"]["findings"]}) == 1
