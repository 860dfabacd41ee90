"""Odd requests over the wire, and what names, addresses and proxies are believed."""

import pytest

from ..serving import problem
from .service import ADA, Service, post, request

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


def user(name: bytes) -> bytes:
    return post(b"/users", body=b'{"name": %s, "email": "odd@example.com"}' % name)


ODD = {
    "NUL in a text": (422, user(rb'"a\u0000b"')),
    "half a character": (422, user(rb'"\ud800"')),
    "no UTF-8": (400, user(b'"\xff"')),
    "a long number": (400, user(b"9" * 5000)),
    "a very large number": (422, user(b"9" * 4000)),
    "not a number": (422, user(b"NaN")),
    "deep": (422, user(b"[" * 500 + b"]" * 500)),
    "too deep": (400, post(b"/users", body=b"[" * 200_000)),
    "half an object": (422, post(b"/users", body=b'{"name":')),
    "no object": (422, post(b"/users", body=b"null")),
    "no body": (422, post(b"/users")),
    "a form": (415, request(b"POST", b"/users", body=b"name=Ada")),
    "too large, as announced": (413, post(b"/users", b"Content-Length: 1048577")),
    "too large": (413, post(b"/users", body=b" " * 1_048_577)),
    "too large, in pieces": (
        413,
        post(b"/users", b"Transfer-Encoding: chunked", body=b"")
        + (b"10000\r\n" + b" " * 65_536 + b"\r\n") * 17
        + b"0\r\n\r\n",
    ),
    "too large, asked before": (
        413,
        post(b"/users", b"Content-Length: 99999999", b"Expect: 100-continue"),
    ),
    "an unknown path": (404, request(b"GET", b"/nowhere")),
    "a path with line end": (404, request(b"GET", b"/%0A%1B[31mred")),
    "a path that is no UTF-8": (422, request(b"GET", b"/users/%FF")),
    "NUL in a path": (422, request(b"GET", b"/users/%00")),
    "a long path": (404, request(b"GET", b"/" + b"a" * 60_000)),
    "a long query": (422, request(b"GET", b"/users?cursor=" + b"1" * 60_000)),
    "a large key": (422, request(b"GET", b"/users/9223372036854775808")),
    "the largest key": (404, request(b"GET", b"/users/9223372036854775807")),
    "a large cursor": (422, request(b"GET", b"/users?cursor=9223372036854775808")),
    "another method": (405, request(b"PUT", b"/users")),
    "TRACE": (405, request(b"TRACE", b"/users")),
    "a page of another origin": (
        400,
        request(
            b"OPTIONS",
            b"/users",
            b"Origin: https://evil.example",
            b"Access-Control-Request-Method: POST",
        ),
    ),
}


async def test_odd_requests_are_refused_with_a_problem(service: Service) -> None:
    async with service.serve() as server:
        await server.line(await server.client.get("/livez"))  # those before it are written, too
        before = len(server.requests)
        for what, (status, sent) in ODD.items():
            response = await server.send(sent)
            assert response.status_code == status, what
            problem(response, status)
        last = await server.client.get("/users")
        assert last.json()["items"] == []
        await server.line(last)
        assert len(server.requests) == before + len(ODD) + 1
        assert {line["level"] for line in server.lines} == {"info"}


async def test_what_is_no_http_is_refused_by_the_server_itself(simple: Service) -> None:
    """So there is no problem document; nothing else goes wrong either."""
    async with simple.serve() as server:
        for sent in (b"hello\r\n\r\n", request(b"GET", b"/" + b"a" * 70_000), request(b"X", b"/")):
            response = await server.send(sent)
            assert response.status_code == 400
            assert response.headers["content-type"] == "text/plain; charset=utf-8"
        (await server.client.get("/livez")).raise_for_status()
        assert "exception" not in server.output


async def test_what_clients_do_beside_plain_requests(simple: Service) -> None:
    async with simple.serve() as server:
        client = server.client
        refused = await client.put("/users")
        assert refused.headers["allow"] == "GET, HEAD, POST"
        head = await client.head("/users")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len((await client.get("/users")).content))

        slash = await client.get("/users/?limit=1")
        assert slash.status_code == 307
        assert slash.headers["location"] == f"{client.base_url}/users?limit=1"

        # Who sends much at once hears the answer, not the end of the connection.
        large = await client.post("/users", content=b" " * 20_000_000)
        problem(large, 413)
        (await client.get("/livez")).raise_for_status()

        upgrade = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13")
        key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        socket = await server.send(request(b"GET", b"/users", *upgrade, key))
        assert socket.status_code == 403
        assert {line["level"] for line in server.lines} == {"info"}


# Names, addresses and proxies


async def test_proxies_are_believed_by_address(simple: Service) -> None:
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
    for trusted, scheme, address in (
        ("127.0.0.1", "https", "203.0.113.7"),
        ("10.0.0.0/8", "http", "127.0.0.1"),
    ):
        async with simple.serve(FORWARDED_ALLOW_IPS=trusted) as server:
            user = ADA | {"email": f"{scheme}@example.com"}
            created = await server.client.post("/users", json=user, headers=said)
            assert created.headers["location"].startswith(f"{scheme}://127.0.0.1:")
            assert (await server.line(created))["client"] == address


async def test_other_host_names_are_refused(simple: Service) -> None:
    async with simple.serve(ALLOWED_HOSTS="api.example.com,*.example.org") as server:
        for name, status in {
            "api.example.com": 200,
            "a.example.org:80": 200,
            "example.org": 400,
            "evil.example": 400,
        }.items():
            response = await server.client.get("/users", headers={"host": name})
            assert response.status_code == status
        problem(response, 400)
        # By address, as load balancers ask.
        (await server.client.get("/readyz")).raise_for_status()
