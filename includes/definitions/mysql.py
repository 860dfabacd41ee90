"""What SQLAlchemy's inspector does not tell of a MySQL or MariaDB schema."""

from collections.abc import Iterable

from sqlalchemy import Connection, inspect

QUERY = """
SELECT CONCAT('trigger ', trigger_name, ' on ', event_object_table),
    CONCAT_WS(' ', action_timing, event_manipulation, action_statement)
FROM information_schema.triggers
WHERE trigger_schema = DATABASE()
UNION ALL
SELECT CONCAT('options of ', table_name), CONCAT_WS(' ', engine, table_collation)
FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'
UNION ALL
SELECT CONCAT(LOWER(routine_type), ' ', routine_name), routine_definition
FROM information_schema.routines
WHERE routine_schema = DATABASE()
UNION ALL
SELECT CONCAT('event ', event_name), event_definition
FROM information_schema.events
WHERE event_schema = DATABASE()
UNION ALL
SELECT CONCAT('partition ', partition_name, ' of ', table_name),
    CONCAT_WS(' ', partition_method, partition_expression, partition_description)
FROM information_schema.partitions
WHERE table_schema = DATABASE() AND partition_name IS NOT NULL
"""


def tables(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names()


def definitions(connection: Connection) -> Iterable[tuple[str, str]]:
    return [(name, text or "") for name, text in connection.exec_driver_sql(QUERY)]
