"""What SQLAlchemy's inspector does not tell of a PostgreSQL schema."""

from collections.abc import Iterable

from sqlalchemy import Connection

QUERY = """
SELECT 'function ' || p.oid::regprocedure, pg_get_functiondef(p.oid)
FROM pg_proc p
WHERE p.pronamespace = current_schema()::regnamespace AND p.prokind IN ('f', 'p')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
UNION ALL
SELECT 'trigger ' || t.tgname || ' on ' || t.tgrelid::regclass,
    pg_get_triggerdef(t.oid) || CASE t.tgenabled WHEN 'D' THEN ' DISABLED' ELSE '' END
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace
UNION ALL
SELECT 'constraint ' || conname || ' on ' || conrelid::regclass,
    pg_get_constraintdef(oid) || CASE WHEN convalidated THEN '' ELSE ' NOT VALID' END
FROM pg_constraint
WHERE connamespace = current_schema()::regnamespace AND contype IN ('c', 'f', 'x')
    AND conrelid <> 0
UNION ALL
SELECT 'index ' || i.indexrelid::regclass,
    pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relnamespace = current_schema()::regnamespace
UNION ALL
SELECT 'sequence ' || sequencename, data_type || ' by ' || increment_by || ' cycle ' || cycle
FROM pg_sequences
WHERE schemaname = current_schema()
UNION ALL
SELECT 'materialized view ' || matviewname, definition
FROM pg_matviews
WHERE schemaname = current_schema()
UNION ALL
SELECT 'enum ' || t.typname, string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder)
FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
WHERE t.typnamespace = current_schema()::regnamespace
GROUP BY t.typname
"""

TABLES = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
"""


def tables(connection: Connection) -> list[str]:
    """Those of extensions, such as PostGIS, are nobody's."""
    return [row[0] for row in connection.exec_driver_sql(TABLES)]


def definitions(connection: Connection) -> Iterable[tuple[str, str]]:
    return [(name, text) for name, text in connection.exec_driver_sql(QUERY)]
