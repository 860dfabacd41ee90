"""What the application does with users. Flush here; the session dependency commits."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ..errors import NotFound
from ..pagination import PageParams, paginate
from .models import User
from .schemas import UserCreate, UserUpdate


async def list_users(session: AsyncSession, page: PageParams) -> dict[str, Any]:
    return await paginate(session, select(User), User.id, page)


async def get_user(session: AsyncSession, user_id: int) -> User:
    user = await session.get(User, user_id)
    if user is None:
        raise NotFound("There is no such user.")
    return user


async def create_user(session: AsyncSession, data: UserCreate) -> User:
    user = User(**data.model_dump())
    session.add(user)
    await session.flush()
    return user


async def update_user(session: AsyncSession, user_id: int, data: UserUpdate) -> User:
    user = await get_user(session, user_id)
    for name, value in data.model_dump().items():
        setattr(user, name, value)
    await session.flush()
    return user


async def delete_user(session: AsyncSession, user_id: int) -> None:
    await session.delete(await get_user(session, user_id))
    await session.flush()
