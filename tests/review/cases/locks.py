"""What else keeps others out: whole schemas, partitions, copies, and more than one table at once."""

CASES = {
    "schemas": (
        "P",
        """
        op.execute("CREATE SCHEMA one")
        op.execute("ALTER SCHEMA one RENAME TO two")  # -> rename-schema
        op.execute("DROP SCHEMA two")  # -> drop-schema
        """,
    ),
    "tables of another schema": (
        "P",
        """
        op.drop_column("bills", "a", schema="elsewhere")  # -> drop-column
        op.execute("DROP TABLE elsewhere.bills")  # -> drop-table
        op.create_table("{t}", sa.Column("a", sa.Integer), schema="elsewhere")
        op.create_index("{t}i", "{t}", ["a"], schema="elsewhere")
        """,
    ),
    "databases": ("M", 'op.execute("DROP DATABASE IF EXISTS {t}_no_such")  # -> drop-schema'),
    "partitions": (
        "P",
        """
        with op.get_context().autocommit_block():
            op.execute("ALTER TABLE parted DETACH PARTITION part1 CONCURRENTLY")
        op.execute("ALTER TABLE parted DETACH PARTITION part2")  # -> detach-partition
        """,
    ),
    "parts of a transaction": (
        "S",
        """
        op.execute("PRAGMA foreign_keys = OFF")  # -> one-transaction
        with op.get_context().autocommit_block():  # -> one-transaction
            op.execute("DELETE FROM {t}")
        op.execute("COMMIT")  # -> one-transaction
        """,
    ),
    "the end of the transaction": (
        "P",
        """
        op.execute("SAVEPOINT a; SELECT '; COMMIT'; ROLLBACK TO a")
        op.execute("CREATE TABLE {t}x (a int); COMMIT")  # -> one-transaction
        """,
    ),
    "another schema": (
        "P",
        'op.execute("ALTER TABLE {t} SET SCHEMA elsewhere")  # -> rename-table',
    ),
    "lock a table": (
        "P",
        """
        op.execute("LOCK TABLE {t} IN SHARE UPDATE EXCLUSIVE MODE")
        op.execute("LOCK {t} IN SHARE MODE NOWAIT")  # -> lock-table
        op.execute("LOCK TABLE ONLY {t}")  # -> lock-table
        op.create_table("{t}x", sa.Column("a", sa.Integer))
        op.execute("LOCK TABLE {t}x, {t} IN SHARE MODE")  # -> lock-table
        """,
    ),
    "column that is computed": (
        "P",
        """
        op.add_column("{t}", sa.Column("twice", sa.Integer, sa.Computed("number * 2", persisted=True)))  # -> rewrites-table
        """,
    ),
    "column with a value for each row": (
        "P",
        'op.add_column("{t}", sa.Column("at", sa.Uuid, server_default=sa.text("gen_random_uuid()")))  # -> rewrites-table',
    ),
    "rows in another order": (
        "P",
        """
        with op.get_context().autocommit_block():
            op.execute("VACUUM FULL {t}")  # -> rewrites-table
        op.execute("CLUSTER {t} USING pk_{t}")  # -> rewrites-table
        """,
    ),
    "several at once": (
        "P",
        """
        for name in ("{t}", "z0", "z1"):
            op.execute(f"ALTER TABLE {name} ADD COLUMN IF NOT EXISTS z int")  # -> locks-several-tables
        """,
    ),
    "rename a value": (
        "P",
        """
        op.execute("CREATE TYPE {t}e AS ENUM ('a')")
        op.execute("ALTER TYPE {t}e RENAME VALUE 'a' TO 'b'")  # -> rename-enum-value
        op.execute("ALTER TYPE {t}e ADD VALUE 'c' AFTER 'b'")
        """,
    ),
    "copy": (
        "M",
        'op.execute("ALTER TABLE {t} CONVERT TO CHARACTER SET latin1")  # -> copies-table',
    ),
    "full text": (
        "M",
        'op.execute("CREATE FULLTEXT INDEX {t}i ON {t} (name)")  # -> blocks-writes',
    ),
}
