"""The HTTP API within this process, in the place of a connection (PEP 3333)."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

import gevent

from cyme.client.errors import NotSupported, Timeout
from cyme.client.messages import Deadline, Opened, Reply, Request

_READS = frozenset({"GET", "HEAD", "OPTIONS"})

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class InProcess:
    """Has a WSGI application answer a client's requests.

    Args:
        application: It.
        token: What the application asks for.
        name: What errors call it.
        may_write: Whether requests that change something are let through.
        on_close: Lets go of what the application works on.
    """

    def __init__(
        self,
        application: Application,
        *,
        token: str,
        name: str,
        may_write: bool,
        on_close: Callable[[], None],
    ) -> None:
        self._application = application
        self._token = token
        self._may_write = may_write
        self._on_close: Callable[[], None] | None = on_close
        self.url = name

    def send(self, request: Request, deadline: Deadline) -> Reply:
        """Return the answer, of whatever status.

        Raises:
            NotSupported: Nothing may be written.
            Timeout: It took too long.
        """
        with gevent.Timeout(deadline.left_s(), _too_late(request, deadline, self.url)):
            status, headers, parts = self._ask(request)
            try:
                body = b"".join(parts)
            finally:
                _close(parts)
        return Reply(status, headers, body, self.url)

    def open(self, request: Request, deadline: Deadline) -> Opened:
        """Return the answer once its head is there; raises as ``send`` does."""
        with gevent.Timeout(deadline.left_s(), _too_late(request, deadline, self.url)):
            status, headers, parts = self._ask(request)
        return _Parts(status, headers, parts, self.url)

    def close(self) -> None:
        """Let go of what the application works on."""
        if self._on_close is not None:
            self._on_close()
            self._on_close = None

    def _ask(self, request: Request) -> tuple[int, Mapping[str, str], Iterable[bytes]]:
        if not self._may_write and request.method not in _READS:
            raise NotSupported(
                f"Nothing can be written to {self.url}: the branch runs, and serves no HTTP over "
                "which it could be asked. Stop it first, or start it with HTTP.",
                request=str(request),
                url=self.url,
            )
        head: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> None:
            head.append((status, headers))

        parts = self._application(_environ(request, self._token), start_response)
        status, headers = head[-1]
        return int(status.split(" ", 1)[0]), {n.lower(): v for n, v in headers}, parts


class _Parts:
    """An answer that is read as it comes."""

    def __init__(
        self, status: int, headers: Mapping[str, str], parts: Iterable[bytes], url: str
    ) -> None:
        self.status = status
        self.headers = headers
        self.url = url
        self._parts = parts
        self._coming: Iterator[bytes] = iter(parts)
        self._is_closed = False

    def read(self, timeout_s: float) -> bytes:
        """Return what comes next, nothing at the end.

        Raises:
            Timeout: Nothing came.
        """
        if self._is_closed:
            return b""
        late = Timeout(f"Nothing came from {self.url} for {timeout_s:g} s.", url=self.url)
        with gevent.Timeout(timeout_s, late):
            return next((part for part in self._coming if part), b"")

    def close(self) -> None:
        """Give it up."""
        if not self._is_closed:
            self._is_closed = True
            _close(self._parts)


def _environ(request: Request, token: str) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "RAW_URI": request.target,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body or b""),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if request.body is not None:
        environ["CONTENT_LENGTH"] = str(len(request.body))
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return environ


def _too_late(request: Request, deadline: Deadline, url: str) -> Timeout:
    return Timeout(
        f"{url} did not answer {request} within {deadline.timeout_s or 0:g} s.",
        request=str(request),
        url=url,
    )


def _close(parts: Iterable[bytes]) -> None:
    close = getattr(parts, "close", None)
    if close is not None:
        close()
