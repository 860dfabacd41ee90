"""Histories of migrations, sound and not, with what is found in them."""

from .tables import (
    ADD_NICKNAME,
    CHECKED,
    DROP_NICKNAME,
    DROP_TYPES,
    HOUSES,
    PEOPLE,
    TYPES,
    batch,
    migration,
)

# As SQLAlchemy's joined inheritance has it.
THINGS = """
op.create_table(
    "{things}",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(9), nullable=False),
    sa.UniqueConstraint("kind", "id"),
)
op.create_table(
    "{things}_of_kind",
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(9), nullable=False),
    sa.CheckConstraint("kind = 'a'", name="kinds"),
    sa.ForeignKeyConstraint(["kind", "id"], ["{things}.kind", "{things}.id"]),
)
"""
DROP_THINGS = 'op.drop_table("{things}_of_kind")\nop.drop_table("{things}")'
FIRST = migration(PEOPLE, 'op.drop_table("people")')
WHOLE = migration(
    f"{PEOPLE}\n{HOUSES}", 'for name in ("keys", "houses", "people"):\n    op.drop_table(name)'
)
# YEAR is MySQL's and MariaDB's.
GRADES = """
from sqlalchemy.dialects import mysql
op.create_table(
    "grades",
    sa.Column(
        "grade", sa.Numeric(2).with_variant(mysql.YEAR(), "mysql", "mariadb"), primary_key=True
    ),
    sa.Column("half", sa.Numeric(2, 1), unique=True, nullable=False),
    sa.Column("note", sa.String(9)),
)
"""
HISTORIES = {
    "sound": [
        WHOLE,
        migration(CHECKED, 'op.drop_table("checked")'),
        migration(TYPES, DROP_TYPES),
        # Renames are none of the losses.
        migration(
            batch(
                "people",
                'alter_column("name", new_column_name="full_name", existing_type='
                "sa.String(50), existing_nullable=False)",
            ),
            batch(
                "people",
                'alter_column("full_name", new_column_name="name", existing_type='
                "sa.String(50), existing_nullable=False)",
            ),
        ),
        migration('op.rename_table("people", "persons")', 'op.rename_table("persons", "people")'),
        migration(
            batch(
                "persons", 'alter_column("nickname", type_=sa.Text, existing_type=sa.String(50))'
            ),
            batch(
                "persons", 'alter_column("nickname", type_=sa.String(50), existing_type=sa.Text)'
            ),
        ),
        # More may change at once.
        migration(
            'op.rename_table("persons", "folk")\n'
            'op.add_column("folk", sa.Column("note", sa.String(9)))',
            'op.drop_column("folk", "note")\nop.rename_table("folk", "persons")',
        ),
        migration(
            batch("types", 'alter_column("c8", type_=sa.DateTime, existing_type=sa.Date)'),
            batch("types", 'alter_column("c8", type_=sa.Date, existing_type=sa.DateTime)'),
        ),
        migration("pass", "raise NotImplementedError"),
        # Nor has one a way back that does not say so.
        "def upgrade():\n    pass\n",
    ],
    "column": [FIRST, migration(DROP_NICKNAME, ADD_NICKNAME)],
    "declared": [
        FIRST,
        migration(DROP_NICKNAME, ADD_NICKNAME, 'loses = {"people.nickname": "never shown"}'),
    ],
    "declared for the table": [
        FIRST,
        migration(DROP_NICKNAME, ADD_NICKNAME, 'loses = {"people": "never shown"}'),
    ],
    "declared without a reason": [
        FIRST,
        migration(DROP_NICKNAME, ADD_NICKNAME, 'loses = {"people.nickname": " "}'),
    ],
    "a risk": [FIRST, migration("pass", "pass", 'risks = {"people.name": "all have one"}')],
    "a risk without a reason": [FIRST, migration("pass", "pass", 'risks = {"people.name": ""}')],
    "declared and kept": [FIRST, migration("pass", "pass", 'loses = {"people.name": "gone"}')],
    "table": [FIRST, migration('op.drop_table("people")', PEOPLE)],
    "rows": [FIRST, migration('op.execute("DELETE FROM people WHERE nickname IS NULL")')],
    "values": [FIRST, migration("op.execute(\"UPDATE people SET name = 'x'\")")],
    "NULLs that are filled": [
        FIRST,
        migration(
            "op.execute(\"UPDATE people SET nickname = 'x' WHERE nickname IS NULL\")\n"
            + batch(
                "people", 'alter_column("nickname", nullable=False, existing_type=sa.String(50))'
            ),
            batch("people", 'alter_column("nickname", nullable=True, existing_type=sa.String(50))'),
        ),
    ],
    "a text that reads like no value": [
        migration(
            """
op.create_table(
    "words",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("word", sa.String(9), nullable=False),
    sa.CheckConstraint("word IN ('None', 'Any')", name="words"),
)
""",
            'op.drop_table("words")',
        ),
        migration("op.execute(\"UPDATE words SET word = 'Any' WHERE word = 'None'\")"),
    ],
    # An enum of its own, or a CHECK.
    "one of many values": [
        migration(
            """
op.create_table(
    "moods",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column(
        "mood", sa.Enum(*"abcdefg", name="mood", create_constraint=True), nullable=False
    ),
)
""",
            'op.drop_table("moods")\nsa.Enum(name="mood").drop(op.get_bind())',
        ),
        migration("op.execute(\"UPDATE moods SET mood = 'a' WHERE mood = 'g'\")"),
    ],
    "a way back that leaves something": [FIRST, migration(HOUSES)],
    # Not implemented for SQLite, says Alembic, which is not to say that there is no way back.
    "no batch operation": [
        FIRST,
        migration("pass", 'op.drop_constraint("nowhere", "people", type_="check")'),
    ],
    "on the way down": [
        FIRST,
        migration("pass", "op.execute(\"UPDATE people SET nickname = 'x'\")"),
    ],
    "duplicates": [
        FIRST,
        migration(
            batch("people", 'create_unique_constraint("uq_name", ["name"])'),
            batch("people", 'drop_constraint("uq_name", type_="unique")'),
        ),
    ],
    "given without duplicates": [
        migration(
            'op.create_table("tickets", sa.Column("seat", sa.Integer, nullable=False))',
            'op.drop_table("tickets")',
        ),
        migration(
            batch("tickets", 'create_unique_constraint("uq_seat", ["seat"])'),
            batch("tickets", 'drop_constraint("uq_seat", type_="unique")'),
        ),
    ],
    "nulls beside a key of few digits": [
        migration(GRADES, 'op.drop_table("grades")'),
        migration(
            batch("grades", 'alter_column("note", nullable=False, existing_type=sa.String(9))')
        ),
    ],
    "missing rows": [
        WHOLE,
        migration(
            batch("people", 'create_foreign_key("fk_house", "houses", ["house"], ["id"])'),
            batch("people", 'drop_constraint("fk_house", type_="foreignkey")'),
        ),
    ],
    "nulls": [
        FIRST,
        migration(
            batch(
                "people", 'alter_column("nickname", nullable=False, existing_type=sa.String(50))'
            ),
            batch("people", 'alter_column("nickname", nullable=True, existing_type=sa.String(50))'),
        ),
    ],
    "values in Python": [
        FIRST,
        migration(
            """
            for (name,) in op.get_bind().execute(sa.text("SELECT name FROM people")):
                int(name)
            """
        ),
    ],
    # A CHECK that no made-up number satisfies: `walks.py` says what the column holds.
    "given": [
        migration(
            'op.create_table("weights", sa.Column("kilos", sa.Integer, nullable=False),'
            ' sa.CheckConstraint("kilos % 7 = 0 AND kilos > 6", name="sevens"))',
            'op.drop_table("weights")',
        )
    ],
    "a reference that is given": [
        migration(
            """
            op.create_table("stores", sa.Column("kilos", sa.Integer, unique=True, nullable=False))
            op.create_table(
                "parcels",
                sa.Column("store", sa.Integer, sa.ForeignKey("stores.kilos"), nullable=False),
                sa.CheckConstraint("store * store = 441", name="third"),
            )
            """,
            'op.drop_table("parcels")\nop.drop_table("stores")',
        )
    ],
    "a reference that is given in part": [
        migration(THINGS.format(things="given"), DROP_THINGS.format(things="given")),
        migration("pass"),
    ],
    "a reference that is not given in part": [
        migration(THINGS.format(things="things"), DROP_THINGS.format(things="things")),
        migration("pass"),
    ],
    # Of some columns, what the CHECKs want is a NULL.
    "one of several references": [
        WHOLE,
        migration(
            """
            op.create_table(
                "links",
                sa.Column("kind", sa.Integer, nullable=False),
                sa.Column("person", sa.Integer, sa.ForeignKey("people.id")),
                sa.Column("house", sa.Integer, sa.ForeignKey("houses.id")),
                sa.Column("phone", sa.String(20)),
                sa.Column("email", sa.String(20)),
                sa.Column("shown", sa.Boolean, nullable=False),
                sa.Column("hidden", sa.Boolean, nullable=False),
                sa.CheckConstraint("shown <> hidden AND kind < 3", name="seen"),
                sa.CheckConstraint("kind IN (1, 2)", name="kinds"),
                sa.CheckConstraint(
                    "kind <> 1 OR (person IS NOT NULL AND house IS NULL)", name="people_only"
                ),
                sa.CheckConstraint(
                    "kind <> 2 OR (house IS NOT NULL AND person IS NULL)", name="houses_only"
                ),
                sa.CheckConstraint("(phone IS NULL) <> (email IS NULL)", name="reached"),
            )
            """,
            'op.drop_table("links")',
        ),
    ],
    # SQLAlchemy then gives no order for any reference that may be NULL.
    "a reference beside a circle": [
        migration(
            """
            op.create_table("zones", sa.Column("id", sa.Integer, primary_key=True))
            op.create_table(
                "pages",
                sa.Column("id", sa.Integer, primary_key=True),
                sa.Column("article", sa.Integer),
            )
            op.create_table(
                "articles",
                sa.Column("id", sa.Integer, primary_key=True),
                sa.Column("page", sa.Integer, sa.ForeignKey("pages.id")),
                sa.Column("zone", sa.Integer, sa.ForeignKey("zones.id")),
                sa.CheckConstraint("zone IS NOT NULL", name="placed"),
            )
            with op.batch_alter_table("pages") as batch:
                batch.create_foreign_key("circle", "articles", ["article"], ["id"])
            """,
            """
            with op.batch_alter_table("pages") as batch:
                batch.drop_constraint("circle", type_="foreignkey")
            for name in ("articles", "pages", "zones"):
                op.drop_table(name)
            """,
        )
    ],
    "a reference to itself": [
        migration(
            """
            op.create_table(
                "nodes",
                sa.Column("id", sa.Integer, primary_key=True),
                sa.Column("above", sa.Integer, sa.ForeignKey("nodes.id"), nullable=False),
            )
            op.create_table(
                "codes",
                sa.Column("code", sa.String(20), primary_key=True),
                sa.Column("above", sa.String(20), sa.ForeignKey("codes.code"), nullable=False),
            )
            op.create_table(
                "rooms",
                sa.Column("floor", sa.Integer, primary_key=True, autoincrement=False),
                sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
                sa.Column("next", sa.Integer),
                sa.ForeignKeyConstraint(["floor", "next"], ["rooms.floor", "rooms.number"]),
            )
            """,
            'for name in ("rooms", "codes", "nodes"):\n    op.drop_table(name)',
        ),
        migration("pass"),
    ],
    # In what order SQLAlchemy has these foreign keys is left to chance, so there are several.
    "references that share a column": [
        migration(
            """
            op.create_table("owners", sa.Column("id", sa.Integer, primary_key=True))
            op.create_table(
                "licences",
                sa.Column("owner", sa.Integer, sa.ForeignKey("owners.id"), primary_key=True),
            )
            op.create_table(
                "dogs",
                sa.Column("id", sa.Integer, primary_key=True),
                sa.Column("owner", sa.Integer, sa.ForeignKey("owners.id"), nullable=False),
                sa.UniqueConstraint("id", "owner"),
            )
            for number in range(6):
                op.create_table(
                    f"walks_{number}",
                    sa.Column("dog", sa.Integer, primary_key=True, autoincrement=False),
                    sa.Column("owner", sa.Integer, sa.ForeignKey("licences.owner"), nullable=False),
                    sa.ForeignKeyConstraint(["dog", "owner"], ["dogs.id", "dogs.owner"]),
                )
            """,
            """
            for number in range(6):
                op.drop_table(f"walks_{number}")
            for name in ("dogs", "licences", "owners"):
                op.drop_table(name)
            """,
        )
    ],
    "given, and refused": [
        migration(
            'op.create_table("widths", sa.Column("metres", sa.Integer, nullable=False),'
            ' sa.CheckConstraint("metres > 5", name="wide"))',
            'op.drop_table("widths")',
        )
    ],
    "not given": [
        migration(
            'op.create_table("heights", sa.Column("metres", sa.Integer, nullable=False),'
            ' sa.CheckConstraint("metres * metres = 1764", name="square"))',
            'op.drop_table("heights")',
        )
    ],
}
FOUND = {
    "column": ["upgrade() drops people.nickname with its values"],
    "declared without a reason": ["it gives no reason for the loss of people.nickname"],
    "a risk without a reason": ["it does not say why the risk for people.name may be taken"],
    "declared and kept": ["it says that it loses people.name, and does not"],
    "table": ["upgrade() drops the table people with its rows"],
    "rows": ["upgrade() deletes rows of people"],
    "values": ["upgrade() changes values of people.name"],
    "a text that reads like no value": ["upgrade() changes values of words.word"],
    "no batch operation": ["downgrade() fails on tables that have rows"],
    "one of many values": ["upgrade() changes values of moods.mood"],
    "on the way down": ["downgrade() changes values of people.nickname"],
    "a way back that leaves something": [
        "after downgrade(), upgrade() fails on tables that have rows: "
    ],
    "duplicates": ["upgrade() fails on tables that have rows: "],
    "missing rows": ["upgrade() fails on tables that have rows: "],
    "nulls": ["upgrade() fails on tables that have rows: "],
    "nulls beside a key of few digits": ["upgrade() fails on tables that have rows: "],
    "values in Python": ["upgrade() fails on tables that have rows, in line 10: ValueError("],
    "given, and refused": ["No row could be made up for the table widths: "],
    "a reference that is not given in part": [
        "No row could be made up for the table things_of_kind: "
    ],
    "not given": ["No row could be made up for the table heights: "],
}


