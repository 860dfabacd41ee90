"""Migrations, dangerous and harmless, with what `db lint` finds in them."""

from . import indexes_and_constraints, locks, rows, safe, tables_and_columns
from .files import FILES

__all__ = ["CASES", "ELSEWHERE", "FAILURES", "FILES", "KEYLESS", "LETTERS", "PARTED", "TABLE"]

TABLE = """
op.create_table(
    "{t}",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(50), nullable=False),
    sa.Column("nickname", sa.String(50)),
    sa.Column("number", sa.Integer),
    sa.Column("other", sa.Integer),
)
"""
ELSEWHERE = """
op.execute("CREATE SCHEMA elsewhere")
op.create_table("bills", sa.Column("a", sa.Integer), sa.Column("b", sa.Integer), schema="elsewhere")
"""
KEYLESS = 'op.create_table("keyless", sa.Column("a", sa.Integer, nullable=False))'
PARTED = """
op.execute("CREATE TABLE parted (a int) PARTITION BY LIST (a)")
op.execute("CREATE TABLE part1 PARTITION OF parted FOR VALUES IN (1)")
op.execute("CREATE TABLE part2 PARTITION OF parted FOR VALUES IN (2)")
"""
# Each with the databases that it is about (P, M for MySQL and MariaDB, S), and in comments the
# findings. The table {t} was made by the migration before.
CASES = {
    **tables_and_columns.CASES,
    **indexes_and_constraints.CASES,
    **locks.CASES,
    **rows.CASES,
    **safe.CASES,
}
# At the end: nothing after it is looked at.
FAILURES = {
    "M": 'op.execute("ALTER TABLE nowhere ADD a INT")  # -> fails',
    "P": """
    op.execute("CREATE INDEX CONCURRENTLY {t}i ON {t} (number)")  # -> concurrent-in-transaction fails
    """,
    "S": 'op.execute("ALTER TABLE nowhere ADD a INT")  # -> fails',
}
LETTERS = {"postgresql": "P", "mysql": "M", "mariadb": "M", "sqlite": "S"}
