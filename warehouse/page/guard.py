"""Who may look: an ASGI layer before the whole page, websockets included.

A request needs the token, once in the address, then in a cookie; a `Host` that is this machine's,
so that no name on the internet can be pointed at it; and no foreign `Origin`. Everything else gets
one plain page that tells nothing.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from runner.system.listening import App, Names, Receive, Scope, Send, headers_of, is_token

REFUSAL = (
    b"<!doctype html><meta charset=utf-8><title>Not open</title>"
    b"<p>This page opens with the link that <code>python -m warehouse ui</code> has printed.</p>"
)
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' ws: wss:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""Nothing is fetched from another host, whatever a name in the warehouse may say."""
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class Guard:
    """Lets a request through to the app, or answers it with 403."""

    def __init__(self, app: App, token: str, host: str, port: int) -> None:
        self.app = app
        self.token = token
        # Cookies know no ports: two pages on one machine need two names.
        self.cookie = f"sweephouse-{port}"
        self.names = Names(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = headers_of(scope)
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(query).get("token")
        if not self.names.admit(headers):
            await _refuse(scope, receive, send)
        elif scope["type"] == "http" and given is not None and is_token(given, self.token):
            rest = [(name, value) for name, value in query if name != "token"]
            await self._let_in(scope["path"], rest, send)
        elif is_token(_cookie(headers.get(b"cookie", ""), self.cookie), self.token):
            await self.app(scope, receive, _with_headers(send))
        else:
            await _refuse(scope, receive, send)

    async def _let_in(self, path: str, query: list[tuple[str, str]], send: Send) -> None:
        """Keep the token in a cookie, and take it out of the address."""
        # A path of two slashes would lead to another host.
        target = "/" + path.lstrip("/") + (f"?{urlencode(query)}" if query else "")
        cookie = f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Lax"
        await send(
            {
                "type": "http.response.start",
                "status": 303,
                "headers": [
                    (b"location", target.encode("latin-1", "replace")),
                    (b"set-cookie", cookie.encode()),
                    (b"cache-control", b"no-store"),
                    *HEADERS,
                ],
            }
        )
        await send({"type": "http.response.body", "body": b""})


def _cookie(header: str, name: str) -> str:
    for part in header.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""


def _with_headers(send: Send) -> Send:
    async def send_with(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            there = {name.lower() for name, _ in message.get("headers", ())}
            more = [header for header in HEADERS if header[0] not in there]
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        await send(message)

    return send_with


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
        return
    await send(
        {
            "type": "http.response.start",
            "status": 403,
            "headers": [(b"content-type", b"text/html; charset=utf-8"), *HEADERS],
        }
    )
    await send({"type": "http.response.body", "body": REFUSAL})
