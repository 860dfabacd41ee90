"""Migrations, dangerous and harmless, with what `db lint` finds in them."""

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
_SAFE = "from {package}.migrations.toolkit import safe_ops\n"
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
    "change type without harm": (
        "PM",
        """
        op.alter_column("{t}", "name", type_=sa.String(60), existing_type=sa.String(50), existing_nullable=False)
        op.alter_column("{t}", "nickname", type_=sa.String(60))
        """,
    ),
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
        op.execute("ALTER TYPE {t}e ADD VALUE 'c'")
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
    "update": ("PM", "op.execute(\"UPDATE {t} SET name = 'x'\")  # -> unbatched-update"),
    "update and delete through a join": (
        "M",
        """
        op.create_table("{t}x", sa.Column("a", sa.Integer))
        op.execute("UPDATE {t}x x JOIN {t} AS r ON r.id = x.a SET x.a = 1, r.name = 'x'")  # -> unbatched-update
        op.execute("UPDATE IGNORE {t}x JOIN {t} ON {t}.id = a SET {t}.number = a")  # -> unbatched-update
        op.execute("UPDATE {t}x x JOIN {t} r ON r.id = x.a SET x.a = r.id WHERE r.id = 2")
        op.execute("DELETE r FROM {t}x x JOIN {t} r ON r.id = x.a")  # -> unbatched-update
        op.execute("DELETE {t} FROM {t}x JOIN {t} ON {t}.id = a")  # -> unbatched-update
        op.execute("DELETE FROM r USING {t} AS r JOIN {t}x x ON r.id = x.a")  # -> unbatched-update
        op.execute("DELETE x FROM {t}x x JOIN {t} r ON r.id = x.a")
        """,
    ),
    "in a block": (
        "P",
        """
        op.execute(  # -> drop-column
            "DO $$ BEGIN IF true THEN ALTER TABLE {t} DROP nickname; END IF; END $$"
        )
        """,
    ),
    "statements that a block executes": (
        "P",
        """
        op.execute(  # -> unbatched-update
            "DO $$ BEGIN EXECUTE $q$UPDATE {t} SET name = 'it''s' WHERE id = $1$q$ USING 1; END $$"
        )
        op.execute(  # -> drop-column
            "DO $$ BEGIN EXECUTE 'ALTER TABLE {t} DROP nickname'; END $$"
        )
        op.execute(  # -> dynamic-sql
            "DO $$ BEGIN EXECUTE format('ALTER TABLE %I DROP number', '{t}'); END $$"
        )
        op.execute(  # -> dynamic-sql
            "DO $$ BEGIN EXECUTE 'ALTER TABLE {t} ' || 'DROP other'; END $$"
        )
        op.execute("DO $$ BEGIN EXECUTE 'CREATE TABLE {t}x (a int)'; END $$")
        """,
    ),
    "merge": (
        "P",
        """
        op.execute(  # -> unbatched-update
            "MERGE INTO {t} USING (SELECT 1 AS id) s ON {t}.id = s.id"
            " WHEN MATCHED THEN UPDATE SET name = 'x'"
        )
        """,
    ),
    "update by an expression": (
        "PM",
        """
        users = sa.table("{t}", sa.column("name"))
        op.execute(users.update().values(name="x"))  # -> unbatched-update
        op.execute(users.delete())  # -> unbatched-update
        """,
    ),
    "rows of a new table": (
        "PMS",
        """
        new = op.create_table("{t}x", sa.Column("a", sa.Integer))
        op.bulk_insert(new, [{"a": 1}])
        op.execute("INSERT INTO {t}x SELECT id FROM {t}")
        op.execute("UPDATE {t}x SET a = 2")
        """,
    ),
    "update of what is locked": (
        "P",
        """
        op.add_column("{t}", sa.Column("age", sa.Integer))
        op.execute("UPDATE {t} SET age = 1")  # -> data-and-schema unbatched-update
        """,
    ),
    "what a function will do": (
        "P",
        """
        op.execute("CREATE FUNCTION {t}f() RETURNS void LANGUAGE sql AS $$SELECT 1; DELETE FROM {t} $$")
        """,
    ),
    "what a trigger will do": (
        "M",
        """
        op.execute(
            "CREATE TRIGGER {t}g AFTER INSERT ON z0 FOR EACH ROW"
            " BEGIN SET @a = 1; DELETE FROM {t}; END"
        )
        """,
    ),
    "safe": (
        "PMS",
        """
        from {package}.migrations.toolkit import safe_ops
        safe_ops.create_index("{t}i", "{t}", ["number"])
        safe_ops.create_foreign_key("{t}f", "{t}", "{t}", ["number"], ["id"])
        safe_ops.batched_update("{t}", "name = 'x'")
        """,
    ),
    "safe for constraints": ("PM", _SAFE + 'safe_ops.create_unique("{t}u", "{t}", ["number"])'),
    "safe for a check": ("P", _SAFE + 'safe_ops.create_check("{t}c", "{t}", "number > 0")'),
    "a check that copies": (
        "M",
        _SAFE + 'safe_ops.create_check("{t}c", "{t}", "number > 0")  # -> copies-table',
    ),
    "safe for NOT NULL": (
        "PM",
        _SAFE + 'safe_ops.set_not_null("{t}", "number", existing_type=sa.Integer)',
    ),
    "said to be safe beside it": (
        "PMS",
        """
        op.drop_column("{t}", "nickname")  # safe: drop-column never used
        op.drop_column("{t}", "number")  # -> drop-column
        """,
    ),
    "said to be safe above it": (
        "PMS",
        """
        # It was never shown.
        # safe: drop-column never used
        # safe: add-unique never used
        op.drop_column(
            "{t}", "nickname"
        )
        op.drop_column("{t}", "number")  # -> drop-column
        """,
    ),
    "said without a reason": (
        "PMS",
        """
        # safe: drop-column
        op.drop_column("{t}", "nickname")  # -> drop-column
        # safe: drop-column -
        op.drop_column("{t}", "number")  # -> drop-column
        """,
    ),
    "said after something else": (
        "PMS",
        """
        op.drop_column("{t}", "nickname")  # noqa: E501  # safe: drop-column see #7
        op.drop_table("{t}")  # safe: drop-column see #7 # safe: drop-table never used
        """,
    ),
    "another thing said": (
        "PMS",
        """
        # safe: drop-table never used
        op.drop_column("{t}", "nickname")  # -> drop-column
        """,
    ),
}
# With what is around upgrade(), too.
FILES = {
    "said for the file": """
# safe: drop-column nobody uses these any more


def upgrade():
    op.drop_column("{t}", "nickname")
    op.drop_column("{t}", "number")


def downgrade():
    raise NotImplementedError
""",
    "no way back": '''
def upgrade():
    op.create_table("{t}x", sa.Column("a", sa.Integer))


def downgrade():  # -> no-downgrade
    """Nothing."""
''',
    "imports": """
from {package}.features import load_models  # -> imports-application
from {package}.migrations.toolkit import history


def upgrade():
    import {package}.database  # -> imports-application


def downgrade():
    raise NotImplementedError
""",
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
