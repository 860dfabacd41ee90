"""Rows to look at while developing: `db seed` puts them in."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from .models import User

EXAMPLES = {
    "Ada Lovelace": "ada@example.com",
    "Grace Hopper": "grace@example.com",
    "Katherine Johnson": "katherine@example.com",
}


async def add_examples(session: AsyncSession) -> None:
    if await session.scalar(select(User.id).limit(1)) is None:
        session.add_all(User(name=name, email=email) for name, email in EXAMPLES.items())
