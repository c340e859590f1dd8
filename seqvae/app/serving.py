"""The page on an address of this computer: a port that is free, the browser, and the end."""

import secrets
import signal
import socket
import threading
import time
import webbrowser
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from types import FrameType

from seqvae.app.guard import LOOPBACK
from seqvae.app.http import application
from seqvae.app.played import Played

LOCAL = "127.0.0.1"
TOKEN_BYTES = 24
READY_SECONDS = 0.02  # between two looks whether the server answers


def serve(
    models: Mapping[str, Played],
    host: str = LOCAL,
    port: int = 0,
    say: Callable[[str], None] = print,
    opens_browser: bool = False,
) -> None:
    """Answer until Ctrl-C or SIGTERM, in the main thread.

    Under another address than this computer's own a token is asked for, which `say` tells.

    Raises ValueError for an address that is none of this computer.
    """
    import uvicorn

    place = _bound(host, port)
    chosen = place.getsockname()[1]
    if port and chosen != port:
        say(f"port {port} is in use; this is port {chosen}")
    own = is_own(host)
    token = "" if own else secrets.token_urlsafe(TOKEN_BYTES)
    name = f"[{host}]" if ":" in host else host
    hosts = LOOPBACK if own else (*LOOPBACK, name.lower())
    address = f"http://{name}:{chosen}/" + (f"#token={token}" if token else "")
    config = uvicorn.Config(
        application(models, hosts, token), log_level="warning", access_log=False, server_header=False, lifespan="on",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)

    def tell() -> None:
        while not server.started and not server.should_exit:
            time.sleep(READY_SECONDS)
        if server.started:
            say(f"{address}  (Ctrl-C ends it)")
            if opens_browser:
                webbrowser.open(address)

    threading.Thread(target=tell, daemon=True).start()
    signal.signal(signal.SIGTERM, _as_interrupt)  # which the server hands on when it has ended
    try:
        server.run(sockets=[place])
    finally:
        server.should_exit = True
        place.close()


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def is_own(host: str) -> bool:
    """Whether an address is reached from this computer alone.

    >>> is_own("127.0.0.1"), is_own("localhost"), is_own("::1"), is_own("0.0.0.0")
    (True, True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens at a port, or at a free one where that is taken."""
    try:
        (family, *_), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ValueError(f"host={host} is no address ({error}); give one of this computer, such as {LOCAL}") from None
    for wanted in (port, 0):
        place = socket.socket(family, socket.SOCK_STREAM)
        try:
            place.bind((host, wanted))
        except OSError as error:
            place.close()
            failure = error
            continue
        place.listen(128)
        return place
    raise ValueError(f"host={host} is not possible ({failure.strerror}); give an address of this computer, or {LOCAL}")
