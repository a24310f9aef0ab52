"""A real HTTP server that records, byte for byte, what it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

VERBS = ("GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH")


@dataclass(frozen=True)
class Seen:
    """One request as it came."""

    method: str
    target: str
    body: bytes
    content_type: str | None


@dataclass
class Target:
    """The server: where it is, and what it saw."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)

    def requests_of(self, method: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.method == method]


def _answer(handler: BaseHTTPRequestHandler, target: Target) -> None:
    length = int(handler.headers.get("Content-Length") or 0)
    body = handler.rfile.read(length)
    seen = Seen(handler.command, handler.path, body, handler.headers.get("Content-Type"))
    target.seen.append(seen)
    content = f"{handler.command} was here".encode()
    handler.send_response(200)
    handler.send_header("Content-Type", "text/plain; charset=utf-8")
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(content)


@contextmanager
def http_target() -> Iterator[Target]:
    """Serve on a free loopback port until the block ends."""
    target = Target()

    class Handler(BaseHTTPRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing."""

    for verb in VERBS:
        setattr(Handler, f"do_{verb}", lambda handler: _answer(handler, target))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    target.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield target
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
