"""What a table brings along, in the order in which it was said: a second run must execute the same.

SQLAlchemy keeps it in sets, which have another order in each process. A table may be made when the
file of a migration is loaded, so this listens as soon as it is imported.
"""

from sqlalchemy import Constraint, Index, Table, event
from sqlalchemy.schema import SchemaItem
from sqlalchemy.util import OrderedSet

EVENT = "after_parent_attach"


@event.listens_for(Index, EVENT)
@event.listens_for(Constraint, EVENT)
def keep(_: SchemaItem, parent: SchemaItem) -> None:
    """From the first on, when there is no order yet to lose."""
    if isinstance(parent, Table) and not isinstance(parent.constraints, OrderedSet):
        parent.constraints = OrderedSet(parent.constraints)
        parent.indexes = OrderedSet(parent.indexes)
