"""A real HTTP target of alerts, which answers as a test says and verifies what it is sent."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

#: A signature that is older is refused, in seconds.
TOLERANCE_S = 300


@dataclass
class Sent:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """Tell whether the body came from somebody who knows the secret, and lately."""
        fields = dict(each.split("=", 1) for each in self.headers["x-cyme-signature"].split(","))
        signed = f"{fields['t']}.".encode() + self.body
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        is_late = abs(time.time() - int(fields["t"])) > TOLERANCE_S
        return hmac.compare_digest(expected, fields["v1"]) and not is_late


@dataclass
class AlertTarget:
    """The server: where it is, what it answers next, and what it was sent."""

    url: str = ""
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)


@contextmanager
def alert_target(certificate: tuple[Path, Path] | None = None) -> Iterator[AlertTarget]:
    """Serve on a free loopback port until the block ends; 204 where nothing else was said."""
    target = AlertTarget()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            target.sent.append(Sent(self.path, headers, body))
            status, answer = target.answers.pop(0) if target.answers else (204, {})
            self.send_response(status)
            for name, value in answer.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    target.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield target
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
