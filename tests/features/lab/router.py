"""One route for each thing that can happen to a request in the database."""

import asyncio
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import func, insert, select, text

from .. import driver
from ..database import ReadSessionDep, SessionDep
from ..errors import Conflict
from .models import Item

router = APIRouter(prefix="/lab")

if "postgresql" in driver.SCHEMES:
    SLEEP = "SELECT pg_sleep(:seconds)"
elif "mysql" in driver.SCHEMES:
    SLEEP = "SELECT sleep(:seconds)"
else:
    # SQLite counts: some millions in a second.
    SLEEP = (
        "WITH RECURSIVE counter(n) AS"
        " (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < :seconds * 3000000)"
        " SELECT count(*) FROM counter"
    )
COUNT = select(func.count()).select_from(Item)


class NewItem(BaseModel):
    name: str = "an item"
    code: str | None = None
    area: str | None = None
    number: int | None = None
    parent_id: int | None = None
    moment: datetime | None = None


@router.get("/items")
async def count_items(session: ReadSessionDep) -> int | None:
    return await session.scalar(COUNT)


@router.post("/items", status_code=201)
async def create_item(session: SessionDep, data: NewItem) -> dict[str, Any]:
    item = Item(**data.model_dump())
    session.add(item)
    await session.flush()
    return {column.name: getattr(item, column.name) for column in Item.__table__.columns}


@router.post("/items/late", status_code=201)
async def create_item_at_commit(session: SessionDep, data: NewItem) -> None:
    session.add(Item(**data.model_dump()))


@router.post("/items/refused", status_code=201)
async def create_item_and_refuse(session: SessionDep, data: NewItem) -> None:
    session.add(Item(**data.model_dump()))
    await session.flush()
    raise Conflict("No.")


@router.post("/items/read-only", status_code=201)
async def create_item_while_reading(session: ReadSessionDep, data: NewItem) -> None:
    await session.execute(insert(Item).values(**data.model_dump()))


@router.post("/items/read-only/late", status_code=201)
async def create_item_at_the_end_of_reading(session: ReadSessionDep, data: NewItem) -> None:
    session.add(Item(**data.model_dump()))


@router.patch("/items/read-only")
async def change_items_while_reading(session: ReadSessionDep, name: str) -> None:
    for item in await session.scalars(select(Item)):
        item.name = name


@router.delete("/items/read-only")
async def delete_items_while_reading(session: ReadSessionDep) -> None:
    for item in await session.scalars(select(Item)):
        await session.delete(item)


@router.post("/items/both", status_code=201)
async def create_item_with_both(
    session: SessionDep, read_session: ReadSessionDep, data: NewItem
) -> int | None:
    before = await read_session.scalar(COUNT)
    session.add(Item(**data.model_dump()))
    await session.flush()
    await read_session.scalar(COUNT)
    return before


@router.get("/slow")
async def read_slowly(session: ReadSessionDep, seconds: float) -> None:
    await session.execute(text(SLEEP), {"seconds": seconds})


@router.post("/slow", status_code=201)
async def write_slowly(session: SessionDep, seconds: float) -> None:
    session.add(Item(name="slow"))
    await session.flush()
    await session.execute(text(SLEEP), {"seconds": seconds})


@router.get("/hold")
async def hold_reading(session: ReadSessionDep, seconds: float) -> None:
    await session.execute(COUNT)
    await asyncio.sleep(seconds)


@router.post("/hold", status_code=201)
async def hold_writing(session: SessionDep, seconds: float) -> None:
    session.add(Item(name="held"))
    await session.flush()
    await asyncio.sleep(seconds)


@router.get("/wrong")
async def read_what_is_not_there(session: ReadSessionDep) -> None:
    await session.execute(text("SELECT nothing FROM items"))
