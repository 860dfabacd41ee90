from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Identity, Index, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ..database import Base


class AuditEntry(Base):
    __tablename__ = "audit_log"
    __table_args__ = (Index(None, "table_name", "row_id"), {"info": {"audit": False}})

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    #: insert, update or delete
    action: Mapped[str] = mapped_column(String(10))
    table_name: Mapped[str] = mapped_column(String(128))
    #: The primary key; none for a statement that may have changed many rows.
    row_id: Mapped[str | None] = mapped_column(String(255))
    #: By column, the `old` and the `new` value; or the statement with its parameters.
    changes: Mapped[dict[str, Any]] = mapped_column(JSON().with_variant(JSONB(), "postgresql"))
    request_id: Mapped[str | None] = mapped_column(String(255))
    actor: Mapped[str | None] = mapped_column(String(255))
