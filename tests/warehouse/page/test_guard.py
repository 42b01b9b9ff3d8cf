"""Who may look: every request passes the guard, and nothing is told to the others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runner.system.listening import is_loopback
from warehouse.page.guard import Guard

TOKEN = "sesame"
COOKIE = ("cookie", f"other=1; sweephouse-8600={TOKEN}")


async def _inside(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the page"})


def ask(
    *headers: tuple[str, str], path: str = "/", query: str = "", kind: str = "http", **where: str
) -> list[dict[str, Any]]:
    """What the guard answers, or the page behind it."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    guard = Guard(_inside, TOKEN, where.get("listening", "127.0.0.1"), 8600)
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    if not any(name == "host" for name, _ in headers):
        raw.append((b"host", b"127.0.0.1:8600"))
    scope = {"type": kind, "path": path, "query_string": query.encode(), "headers": raw}
    asyncio.run(guard(scope, receive, send))
    return sent


def test_the_link_is_changed_for_a_cookie_and_leaves_the_address() -> None:
    start, _ = ask(path="/run/1", query=f"a=b&token={TOKEN}")
    headers = dict(start["headers"])
    assert start["status"] == 303
    assert headers[b"location"] == b"/run/1?a=b"
    assert b"HttpOnly" in headers[b"set-cookie"] and b"SameSite=Lax" in headers[b"set-cookie"]
    assert ask(COOKIE)[0]["status"] == 200


def test_a_link_with_two_slashes_leads_to_no_other_host() -> None:
    start, _ = ask(path="//evil.example/x", query=f"token={TOKEN}")
    assert dict(start["headers"])[b"location"] == b"/evil.example/x"


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ([], ""),
        ([], "token="),
        ([], "token=wrong"),
        ([("cookie", "sweephouse-8600=wrong")], ""),
        ([("cookie", f"sweephouse-8601={TOKEN}")], ""),
        ([COOKIE, ("host", "evil.example:8600")], ""),
        ([COOKIE, ("host", "")], ""),
        ([COOKIE, ("host", "[")], ""),
        ([COOKIE, ("host", "192.168.1.7:8600")], ""),
        ([COOKIE, ("origin", "http://evil.example")], ""),
        ([COOKIE, ("origin", "http://127.0.0.1:9999")], ""),
        ([COOKIE, ("origin", "null")], ""),
        ([COOKIE, ("host", "evil.example")], f"token={TOKEN}"),
    ],
)
def test_others_get_one_plain_page_or_no_socket(
    headers: list[tuple[str, str]], query: str
) -> None:
    start, body = ask(*headers, query=query)
    assert start["status"] == 403
    assert b"the page" not in body["body"] and TOKEN.encode() not in body["body"]
    assert ask(*headers, query=query, kind="websocket") == [
        {"type": "websocket.close", "code": 1008}
    ]


@pytest.mark.parametrize("host", ["localhost:8600", "127.0.0.1:8600", "[::1]:8600"])
def test_this_machine_and_its_own_origin_come_in(host: str) -> None:
    headers = (COOKIE, ("host", host), ("origin", f"http://{host}"))
    assert ask(*headers)[0]["status"] == 200
    assert ask(*headers, kind="websocket") == [{"type": "websocket.accept"}]


def test_beyond_this_machine_addresses_are_fine_and_strange_names_are_not() -> None:
    where = {"listening": "0.0.0.0"}
    assert ask(COOKIE, ("host", "192.168.1.7:8600"), **where)[0]["status"] == 200
    assert ask(COOKIE, ("host", "rebound.example:8600"), **where)[0]["status"] == 403


def test_every_answer_forbids_other_hosts() -> None:
    for start in (ask(COOKIE)[0], ask()[0]):
        policy = dict(start["headers"])[b"content-security-policy"]
        assert b"default-src 'self'" in policy and b"http" not in policy


def test_loopback_is_told_from_the_rest() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "example.org")))
