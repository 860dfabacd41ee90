"""Rows that are changed, also by what a block, a function or a trigger does."""

CASES = {
    "after a text like a comment": (
        "P",
        """
        op.execute("INSERT INTO {t} (id, name) VALUES (1, '--') /* ' */; DELETE FROM {t}")  # -> unbatched-update
        """,
    ),
    "delete in capitals": ("P", 'op.execute("DELETE FROM {t}".upper())  # -> unbatched-update'),
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
    "a text between dollars": (
        "P",
        """
        op.execute("INSERT INTO {t} (id, name) VALUES (1, $$it's; DROP TABLE {t}; --$$)")
        op.execute("COMMENT ON TABLE {t} IS $a$it's $$ $a$; DELETE FROM {t}; SELECT 'x'")  # -> unbatched-update
        op.execute(  # -> drop-column unbatched-update
            "SELECT 1; DO $$ BEGIN PERFORM $q$it's$q$; DELETE FROM {t}; END $$;"
            "ALTER TABLE {t} DROP nickname"
        )
        """,
    ),
    "delete and keep elsewhere": (
        "P",
        """
        op.create_table("{t}x", sa.Column("a", sa.Integer))
        op.execute(  # -> unbatched-update
            "WITH gone AS (DELETE FROM {t} RETURNING id) INSERT INTO {t}x SELECT id FROM gone"
        )
        op.execute("WITH it AS (SELECT id FROM {t} FOR UPDATE) INSERT INTO {t}x SELECT id FROM it")
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
        op.execute(
            "SELECT 1;"
            "CREATE FUNCTION {t}g() RETURNS void LANGUAGE plpgsql AS $a$ BEGIN NULL; DELETE FROM {t}; END $a$"
        )
        """,
    ),
    "after a function": (
        "P",
        """
        op.execute(  # -> drop-table
            "CREATE FUNCTION {t}f() RETURNS void LANGUAGE sql AS $$SELECT 1; DELETE FROM {t} $$;"
            "DROP TABLE {t}"
        )
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
}
