"""Pages by key, not by number: no page is skipped or repeated while rows come and go."""

from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

T = TypeVar("T")


class PageParams(BaseModel):
    limit: int = Field(default=50, ge=1, le=100)
    cursor: str | None = Field(
        default=None,
        pattern="^[0-9]{1,18}$",
        description="`next` of the page before; without it, the first page.",
    )


PageDep = Annotated[PageParams, Query()]


class Page(BaseModel, Generic[T]):
    items: list[T]
    next: str | None = Field(description="Cursor of the next page; null on the last one.")


async def paginate(
    session: AsyncSession, query: Select[T], key: InstrumentedAttribute[int], page: PageParams
) -> dict[str, Any]:
    """A page of the query's rows in the order of `key`, which must be unique."""
    query = query.order_by(key).limit(page.limit + 1)
    if page.cursor is not None:
        query = query.where(key > int(page.cursor))
    rows: Sequence[Any] = (await session.scalars(query)).all()
    items = rows[: page.limit]
    more = len(rows) > page.limit
    return {"items": items, "next": str(getattr(items[-1], key.key)) if more else None}
