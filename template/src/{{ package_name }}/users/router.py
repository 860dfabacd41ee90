from typing import Any

from fastapi import APIRouter, Request, Response

from ..database import ReadSessionDep, SessionDep
from ..pagination import Page, PageDep
from ..schemas import Id
from . import service
from .models import User
from .schemas import UserCreate, UserRead, UserUpdate

router = APIRouter(prefix="/users", tags=["users"])


@router.get("", response_model=Page[UserRead])
async def list_users(session: ReadSessionDep, page: PageDep) -> dict[str, Any]:
    return await service.list_users(session, page)


@router.get("/{user_id}", response_model=UserRead)
async def get_user(session: ReadSessionDep, user_id: Id) -> User:
    return await service.get_user(session, user_id)


@router.post("", response_model=UserRead, status_code=201)
async def create_user(
    session: SessionDep, data: UserCreate, request: Request, response: Response
) -> User:
    user = await service.create_user(session, data)
    response.headers["Location"] = str(request.url_for("get_user", user_id=user.id))
    return user


@router.patch("/{user_id}", response_model=UserRead)
async def update_user(session: SessionDep, user_id: Id, data: UserUpdate) -> User:
    return await service.update_user(session, user_id, data)


@router.delete("/{user_id}", status_code=204)
async def delete_user(session: SessionDep, user_id: Id) -> None:
    await service.delete_user(session, user_id)
