"""What is checked of the rows that are there, and what is looked up by."""

CASES = {
    "index": ("P", 'op.create_index("{t}i", "{t}", ["number"])  # -> index-not-concurrent'),
    "index in SQL": (
        "P",
        'op.execute("CREATE INDEX {t}i ON {t} (number)")  # -> index-not-concurrent',
    ),
    "index by the way": (
        "P",
        'op.add_column("{t}", sa.Column("a", sa.Integer, index=True))  # -> index-not-concurrent',
    ),
    "index where it does no harm": ("MS", 'op.create_index("{t}i", "{t}", ["number"])'),
    "index on four columns": (
        "PM",
        """
        columns = ["name", "nickname", "number", "other"]
        with op.get_context().autocommit_block():
            op.create_index("{t}i", "{t}", columns, postgresql_concurrently=True)  # -> wide-index
            op.create_index("{t}j", "{t}", columns[:3], postgresql_concurrently=True)
        """,
    ),
    "drop and rebuild an index": (
        "P",
        """
        with op.get_context().autocommit_block():
            op.create_index("{t}i", "{t}", ["number"], postgresql_concurrently=True)
            op.execute("REINDEX INDEX CONCURRENTLY {t}i")
            op.execute("REINDEX INDEX {t}i")  # -> reindex-not-concurrent
            op.drop_index("{t}i", postgresql_concurrently=True)
            op.execute("CREATE INDEX CONCURRENTLY {t}i ON {t} (number)")
        op.drop_index("{t}i")  # -> drop-index-not-concurrent
        """,
    ),
    "block after what does nothing": (
        "P",
        """
        op.execute("CREATE EXTENSION IF NOT EXISTS plpgsql")
        with op.get_context().autocommit_block():
            op.create_index("{t}i", "{t}", ["number"], postgresql_concurrently=True)
        """,
    ),
    "block after a change": (
        "P",
        """
        op.add_column("{t}", sa.Column("age", sa.Integer))
        with op.get_context().autocommit_block():
            op.create_index("{t}i", "{t}", ["number"], postgresql_concurrently=True)  # -> block-not-first
        """,
    ),
    "unique": ("PM", 'op.create_unique_constraint("{t}u", "{t}", ["number"])  # -> add-unique'),
    "unique index": (
        "PMS",
        'op.create_index("{t}u", "{t}", ["number"], unique=True)  # -> add-unique',
    ),
    "unique in SQL": (
        "PMS",
        'op.execute("CREATE UNIQUE INDEX {t}u ON {t} (number)")  # -> add-unique',
    ),
    "unique in batch": (
        "S",
        """
        with op.batch_alter_table("{t}") as batch:
            batch.create_unique_constraint("{t}u", ["number"])  # -> add-unique
        """,
    ),
    "unique in a new column": (
        "MS",
        """
        with op.batch_alter_table("{t}") as batch:
            batch.add_column(sa.Column("nick", sa.String(50)))
            batch.create_unique_constraint("{t}u", ["nick", "number"])
        op.add_column("{t}", sa.Column("code", sa.String(50)))
        op.create_index("{t}c", "{t}", ["code"], unique=True)
        """,
    ),
    "unique, which reads all rows": (
        "P",
        """
        op.add_column("{t}", sa.Column("nick", sa.String(50)))
        op.create_unique_constraint("{t}u", "{t}", ["nick"])  # -> add-unique
        """,
    ),
    "unique with a default": (
        "S",
        """
        with op.batch_alter_table("{t}") as batch:
            batch.add_column(sa.Column("nick", sa.String(50), server_default="x"))
            batch.create_unique_constraint("{t}u", ["nick"])  # -> add-unique
        """,
    ),
    "foreign key": (
        "PM",
        'op.create_foreign_key("{t}f", "{t}", "{t}", ["number"], ["id"])  # -> add-foreign-key',
    ),
    "foreign key in SQL": (
        "PM",
        """
        op.execute("ALTER TABLE {t} ADD CONSTRAINT {t}f FOREIGN KEY (number) REFERENCES {t} (id)")  # -> add-foreign-key
        """,
    ),
    "foreign key later": (
        "P",
        """
        with op.get_context().autocommit_block():
            op.create_foreign_key("{t}f", "{t}", "{t}", ["number"], ["id"], postgresql_not_valid=True)
            op.execute("ALTER TABLE {t} VALIDATE CONSTRAINT {t}f")
        """,
    ),
    "foreign key at once": (
        "P",
        """
        op.create_foreign_key("{t}f", "{t}", "{t}", ["number"], ["id"], postgresql_not_valid=True)
        op.execute("ALTER TABLE {t} VALIDATE CONSTRAINT {t}f")  # -> scans-table
        """,
    ),
    "foreign key unchecked": (
        "M",
        """
        op.execute("SET foreign_key_checks = 0")
        op.create_foreign_key("{t}f", "{t}", "{t}", ["number"], ["id"])
        op.execute("SET foreign_key_checks = 1")
        """,
    ),
    "check": ("PM", 'op.create_check_constraint("{t}c", "{t}", "number > 0")  # -> add-check'),
    "exclusion": (
        "P",
        """
        op.create_exclude_constraint("{t}e", "{t}", ("number", "="), using="btree")  # -> add-exclusion
        op.execute("ALTER TABLE {t} ADD EXCLUDE USING btree (other WITH =)")  # -> add-exclusion
        """,
    ),
    "primary key": ("P", 'op.create_primary_key("{t}k", "keyless", ["a"])  # -> add-primary-key'),
    "primary key of a new table": (
        "PM",
        """
        op.create_table("{t}x", sa.Column("a", sa.Integer))
        op.create_primary_key("{t}k", "{t}x", ["a"])
        """,
    ),
}
