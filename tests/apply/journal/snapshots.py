"""All that a database holds: definitions as the server spells them, and every row."""

import re

from sqlalchemy import NullPool, create_engine

from ...servers import driver_url

Snapshot = dict[str, str]

# InnoDB does not take back a number that a rolled back INSERT has drawn.
_COUNTER = re.compile(r" AUTO_INCREMENT=\d+")
_CREATED = re.compile(r"datetime\.datetime\([^)]*\)")
_OTHERS = {
    "TRIGGER": "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema",
    "EVENT": "SELECT event_name FROM information_schema.events WHERE event_schema",
    "PROCEDURE": "SELECT routine_name FROM information_schema.routines"
    " WHERE routine_type = 'PROCEDURE' AND routine_schema",
    "FUNCTION": "SELECT routine_name FROM information_schema.routines"
    " WHERE routine_type = 'FUNCTION' AND routine_schema",
}


def take_snapshot(url: str) -> Snapshot:
    """Without the history, which tells when and how long."""
    found: Snapshot = {}
    engine = create_engine(driver_url(url), poolclass=NullPool)
    with engine.connect() as connection:

        def ask(statement: str) -> list[tuple[object, ...]]:
            rows = connection.exec_driver_sql(statement)
            return sorted((tuple(row) for row in rows), key=repr)

        for (table,) in ask("SHOW TABLES"):
            if table != "alembic_history":
                found[f"TABLE {table}"] = _COUNTER.sub("", str(ask(f"SHOW CREATE TABLE `{table}`")))
                found[f"rows of {table}"] = str(ask(f"SELECT * FROM `{table}`"))
        for kind, query in _OTHERS.items():
            for (name,) in ask(f"{query} = DATABASE()"):
                definition = str(ask(f"SHOW CREATE {kind} `{name}`"))
                found[f"{kind} {name}"] = _CREATED.sub("", definition)
    return found


def difference(one: Snapshot, other: Snapshot) -> list[str]:
    return [name for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)]
