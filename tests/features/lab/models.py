from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Identity, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from .. import driver
from ..database import Base

# What is checked at COMMIT, where the database can do that.
AT_COMMIT: dict[str, Any] = {"deferrable": True, "initially": "DEFERRED"}
DEFERRED = {} if "mysql" in driver.SCHEMES else AT_COMMIT
DEFERRED_UNIQUE = AT_COMMIT if "postgresql" in driver.SCHEMES else {}


class Item(Base):
    __tablename__ = "items"
    __table_args__ = (UniqueConstraint("area", "number", **DEFERRED_UNIQUE),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    code: Mapped[str | None] = mapped_column(String(50), unique=True)
    area: Mapped[str | None] = mapped_column(String(50))
    number: Mapped[int | None]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("items.id", **DEFERRED))
    moment: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
