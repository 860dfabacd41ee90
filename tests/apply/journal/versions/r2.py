"""Every kind of statement, and reads that steer what comes later."""

from contextlib import suppress

import sqlalchemy as sa
from alembic import op

revision = "r2"
down_revision = "r1"

accounts = sa.table(
    "accounts",
    sa.column("id", sa.Integer),
    sa.column("amount", sa.BigInteger),
    sa.column("currency", sa.String),
)
notes = sa.table("notes", sa.column("text", sa.String))


def note(text: str) -> None:
    op.execute(notes.insert().values(text=text))


def upgrade() -> None:
    bind = op.get_bind()
    # What a later statement changes.
    total = bind.scalar(sa.select(sa.func.sum(accounts.c.amount)))
    op.execute("SET @total = (SELECT SUM(amount) FROM accounts)")
    op.add_column("accounts", sa.Column("currency", sa.String(3)))
    op.execute("UPDATE accounts SET amount = amount * 100")
    note("multiplied %")
    op.create_index("ix_accounts_amount", "accounts", ["amount"])
    op.bulk_insert(notes, [{"text": f"bulk {number}"} for number in range(3)])
    op.alter_column(
        "accounts",
        "name",
        existing_type=sa.String(40),
        type_=sa.String(400),
        existing_nullable=False,
        existing_server_default="x",
        new_column_name="label",
    )
    note(f"total was {total}")
    op.execute("INSERT INTO notes VALUES (CONCAT('total is remembered as ', @total))")
    # The usual guess, which another run would answer in another way.
    if not sa.inspect(bind).has_table("tags"):
        op.create_table(
            "tags",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("account_id", sa.Integer, sa.ForeignKey("accounts.id"), nullable=False),
            sa.Column("number", sa.Integer, nullable=False, server_default="41"),
        )
    inserted = bind.execute(sa.text("INSERT INTO tags (id, account_id) VALUES (7, 1)"))
    note(f"tag {inserted.lastrowid} of {inserted.rowcount}")
    op.execute("UPDATE tags SET number = LAST_INSERT_ID(number + 1)")
    op.execute("ALTER TABLE accounts FORCE")
    op.execute("INSERT INTO notes VALUES (CONCAT('number ', LAST_INSERT_ID()))")
    # The same definitions before and after.
    op.execute("/* both */ RENAME TABLE swap_a TO swap_t, swap_b TO swap_a, swap_t TO swap_b")
    op.execute("CREATE TABLE copies AS SELECT id, amount FROM accounts")
    op.execute("ALTER TABLE parts ADD PARTITION (PARTITION p2 VALUES LESS THAN (300))")
    op.execute("CREATE TABLE outside (id INT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB")
    op.execute("INSERT INTO outside VALUES (5, 55)")
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE parts EXCHANGE PARTITION p0 WITH TABLE outside")
    op.execute(
        "CREATE TRIGGER currencies BEFORE UPDATE ON accounts FOR EACH ROW"
        " SET NEW.currency = COALESCE(NEW.currency, 'EUR')"
    )
    op.execute("UPDATE accounts SET amount = amount + 1")
    op.execute("CREATE VIEW rich AS SELECT id, amount FROM accounts WHERE amount > 600")
    # Work that the loop itself uses up.
    odd = sa.select(accounts.c.id).where(accounts.c.amount % 2 == 1).order_by(accounts.c.id)
    for account in bind.execute(odd, execution_options={"stream_results": True}).scalars().all():
        op.execute(
            accounts.update().where(accounts.c.id == account).values(amount=accounts.c.amount + 1)
        )
    # What a savepoint took back was executed nevertheless; later it would succeed.
    with suppress(sa.exc.IntegrityError), bind.begin_nested():
        note("taken back")
        note("multiplied %")
    op.execute("CREATE PROCEDURE nothing(IN x INT) SELECT x")
    op.execute("DELETE FROM notes WHERE text = 'multiplied %'")
    op.execute("CREATE EVENT never ON SCHEDULE AT '2037-01-01 00:00:00' DISABLE DO SELECT 1")
    with op.get_context().autocommit_block():
        op.execute("INSERT INTO notes (text) VALUES ('by itself')")
        op.execute("ALTER TABLE notes ADD COLUMN seven INT NOT NULL DEFAULT 7")
    with suppress(sa.exc.DBAPIError):
        op.drop_index("ix_not_there", table_name="accounts")
    op.execute("SET @k = 3")
    op.execute("UPDATE teams SET title = CONCAT(title, @k)")
    op.execute("ANALYZE TABLE accounts")
    op.execute("TRUNCATE TABLE copies")
    op.create_check_constraint(op.f("ck_amount"), "accounts", "amount > 0")
    op.execute("DELETE FROM teams WHERE id = 2")


def downgrade() -> None:
    bind = op.get_bind()
    op.execute("INSERT INTO teams VALUES (2, 'blue')")
    count = bind.execute(sa.select(sa.func.count()).select_from(notes)).scalar_one()
    op.execute("ALTER TABLE accounts DROP CONSTRAINT ck_amount")
    op.execute("DROP TRIGGER currencies")
    op.execute("UPDATE teams SET title = 'red' WHERE id = 1")
    op.execute("DELETE FROM notes")
    op.execute("ALTER TABLE notes DROP COLUMN seven")
    op.execute("DROP PROCEDURE nothing")
    op.execute("DROP EVENT never")
    op.execute("DROP VIEW rich")
    # With plain Alembic MariaDB waits here for a lock of its own, until it gives up.
    op.execute("ALTER TABLE parts EXCHANGE PARTITION p0 WITH TABLE outside")
    op.execute("ALTER TABLE parts DROP PARTITION p2")
    op.execute("DROP TABLE outside, copies")
    op.execute("RENAME TABLE swap_a TO swap_t, swap_b TO swap_a, swap_t TO swap_b")
    op.drop_table("tags")
    op.alter_column(
        "accounts",
        "label",
        existing_type=sa.String(400),
        type_=sa.String(40),
        existing_nullable=False,
        existing_server_default="x",
        new_column_name="name",
    )
    op.execute("UPDATE accounts SET amount = amount - 2")
    op.drop_index("ix_accounts_amount", table_name="accounts")
    hundred: sa.BindParameter[int] = sa.bindparam("hundred", count + 100 - count)
    op.execute(accounts.update().values(amount=sa.text("amount DIV :hundred").bindparams(hundred)))
    op.drop_column("accounts", "currency")
    op.execute("ALTER TABLE teams AUTO_INCREMENT = 1")
