"""Who may ask: requests for this computer's own page alone, of bounded size; and what pages may do."""

import hmac
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 4 << 20  # of what one request sends
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
# Nothing comes from outside, nothing is written into the page but by its own modules, and no other page frames it.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def sentence(error: str, status: int) -> JSONResponse:
    """An error as the page reads it."""
    return JSONResponse({"error": error}, status)


class Guard:
    """Turns away requests to another host (DNS rebinding), from other pages, without the token, and of too many bytes.

    `hosts` are the names, without port, that the page is called by. A `token` is asked of what is under /api.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = LOOPBACK, token: str = "") -> None:
        self.app = app
        self.hosts = frozenset(hosts)
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand the request on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        refused = self._refused(headers, scope["path"])
        if refused is not None:
            await refused(scope, receive, send_with_headers)
            return
        await self.app(scope, _bounded(receive), send_with_headers)

    def _refused(self, headers: Headers, path: str) -> JSONResponse | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if _name(host) not in self.hosts:
            return sentence(f"the host {host[:100]!r} is not this page's; open {sorted(self.hosts)[0]}", 403)
        if origin is not None and urlsplit(origin).netloc != host:
            return sentence(f"a page of {origin[:100]!r} may not ask here; open the page itself", 403)
        if path.startswith("/api/") and self.token:
            known = headers.get("authorization", "").encode()
            if not hmac.compare_digest(known, f"Bearer {self.token}".encode()):
                return sentence("the token is missing or wrong; open the address that the command printed", 401)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:20]) > MOST_BYTES:
            return too_large()
        return None


class TooLarge(Exception):
    """More bytes come than a request may send."""


def too_large() -> JSONResponse:
    """What is answered to it."""
    return sentence(f"a request of more than {MOST_BYTES >> 20} MB is not taken; send less", 413)


def _bounded(receive: Receive) -> Receive:
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MOST_BYTES:
            raise TooLarge
        return message

    return bounded


def _name(host: str) -> str:
    """The host without its port.

    >>> _name("localhost:8000"), _name("[::1]:8000"), _name("[::1]")
    ('localhost', '[::1]', '[::1]')
    """
    name, colon, port = host.rpartition(":")
    return name.lower() if colon and port.isdecimal() else host.lower()
