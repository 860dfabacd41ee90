from typing import Any

import pytest
from httpx2 import AsyncClient

ADA = {"name": "Ada Lovelace", "email": "ada@example.com"}


async def create(client: AsyncClient, **changes: str) -> dict[str, Any]:
    response = await client.post("/users", json=ADA | changes)
    assert response.status_code == 201, response.text
    user: dict[str, Any] = response.json()
    return user


async def test_the_id_of_a_deleted_user_is_never_given_again(client: AsyncClient) -> None:
    deleted = await create(client)
    await client.delete(f"/users/{deleted['id']}")
    assert (await create(client))["id"] > deleted["id"]


async def test_create_answers_the_user_and_where_it_is(client: AsyncClient) -> None:
    response = await client.post("/users", json=ADA)
    user = response.json()
    assert response.status_code == 201
    assert user.items() >= ADA.items()
    assert user["created_at"] == user["updated_at"]
    assert (await client.get(response.headers["Location"])).json() == user


async def test_an_address_is_unique_in_every_spelling(client: AsyncClient) -> None:
    await create(client)
    response = await client.post("/users", json=ADA | {"email": "Ada@Example.com"})
    assert response.status_code == 409
    assert response.json()["errors"] == [{"field": "body.email", "detail": "is taken"}]
    assert len((await client.get("/users")).json()["items"]) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": " "},
        {"name": "A\0da"},
        {"name": None},
        {"email": "ada"},
        {"email": 1},
    ],
)
async def test_create_refuses_what_is_no_user(
    client: AsyncClient, changes: dict[str, object]
) -> None:
    response = await client.post("/users", json=ADA | changes)
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error["field"] == f"body.{next(iter(changes))}"


async def test_pages_hold_every_user_once_and_in_order(client: AsyncClient) -> None:
    ids = [(await create(client, email=f"{n}@example.com"))["id"] for n in range(5)]
    seen: list[int] = []
    cursor: dict[str, str] = {}
    for expected in (2, 2, 1):
        page = (await client.get("/users", params={"limit": 2, **cursor})).json()
        assert len(page["items"]) == expected
        seen += [user["id"] for user in page["items"]]
        cursor = {"cursor": page["next"]}
    assert page["next"] is None
    assert seen == ids


async def test_a_list_without_users_is_empty(client: AsyncClient) -> None:
    assert (await client.get("/users")).json() == {"items": [], "next": None}


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 101}, {"cursor": "x"}, {"cursor": ""}])
async def test_list_refuses_odd_pages(client: AsyncClient, params: dict[str, str]) -> None:
    assert (await client.get("/users", params=params)).status_code == 422


async def test_patch_changes_only_what_is_sent(client: AsyncClient) -> None:
    user = await create(client)
    response = await client.patch(f"/users/{user['id']}", json={"name": "Ada King"})
    assert response.status_code == 200
    changed = response.json()
    assert changed["name"] == "Ada King"
    assert changed["email"] == user["email"]
    assert changed["created_at"] == user["created_at"]
    assert changed["updated_at"] >= user["updated_at"]


async def test_patch_refuses_null(client: AsyncClient) -> None:
    user = await create(client)
    response = await client.patch(f"/users/{user['id']}", json={"name": None})
    assert response.status_code == 422


async def test_delete_removes_the_user(client: AsyncClient) -> None:
    user = await create(client)
    response = await client.delete(f"/users/{user['id']}")
    assert (response.status_code, response.content) == (204, b"")
    assert (await client.get(f"/users/{user['id']}")).status_code == 404


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PATCH", {}), ("DELETE", None)])
async def test_an_unknown_user_is_not_found(
    client: AsyncClient, method: str, body: dict[str, str] | None
) -> None:
    response = await client.request(method, "/users/1", json=body)
    assert response.status_code == 404
    assert response.json()["detail"] == "There is no such user."


@pytest.mark.parametrize("user_id", ["0", "-1", "x", str(2**63)])
async def test_an_impossible_key_is_refused(client: AsyncClient, user_id: str) -> None:
    assert (await client.get(f"/users/{user_id}")).status_code == 422


async def test_the_document_leads_from_a_new_user_to_what_can_be_done_with_it(
    client: AsyncClient,
) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    links = paths["/users"]["post"]["responses"]["201"]["links"].values()
    named = {operation["operationId"] for operation in paths["/users/{user_id}"].values()}
    assert {link["operationId"] for link in links} == named
