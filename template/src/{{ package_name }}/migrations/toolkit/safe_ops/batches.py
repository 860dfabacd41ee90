"""A change of many rows, a few at a time."""

import logging
import time

import sqlalchemy as sa
from alembic import op

from .server import Batches, outside_transaction

logger = logging.getLogger(__name__)

#: How often it is said how far it has come, in seconds.
INTERVAL = 10


def batched_update(
    table: str,
    values: str,
    where: str = "1 = 1",
    *,
    key: str = "id",
    size: int = 1000,
    pause: float = 0,
) -> None:
    """`UPDATE table SET values WHERE where`, in the order of a unique key, so many rows at a time.

    What was done before an interruption is not done again. With `--sql` it is one statement.
    """
    name, key = _quoted(table), _quoted(key)
    update = f"UPDATE {name} SET {values} WHERE ({where})"
    if op.get_context().as_sql:
        op.execute(update)
        return
    count, said = 0, time.monotonic()
    with outside_transaction():
        batches = Batches(update)
        while not batches.done:
            condition = f"({where})" if batches.last is None else f"({where}) AND {key} > :last"
            bounds = {} if batches.last is None else {"last": batches.last}
            end = batches.connection.scalar(
                sa.text(
                    f"SELECT {key} FROM {name} WHERE {condition} ORDER BY {key}"
                    f" LIMIT 1 OFFSET {size - 1}"
                ),
                bounds,
            )
            if end is not None:
                condition, bounds = f"{condition} AND {key} <= :end", bounds | {"end": end}
            statement = sa.text(f"UPDATE {name} SET {values} WHERE {condition}")
            count += batches.run(statement, bounds, end)
            if time.monotonic() - said > INTERVAL:
                said = time.monotonic()
                logger.info("%d rows of %s are changed, up to %s.", count, table, end)
            time.sleep(pause)


def _quoted(name: str) -> str:
    """Of a table, or of one in a schema."""
    quote = op.get_context().dialect.identifier_preparer.quote
    return ".".join(quote(part) for part in name.split("."))
