from typing import Any

from fastapi import APIRouter, Request, Response

from ..database import ReadSessionDep, SessionDep
from ..pagination import Page, PageDep
from ..schemas import Id
from . import service
from .models import User
from .schemas import UserCreate, UserRead, UserUpdate

router = APIRouter(prefix="/users", tags=["users"])

# What a client may do next, for the API's document.
NEXT_PAGE = {"operationId": "list_users", "parameters": {"cursor": "$response.body#/next"}}
LINKS = {
    name: {"operationId": name, "parameters": {"user_id": "$response.body#/id"}}
    for name in ("get_user", "update_user", "delete_user")
}


@router.get("", response_model=Page[UserRead], responses={200: {"links": {"next": NEXT_PAGE}}})
async def list_users(session: ReadSessionDep, page: PageDep) -> dict[str, Any]:
    return await service.list_users(session, page)


@router.get("/{user_id}", response_model=UserRead)
async def get_user(session: ReadSessionDep, user_id: Id) -> User:
    return await service.get_user(session, user_id)


@router.post("", response_model=UserRead, status_code=201, responses={201: {"links": LINKS}})
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
