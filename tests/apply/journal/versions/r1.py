"""What r2 changes."""

import sqlalchemy as sa
from alembic import op

revision = "r1"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String(40), nullable=False, server_default="x"),
    )
    op.create_table(
        "teams",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("title", sa.String(40), nullable=False),
    )
    op.create_table("notes", sa.Column("text", sa.String(80), primary_key=True))
    op.execute("CREATE TABLE swap_a (id INT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB")
    op.execute("CREATE TABLE swap_b (id INT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB")
    op.execute(
        "CREATE TABLE parts (id INT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB"
        " PARTITION BY RANGE (id)"
        " (PARTITION p0 VALUES LESS THAN (100), PARTITION p1 VALUES LESS THAN (200))"
    )
    op.execute(
        "INSERT INTO accounts (id, amount, name) VALUES (1, 5, 'a'), (2, 7, 'b'), (3, 11, 'c')"
    )
    op.execute("INSERT INTO teams VALUES (1, 'red'), (2, 'blue')")
    op.execute("INSERT INTO swap_a VALUES (1, 10)")
    op.execute("INSERT INTO swap_b VALUES (1, 20)")
    op.execute("INSERT INTO parts VALUES (1, 1), (150, 2)")


def downgrade() -> None:
    raise NotImplementedError
