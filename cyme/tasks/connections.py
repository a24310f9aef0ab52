"""Connect to a host, to an address that was checked, and never wait past a deadline."""

from __future__ import annotations

import io
import socket
import ssl
import threading
import time
from typing import Any

from cyme.tasks.failures import WebhookFailed, WebhookForbidden
from cyme.tasks.reach import Reach
from cyme.tasks.urls import Url

CONNECT_S_MAX = 15.0
SEND_BYTES = 64 * 1024


def connected(url: Url, reach: Reach, deadline: float) -> socket.socket:
    """Connect to the first address of a URL's host that may be reached and can be.

    Raises:
        WebhookForbidden: None of its addresses may be reached.
        WebhookFailed: It cannot be looked up.
        OSError: It cannot be connected to in time.
    """
    found = _addresses(url, deadline)
    permitted = [(family, to) for family, to in found if reach.permits(str(to[0]), url.host)]
    if not permitted:
        raise WebhookForbidden(
            f"{url.told} leads to {', '.join(sorted({str(to[0]) for _, to in found}))}, where "
            "webhooks may not go. Allow it with --webhook-allow of cyme-branch, if it should be "
            "reached."
        )
    for index, (family, to) in enumerate(permitted):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(min(CONNECT_S_MAX, _left_s(deadline)))
            sock.connect(to)
            return _secured(sock, url, deadline) if url.scheme == "https" else sock
        except OSError:
            sock.close()
            if index == len(permitted) - 1:
                raise
    raise AssertionError("the last attempt either returns or raises")


def _secured(sock: socket.socket, url: Url, deadline: float) -> socket.socket:
    sock.settimeout(_left_s(deadline))
    return ssl.create_default_context().wrap_socket(sock, server_hostname=url.host)


def _addresses(url: Url, deadline: float) -> list[tuple[int, Any]]:
    """Look a name up; the resolver has no deadline of its own, so it is left behind at ours."""
    found: list[list[Any] | Exception] = []

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError, OverflowError) as exc:
            found.append(exc)

    thread = threading.Thread(target=look_up, name="cyme-resolver", daemon=True)
    thread.start()
    thread.join(_left_s(deadline))
    match found:
        case [list() as answers]:
            return [(family, to) for family, _, _, _, to in answers]
        case [Exception() as exc]:
            raise WebhookFailed(f"The host {url.host} cannot be looked up: {exc}") from exc
    raise WebhookFailed(f"The host {url.host} was not looked up in time.")


def _left_s(deadline: float) -> float:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("the time is over")
    return left_s


class Wire(io.RawIOBase):
    """A connected socket of which every wait ends at one deadline.

    A time limit of the socket alone begins anew with every byte that comes.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        """Say yes: what comes is read through a buffer."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Receive what there is; raises TimeoutError at the deadline."""
        self._sock.settimeout(_left_s(self._deadline))
        return self._sock.recv_into(buffer)

    def sendall(self, data: bytes) -> None:
        """Send all of it; raises TimeoutError at the deadline."""
        unsent = memoryview(data)
        while unsent:
            self._sock.settimeout(_left_s(self._deadline))
            unsent = unsent[self._sock.send(unsent[:SEND_BYTES]) :]

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return what a response is read from."""
        return io.BufferedReader(self)

    def close(self) -> None:
        """Leave the socket to who connected it: the response is read after the request's end."""
