"""Tables and columns that go, get another name, or change."""

CASES = {
    "drop table": ("PMS", 'op.drop_table("{t}")  # -> drop-table'),
    "drop table in SQL": ("PMS", 'op.execute("DROP TABLE IF EXISTS {t}")  # -> drop-table'),
    "make and drop a table": (
        "PMS",
        'op.create_table("{t}x", sa.Column("a", sa.Integer))\nop.drop_table("{t}x")',
    ),
    "drop several tables in SQL": (
        "PM",
        """
        op.create_table("{t}x", sa.Column("a", sa.Integer))
        op.execute("DROP TABLE {t}x, {t}")  # -> drop-table
        """,
    ),
    "truncate": ("PM", 'op.execute("TRUNCATE TABLE {t}")  # -> truncate-table'),
    "truncate several tables": (
        "P",
        """
        op.create_table("{t}x", sa.Column("a", sa.Integer))
        op.execute("TRUNCATE {t}x, ONLY {t}")  # -> truncate-table
        """,
    ),
    "drop column": ("PMS", 'op.drop_column("{t}", "nickname")  # -> drop-column'),
    "drop column in SQL": (
        "PMS",
        """
        op.execute(  # -> drop-column
            "ALTER TABLE {t} DROP COLUMN nickname"
        )
        op.get_bind().execute(sa.text("ALTER TABLE {t} DROP number"))  # -> drop-column
        """,
    ),
    "drop column in batch": (
        "S",
        """
        with op.batch_alter_table("{t}") as batch:  # -> recreates-table
            batch.drop_column(  # -> drop-column
                "nickname",
            )
        """,
    ),
    "rename table": (
        "PMS",
        """
        op.rename_table("{t}", "{t}x")  # -> rename-table
        op.drop_column("{t}x", "nickname")  # -> drop-column
        """,
    ),
    "rename table in SQL": (
        "PMS",
        """
        op.execute("ALTER TABLE {t} RENAME TO {t}x")  # -> rename-table
        op.execute("ALTER TABLE {t}x DROP nickname")  # -> drop-column
        """,
    ),
    "rename table in few words": (
        "M",
        'op.execute("ALTER TABLE {t} RENAME {t}x")  # -> rename-table',
    ),
    "rename several tables in SQL": (
        "M",
        """
        op.create_table("{t}x", sa.Column("a", sa.Integer))
        op.execute("RENAME TABLE {t}x TO {t}y, {t} TO {t}z")  # -> rename-table
        op.execute("ALTER TABLE {t}z DROP nickname")  # -> drop-column
        """,
    ),
    "rename column": (
        "PM",
        """
        op.alter_column(  # -> rename-column
            "{t}", "number", new_column_name="count", existing_type=sa.Integer
        )
        """,
    ),
    "rename column in batch": (
        "S",
        """
        with op.batch_alter_table("{t}") as batch:
            batch.alter_column("number", new_column_name="count")  # -> rename-column
        """,
    ),
    "rename column in SQL": (
        "PMS",
        'op.execute("ALTER TABLE {t} RENAME COLUMN number TO count")  # -> rename-column',
    ),
    "required column": (
        "PM",
        """
        op.add_column("{t}", sa.Column("age", sa.Integer, nullable=False))  # -> not-null-without-default
        op.execute("ALTER TABLE {t} ADD COLUMN size INT NOT NULL")  # -> not-null-without-default
        """,
    ),
    "required column with a default": (
        "PMS",
        """
        op.add_column("{t}", sa.Column("age", sa.Integer, nullable=False, server_default="1"))
        op.execute("ALTER TABLE {t} ADD COLUMN size INT DEFAULT 1 NOT NULL")
        op.add_column("{t}", sa.Column("height", sa.Integer))
        """,
    ),
    "required column in batch": (
        "S",
        """
        with op.batch_alter_table("{t}", recreate="always") as batch:
            batch.add_column(sa.Column("age", sa.Integer, nullable=False))  # -> not-null-without-default
        """,
    ),
    "set not null": (
        "PM",
        """
        op.alter_column("{t}", "number", nullable=False, existing_type=sa.Integer)  # -> set-not-null
        """,
    ),
    "set not null in SQL": (
        "P",
        'op.execute("ALTER TABLE {t} ALTER COLUMN number SET NOT NULL")  # -> set-not-null',
    ),
    "set not null in batch": (
        "S",
        """
        with op.batch_alter_table("{t}") as batch:
            batch.alter_column("number", nullable=False)  # -> set-not-null
        """,
    ),
    "set not null after a check": (
        "P",
        """
        with op.get_context().autocommit_block():
            op.execute("ALTER TABLE {t} ADD CONSTRAINT {t}c CHECK (number IS NOT NULL) NOT VALID")
            op.execute("ALTER TABLE {t} VALIDATE CONSTRAINT {t}c")
        op.alter_column("{t}", "number", nullable=False)
        """,
    ),
    "change type": (
        "PM",
        """
        op.alter_column("{t}", "number", type_=sa.BigInteger, existing_type=sa.Integer)  # -> change-type
        """,
    ),
    "change type in batch": (
        "PM",
        """
        with op.batch_alter_table("{t}") as batch:
            batch.alter_column("number", type_=sa.BigInteger, existing_type=sa.Integer)  # -> change-type
        """,
    ),
    "change type in SQL": (
        "P",
        'op.execute("ALTER TABLE {t} ALTER number TYPE bigint")  # -> change-type',
    ),
    "change type of what was renamed": (
        "PM",
        """
        op.rename_table("{t}", "{t}x y")  # -> rename-table
        op.alter_column("{t}x y", "number", type_=sa.BigInteger, existing_type=sa.Integer)  # -> change-type
        """,
    ),
    "rename table and drop column in batch": (
        "S",
        """
        op.rename_table("{t}", "{t}x y")  # -> rename-table
        with op.batch_alter_table("{t}x y") as batch:  # -> recreates-table
            batch.drop_column("nickname")  # -> drop-column
        """,
    ),
    "change type without harm": (
        "PM",
        """
        op.alter_column("{t}", "name", type_=sa.String(60), existing_type=sa.String(50), existing_nullable=False)
        op.alter_column("{t}", "nickname", type_=sa.String(60))
        """,
    ),
}
