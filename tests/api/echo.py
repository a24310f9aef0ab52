"""A server of HTTP whose application answers with what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cyme.api.connection import Patience
from cyme.api.server import HttpServer
from tests.api.wire import RawClient

SHORT = Patience(idle_s=0.3, head_s=0.4, body_s=0.4, send_s=1.0, linger_s=0.3)

ANYWHERE = ("127.0.0.1", 0)


def echo(env: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Answers with the method, the raw target and the body."""
    body = env["wsgi.input"].read()
    answer = f"{env['REQUEST_METHOD']} {env['RAW_URI']} ".encode("latin-1") + body
    start("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]


def open_files() -> int:
    """Return how many files this process has open, the clients' ends of connections too."""
    return len(list(Path("/proc/self/fd").iterdir()))


def at_work(server: HttpServer) -> RawClient:
    """Return a client whose request is under way."""
    client = RawClient(server.address)
    client.send(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
    return client


@contextmanager
def serving(app: Any = echo, **options: Any) -> Iterator[HttpServer]:
    """Serve an application for a while."""
    server = HttpServer(app, ANYWHERE, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop(1.0)
