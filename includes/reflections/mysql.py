"""What SQLAlchemy's reflection takes otherwise than MySQL and MariaDB had it."""

from typing import Any

from sqlalchemy import JSON, Connection, MetaData, Table

CHECKS = """
SELECT table_name, check_clause FROM information_schema.check_constraints
WHERE constraint_schema = DATABASE()
"""
COLLATION = "SELECT @@collation_database"


def complete(connection: Connection, metadata: MetaData) -> None:
    """MariaDB's JSON is text with a CHECK."""
    if getattr(connection.dialect, "is_mariadb", False):
        for name, check in connection.exec_driver_sql(CHECKS):
            for column in metadata.tables[name].columns if name in metadata.tables else ():
                if check == f"json_valid(`{column.name}`)":
                    column.type = JSON()


def options(connection: Connection, table: Table) -> dict[str, Any]:
    """Not what is as usual, which another server may have otherwise."""
    usual = ("InnoDB", connection.exec_driver_sql(COLLATION).scalar())
    return {
        name: value
        for name, value in table.dialect_kwargs.items()
        if name.endswith(("_engine", "_collate")) and value not in usual
    }


def types(_: Connection) -> dict[str, str]:
    """The statements that make types, by the names of these: there are none."""
    return {}