# On MySQL and MariaDB: with the others a view follows.
IN_VIEWS = {
    "a view of what is renamed": [
        FIRST,
        migration(
            'op.execute("CREATE VIEW names AS SELECT name FROM people")',
            'op.execute("DROP VIEW names")',
        ),
        migration(
            'op.execute("ALTER TABLE people RENAME COLUMN name TO title")',
            'op.execute("ALTER TABLE people RENAME COLUMN title TO name")',
        ),
        migration("pass"),
    ],
}
FOUND_IN_VIEWS = {
    "a view of what is renamed": ["upgrade() leaves the view names, which works no more"]
}

# On PostgreSQL, in a schema beside the default one.
BILLS = migration(
    """
    op.execute("CREATE SCHEMA billing")
    op.create_table("sizes", sa.Column("name", sa.String(9), primary_key=True), schema="billing")
    op.create_table(
        "bills",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("note", sa.Text),
        sa.Column("size", sa.String(9), sa.ForeignKey("billing.sizes.name"), nullable=False),
        sa.Column("weight", sa.Integer, sa.CheckConstraint("weight % 7 = 0", name="sevens")),
        schema="billing",
    )
    """,
    'op.execute("DROP SCHEMA billing CASCADE")',
)
DROP_NOTE = 'op.drop_column("bills", "note", schema="billing")'
ADD_NOTE = 'op.add_column("bills", sa.Column("note", sa.Text), schema="billing")'
IN_SCHEMA = {
    "in a schema": [BILLS, migration(DROP_NOTE, ADD_NOTE)],
    "in a schema, declared": [
        BILLS,
        migration(DROP_NOTE, ADD_NOTE, 'loses = {"billing.bills.note": "never shown"}'),
        migration(
            'op.drop_table("bills", schema="billing")',
            "raise NotImplementedError",
            'loses = {"billing.bills": "never shown"}',
        ),
    ],
    # The server has room for some thousands of all sessions.
    "many attempts hold few locks": [
        migration(
            """
            op.execute(
                "CREATE FUNCTION holds_few() RETURNS boolean LANGUAGE sql AS $$"
                " SELECT count(*) < 20 FROM pg_locks"
                " WHERE pid = pg_backend_pid() AND locktype = 'transactionid' $$"
            )
            op.execute("CREATE TABLE aims (a int, b int, CONSTRAINT hit CHECK (a = 5 AND b = 6))")
            op.execute("CREATE TABLE ends (a int, CONSTRAINT few CHECK (holds_few()))")
            """,
            """
            op.execute("DROP TABLE aims, ends")
            op.execute("DROP FUNCTION holds_few")
            """,
        )
    ],
}
FOUND_IN_SCHEMA = {"in a schema": ["upgrade() drops billing.bills.note with its values"]}
