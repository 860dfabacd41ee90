"""Models of a feature: columns of every type, and constraints, indexes and comments of each kind."""

MODELS = """
import enum
import uuid
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON, BigInteger, CheckConstraint, Computed, DateTime, Double, Enum, ForeignKey, Index, Integer,
    LargeBinary, Numeric, SmallInteger, String, Text, TypeDecorator, UniqueConstraint, Uuid, false,
    func, text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from ..database import Base


class Described(TypeDecorator[Any]):
    # As SQLAlchemy documents it: the dialect makes a type of its own of it.

    impl = JSON
    cache_ok = True

    def __init__(self, kind: Any = JSON) -> None:
        super().__init__()
        self.kind = kind

    def load_dialect_impl(self, dialect: Any) -> Any:
        return dialect.type_descriptor(self.kind())


class Nested(TypeDecorator[Any]):
    impl = Described
    cache_ok = True


class Loud(String):
    pass


class Code(UserDefinedType[Any]):
    cache_ok = True

    def __init__(self, length: int = 3) -> None:
        self.length = length

    def get_col_spec(self, **_: Any) -> str:
        return f"CHAR({self.length})"


class Color(enum.Enum):
    red = "red"
    green = "green"


class Box(Base):
    __tablename__ = "boxes"
    __table_args__ = {"comment": "where things are", "info": {"made by": object()}}

    id: Mapped[int] = mapped_column(primary_key=True)
    inside: Mapped[int | None] = mapped_column(ForeignKey("boxes.id"), index=True)


class Tag(Base):
    __tablename__ = "tags"

    name: Mapped[str] = mapped_column(String(30), primary_key=True)
    language: Mapped[str] = mapped_column(String(2), primary_key=True)


class Thing(Base):
    __tablename__ = "things"
    __table_args__ = (
        UniqueConstraint("code", "kind"),
        UniqueConstraint("serial"),
        CheckConstraint("amount > 0", name="positive"),
        CheckConstraint("kind IN ('a', 'b''s', 'x y')", name="kinds"),
        Index("ix_things_kind_code", "kind", "code"),
        Index("ix_things_lower", func.lower(text("kind"))) if EXPRESSIONS else Index(None, "small"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    box_id: Mapped[int] = mapped_column(ForeignKey("boxes.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(String(20), index=True)
    kind: Mapped[str] = mapped_column(String(20), server_default="a")
    quoted: Mapped[str] = mapped_column(String(20), server_default="it's (0)")
    serial: Mapped[str] = mapped_column(String(40))
    lost: Mapped[str] = mapped_column(String(10))
    note: Mapped[str | None] = mapped_column(Text)
    amount: Mapped[Decimal] = mapped_column(Numeric(10, 2), server_default=text("0"))
    count: Mapped[int] = mapped_column(Integer, server_default="0")
    small: Mapped[int] = mapped_column(SmallInteger, comment="not much")
    big: Mapped[int | None] = mapped_column(BigInteger)
    ratio: Mapped[float] = mapped_column(Double, server_default=text("0.5"))
    double: Mapped[float | None] = mapped_column(Computed("ratio * 2", persisted=True))
    is_new: Mapped[bool] = mapped_column(server_default=false())
    color: Mapped[Color] = mapped_column(Enum(Color), server_default="red")
    mood: Mapped[Color] = mapped_column(Enum(Color, native_enum=False, name="mood"))
    token: Mapped[uuid.UUID] = mapped_column(Uuid)
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    described: Mapped[Any | None] = mapped_column(Described)
    nested: Mapped[Any | None] = mapped_column(Nested)
    key: Mapped[Any | None] = mapped_column(Described(Uuid))
    seen: Mapped[Any | None] = mapped_column(Described(DateTime))
    loud: Mapped[Any | None] = mapped_column(Loud(20))
    area: Mapped[Any | None] = mapped_column(Code(4))
    anything: Mapped[Any | None] = mapped_column(JSON().with_variant(JSONB(), "postgresql"))
    short: Mapped[Any | None] = mapped_column(Nested().with_variant(Loud(5), DATABASE))
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    day: Mapped[date]
    hour: Mapped[time | None]
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
"""


def on(database: str, models: str = MODELS) -> str:
    """As they are to be written for this one: autogenerate leaves expressions out on the others."""
    text = models.replace("EXPRESSIONS", str(database == "postgresql"))
    return text.replace("DATABASE", repr(database))
