"""Sockets to answer HTTP on, and who may ask: what the page and `serve` share."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from runner.errors import ConfigError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Names:
    """The names that requests may call a server by: none of the internet leads there."""

    def __init__(self, host: str) -> None:
        """host: what the server listens on."""
        self.is_open_to_others = not is_loopback(host)
        self._names = {*LOOPBACK}
        if self.is_open_to_others:
            self._names |= {host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}

    def admit(self, headers: Mapping[bytes, str]) -> bool:
        """Whether `Host` is a name of this machine, and `Origin` no other."""
        host = headers.get(b"host", "")
        if not self._is_this_machine(host):
            return False
        origin = headers.get(b"origin")
        return origin is None or urlsplit(origin).netloc.lower() == host.lower()

    def _is_this_machine(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._names:
            return True
        try:  # no name can be pointed at an address that is written out
            return self.is_open_to_others and bool(ipaddress.ip_address(name))
        except ValueError:
            return False


def headers_of(scope: Scope) -> dict[bytes, str]:
    """The headers of a request, by name."""
    return {name: value.decode("latin-1") for name, value in scope["headers"]}


def is_token(given: str, token: str) -> bool:
    """Whether it is the token, told in the same time whatever it is."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(18)


def checked_token(chosen: str) -> str:
    """A token that somebody chose; ConfigError where it could not stand in an address."""
    if not chosen or not chosen.isascii() or not all(c.isalnum() or c in "-_.~" for c in chosen):
        raise ConfigError("--token may hold letters, digits and - _ . ~, at least one")
    return chosen


def refuse_open(host: str, token: str | None) -> None:
    """Raise ConfigError where other machines could come in without a token."""
    if token is None and not is_loopback(host):
        raise ConfigError(
            f"--host {host} can be reached by other machines: choose a word that they must know, "
            "with --token WORD"
        )


def listen(host: str, port: int) -> socket.socket:
    """An open socket; ConfigError where there can be none."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ConfigError(f"--host {host} is no address of this machine") from error
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"port {port} of {host} cannot be used ({error.strerror}); another server may be "
            "open there: --port takes another, --port 0 any that is free"
        ) from error
    return listener


def address_of(listener: socket.socket, host: str) -> str:
    """`http://127.0.0.1:8600`: where a socket answers, as other machines would call this one."""
    name = f"[{host}]" if ":" in host else host
    if host in ("0.0.0.0", "::"):
        name = socket.gethostname()
    return f"http://{name}:{listener.getsockname()[1]}"


def answer(app: App, listener: socket.socket, **options: Any) -> None:
    """Answer on an open socket until somebody stops the process (uvicorn).

    options: more of uvicorn's.
    """
    import uvicorn

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        loop="asyncio",
        timeout_graceful_shutdown=1,
        server_header=False,
        **options,
    )
    server = uvicorn.Server(config)
    # Only a main thread that does nothing else hears a Ctrl-C at once, and can end it in order.
    thread = threading.Thread(target=server.run, args=([listener],), name="http", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.2)
    finally:
        server.should_exit = True
        thread.join(2.0)
