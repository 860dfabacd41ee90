"""Migrations of PostgreSQL: outside a transaction, and in one."""

from .lab import Lab

CREATE = """
op.execute("CREATE TYPE mood AS ENUM ('sad')")
op.create_table(
    "accounts",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("amount", sa.BigInteger, nullable=False),
)
op.create_table("notes", sa.Column("text", sa.String(50), nullable=False))
op.create_index("ix_old", "accounts", ["id", "amount"])
op.execute("INSERT INTO accounts SELECT n, 5 FROM generate_series(1, 500) n")
"""
CONCURRENTLY = """
with op.get_context().autocommit_block():
    op.create_index("Ix New", "accounts", ["amount"], postgresql_concurrently=True)
    op.drop_index("ix_old", "accounts", postgresql_concurrently=True)
    op.execute("ALTER TYPE mood ADD VALUE 'it''s well'")
op.execute("UPDATE accounts SET amount = amount * 100")
op.execute("INSERT INTO notes VALUES ('indexed')")
"""
CONCURRENTLY_BACK = """
with op.get_context().autocommit_block():
    op.create_index("ix_old", "accounts", ["id", "amount"], postgresql_concurrently=True)
    op.execute('DROP INDEX CONCURRENTLY "Ix New"')
op.execute("UPDATE accounts SET amount = amount / 100")
op.execute("DELETE FROM notes WHERE text = 'indexed'")
"""
IN_A_TRANSACTION = """
op.execute("UPDATE accounts SET amount = amount + 1")
op.add_column("accounts", sa.Column("currency", sa.String(3), server_default="EUR"))
op.execute("INSERT INTO notes VALUES ('added')")
"""
IN_A_TRANSACTION_BACK = """
op.execute("DELETE FROM notes WHERE text = 'added'")
op.drop_column("accounts", "currency")
op.execute("UPDATE accounts SET amount = amount - 1")
"""


def written(lab: Lab) -> Lab:
    lab.write("r1", CREATE)
    lab.write("r2", CONCURRENTLY, CONCURRENTLY_BACK)
    lab.write("r3", IN_A_TRANSACTION, IN_A_TRANSACTION_BACK)
    return lab
