"""One connection's exchanges: reads requests, has pywsgi call the application, writes replies."""

from __future__ import annotations

import contextlib
import logging
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import gevent
import msgspec
from gevent.pywsgi import WSGIHandler, format_date_time

from cyme.api.connection import Body, Connection
from cyme.api.problems import MEDIA_TYPE, Refusal, internal_problem, problem_of
from cyme.api.streaming.handoff import Handoff
from cyme.api.streams import MUST_END
from cyme.api.wire import Head, parse_head
from cyme.errors import CymeError, Unavailable

logger = logging.getLogger(__name__)

_QUEUE_SEGMENT = "/queue/"
_SEGMENTS_BEFORE_URL = 4


class Exchange(WSGIHandler):  # type: ignore[misc] # gevent is untyped
    """Serves the requests of one connection, one after the other.

    pywsgi's class brings the application's side of WSGI. The client's side is replaced: a
    request is read as one block with deadlines, and a reply leaves in one piece.
    """

    wsgi_input: Body
    response_headers: list[tuple[bytes, bytes]]

    def __init__(self, sock: Any, address: Any, server: Any) -> None:
        # The base class would open a file on the socket, which knows no deadline.
        self.socket = sock
        self.client_address = address
        self.server = server
        self.origin = str(address[0])
        self.is_idle = True
        self.idle_since = time.monotonic()
        self._connection = Connection(sock, server.patience)
        self._must_linger = False
        self._is_handed_off = False

    def handle(self) -> None:
        """Serve until the client has no further request, or must not send one."""
        try:
            while self._serve_one():
                self._connection.give_way()
            if self._must_linger and not self._is_handed_off:
                self._connection.linger()
        finally:
            if not self._is_handed_off:
                self.socket.close()

    def get_environ(self) -> dict[str, Any]:
        """Return the environment that belongs to no single request."""
        environ: dict[str, Any] = self.server.get_environ()
        address = self.client_address
        environ["REMOTE_ADDR"] = str(address[0])
        environ["REMOTE_PORT"] = str(address[1])
        return environ

    def finalize_headers(self) -> None:
        """Say ``Connection: close`` where the connection cannot go on, then as pywsgi does."""
        if not self.wsgi_input.can_be_swallowed:
            self._must_linger = True
            self.close_connection = True
        if self.server.is_stopping:
            self.close_connection = True
        if self.close_connection:
            self.response_headers = [
                header for header in self.response_headers if header[0].lower() != b"connection"
            ]
            self.response_headers.append((b"Connection", b"close"))
        super().finalize_headers()
        if self.command == "HEAD":
            # It is what falcon says of a body that nobody made; a GET would have one.
            self.response_headers = [
                header for header in self.response_headers if header != (b"content-length", b"0")
            ]

    def log_request(self) -> None:
        """Log the request at debug: no query and no queued URL, which may hold secrets."""
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug(
                "%s %s %s %s %d bytes %.1f ms",
                self.client_address[0],
                self.command,
                _without_url(self.environ["PATH_INFO"]),
                self.code,
                self.response_length,
                (self.time_finish - self.time_start) * 1e3,
            )

    def handle_error(self, kind: Any, error: Any, trace: Any) -> None:
        """Answer what the application let through, if the client can still be answered."""
        self.close_connection = True
        if issubclass(kind, OSError):
            # The application lets no such error through: it is the client that is gone.
            return
        if issubclass(kind, gevent.GreenletExit):
            detail = "The branch is stopping, or has too many connections; try again."
            self._answer_instead(refusal_bytes(Unavailable(detail, 5.0)))
            return
        logger.error("HTTP request failed outside the application", exc_info=(kind, error, trace))
        self._answer_instead(_reply_bytes(500, _encode(internal_problem("http-server")), {}))

    def process_result(self) -> None:
        """Write what the application returns; the head leaves at once, before there is a body.

        An answer that goes on elsewhere takes the connection with it.
        """
        if isinstance(self.result, Handoff):
            self._hand_off(self.result)
            return
        for data in self.result:
            if data or not self.headers_sent:
                self.write(data)
        if not self.headers_sent:
            self.write(b"")
        if self.response_use_chunked:
            self._sendall(b"0\r\n\r\n")

    def _hand_off(self, handoff: Handoff) -> None:
        # The body ends with the connection, as it did in HTTP/1.0: its bytes are the same for all
        # who get them, and in chunks they would not be.
        self.request_version = "HTTP/1.0"
        self.close_connection = True
        self.write(b"")
        self._is_handed_off = True
        handoff.to(self.socket)

    def _must_end(self) -> bool:
        """Tell whether an answer that goes on and on has to end."""
        return self.server.is_stopping or self._connection.is_left()

    def _serve_one(self) -> bool:
        self.is_idle = True
        self.idle_since = time.monotonic()
        try:
            block = self._connection.read_head()
            if block is None:
                return False
            self.is_idle = False
            self._take(parse_head(block))
        except Refusal as refusal:
            self._refuse(refusal)
            return False
        except OSError:
            return False
        self.handle_one_response()
        if self.server.is_stopping:  # perhaps only since the answer began
            return False
        return not self.close_connection and self.wsgi_input.is_finished

    def _take(self, head: Head) -> None:
        path, _, query = head.target.partition("?")
        self.command = head.method
        self.path = head.target
        self.request_version = head.version
        self.close_connection = not head.keeps_alive
        self.application = self.server.application
        fields = head.fields
        self.wsgi_input = Body(
            self._connection,
            head.content_length,
            expects_continue=head.version == "HTTP/1.1"
            and fields.get("HTTP_EXPECT", "").lower() == "100-continue",
        )
        environ = self.get_environ()
        content_type = fields.pop("HTTP_CONTENT_TYPE", None)
        if content_type is not None:
            environ["CONTENT_TYPE"] = content_type
        content_length = fields.pop("HTTP_CONTENT_LENGTH", None)
        if content_length is not None:
            environ["CONTENT_LENGTH"] = content_length
        environ.update(fields)
        environ["REQUEST_METHOD"] = head.method
        environ["RAW_URI"] = head.target
        environ["PATH_INFO"] = (
            unquote_to_bytes(path.encode("latin-1")).decode("latin-1") if "%" in path else path
        )
        environ["QUERY_STRING"] = query
        environ["SERVER_PROTOCOL"] = head.version
        environ["wsgi.input"] = self.wsgi_input
        environ[MUST_END] = self._must_end
        self.environ = environ

    def _refuse(self, refusal: Refusal) -> None:
        logger.debug("%s sent a bad request: %s", self.client_address[0], refusal)
        try:
            self._connection.send(refusal_bytes(refusal))
        except OSError:
            return
        self._must_linger = True

    def _answer_instead(self, reply: bytes) -> None:
        if self.response_length:
            return
        with contextlib.suppress(OSError):
            self._connection.send(reply)

    def _write_with_headers(self, data: bytes) -> None:
        self.headers_sent = True
        self.finalize_headers()
        reply = bytearray(b"HTTP/1.1 ")
        reply += self.status
        for name, value in self.response_headers:
            reply += b"\r\n"
            reply += name
            reply += b": "
            reply += value
        reply += b"\r\n\r\n"
        if self.response_use_chunked:
            self._sendall(reply)
            self._write(data)
        else:
            reply += data
            self._sendall(reply)

    def _sendall(self, data: bytes | bytearray) -> None:
        self._connection.send(data)
        self.response_length += len(data)


def _without_url(path: str) -> str:
    """Return a decoded path as it may be logged: printable, and cut where a URL begins."""
    if _QUEUE_SEGMENT in path:
        path = "/".join(path.split("/", _SEGMENTS_BEFORE_URL)[:_SEGMENTS_BEFORE_URL]) + "/..."
    before, is_url, _ = path.partition(":/")
    if is_url:
        path = before.rpartition("/")[0] + "/..."
    return quote(path.encode("latin-1"), safe="/!:")


def refusal_bytes(error: CymeError) -> bytes:
    """Return a whole reply that tells of an error and closes the connection."""
    problem, headers = problem_of(error)
    return _reply_bytes(problem.status, _encode(problem), headers)


def _encode(problem: msgspec.Struct) -> bytes:
    return msgspec.json.encode(problem)


def _reply_bytes(status: int, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"Date: {format_date_time(time.time()).decode('ascii')}",
        f"Content-Type: {MEDIA_TYPE}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
