"""Tables in a schema beside the default one, as PostgreSQL has them."""

import re

import pytest

from ..apply.lab import Lab
from .authoring import HEADER, Write, on_postgresql, revision, run_tests_of_migrations

pytestmark = pytest.mark.slow

BILLS = """

class Bill(Base):
    __tablename__ = "bills"
    __table_args__ = (
        sa.CheckConstraint("amount > 0", name="amount"),
        sa.Index("ix_large", "amount", postgresql_where=sa.text("amount > 30")),
        sa.UniqueConstraint("number"),
        {"schema": "billing"},
    )

    id = sa.Column(sa.Integer, primary_key=True)
    amount = sa.Column(sa.Integer, nullable=False)
    number = sa.Column(sa.String(20), nullable=False)
    size = sa.Column(sa.Enum("small", "large", name="size", schema="billing"))
    user_id = sa.Column(sa.ForeignKey("users.id"), nullable=False)
    twice = sa.Column(sa.Integer, sa.Computed("amount * 2"))


class User(Base):
    __tablename__ = "users"

    id = sa.Column(sa.Integer, primary_key=True)
"""
#: A message, what changes in the models, what is written, and what is said on the command line.
CHANGES = [
    ("limit the amount", "amount > 0", "amount > 1", "op.create_check_constraint", ()),
    ("index fewer", "amount > 30", "amount > 40", "op.create_index", ()),
    ("compute otherwise", "amount * 2", "amount * 3", "persisted=", ()),
    (
        "allow large ones",
        '"large", name',
        '"large", "huge", name',
        "ALTER TYPE billing.size ADD",
        (),
    ),
    ("drop the size", r"    size = .*\n", "", "DROP TYPE billing.size", ("no-rename",)),
    ("sort bytes", "String(20)", 'String(20, collation="C")', 'collation="C"', ()),
    ("lengthen it", "String(20,", "String(30,", "type_=sa.String", ()),
    ("number", "number", "code", "new_column_name", ("rename=billing.bills.number:code",)),
    (
        "call it",
        '"bills"',
        '"invoices"',
        'op.rename_table("bills"',
        ("rename=billing.bills:invoices",),
    ),
    (
        "put it elsewhere",
        "user_id",
        "owner_id",
        "new_column_name",
        ("rename=billing.invoices.user_id:owner_id",),
    ),
]


@on_postgresql
def test_a_second_schema(lab: Lab, write: Write) -> None:
    """It is made, and everything in it is compared, in the server's words."""
    write({})
    path = lab.project.package / "shop" / "models.py"
    models = HEADER + BILLS
    with lab.fresh() as target:
        path.write_text(models)
        ended, text = revision(target, "create bills")
        assert "warning" not in ended.output.lower()
        # Later ones have another kind, which is what they make where nothing is said.
        assert ("persisted=True" in text) == (target.postgresql < 18)
        assert text.index('op.execute("CREATE SCHEMA billing")') < text.index("op.create_table")
        assert text.index('op.drop_table("bills"') < text.index('op.execute("DROP SCHEMA billing")')
        assert target.db("check").code == 0
        for message, old, new, written, said in CHANGES:
            models, count = re.subn(old if old.startswith("  ") else re.escape(old), new, models)
            assert count
            path.write_text(models)
            ended = target.db("check")
            assert ended.code == 1, message
            assert "billing." in ended.output, message
            ended, text = revision(target, f"{message} of bills", *said)
            assert "the database refuses" not in ended.output
            assert "SAWarning" not in ended.output
            assert "write this yourself" not in ended.output
            assert written in text, text
            ended = target.db("check")
            assert ended.code == 0, (message, ended.output)
        assert '"billing.bills.size"' in "".join(
            file.read_text()
            for file in (lab.project.package / "migrations" / "versions").glob("*.py")
        )
        run_tests_of_migrations(lab, target.url)
        target.upgrade()
        assert target.db("status", "--drift").code == 0
        target.execute("CREATE INDEX by_hand ON billing.invoices (amount)")
        ended = target.db("status", "--drift")
        assert ended.code == 1
        assert "index by_hand of billing.invoices should not be there" in ended.output
