"""What a table brings along, in the order in which it was said: a second run must execute the same.

SQLAlchemy keeps it in sets, which have another order in each process.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Constraint, Index, Table, event
from sqlalchemy.schema import SchemaItem
from sqlalchemy.util import OrderedSet

EVENT = "after_parent_attach"


@contextmanager
def kept() -> Iterator[None]:
    for kind in (Index, Constraint):
        event.listen(kind, EVENT, _keep)
    try:
        yield
    finally:
        for kind in (Index, Constraint):
            event.remove(kind, EVENT, _keep)


def _keep(_: SchemaItem, parent: SchemaItem) -> None:
    """From the first on, when there is no order yet to lose."""
    if isinstance(parent, Table) and not isinstance(parent.constraints, OrderedSet):
        parent.constraints = OrderedSet(parent.constraints)
        parent.indexes = OrderedSet(parent.indexes)
