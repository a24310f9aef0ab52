"""HTTP/1.1 to one or several branches, over connections that are kept.

The laws of this file:

* A connection serves one request at a time; threads and greenlets take their own from the pool.
* Another branch is tried only where the first cannot have received the request, or where the
  request may be repeated. An answer, whatever it says, is an answer.
* A read that is answered soon, if at all, moves on from a branch that says nothing for a while.
* Every wait ends at the deadline, however slowly the bytes come.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http.client import HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import TypeVar

from cyme.client.addresses import Address
from cyme.client.chunks import ChunkDecoder
from cyme.client.errors import BadReply, ClientError, ConnectionFailed, Timeout, TooLarge
from cyme.client.messages import Deadline, Reply, Request
from cyme.client.timed import TimedConnection

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5.0
#: A branch that says nothing for so long is passed over by a read, if there is another one.
PATIENCE_S = 8.0
IDLE_MAX = 8

REPLY_BYTES_MAX = 256 * 1024 * 1024

_SILENT = "%s said nothing for %g s; the next branch is asked"
_USER_AGENT = "cyme-client"

T = TypeVar("T")


class Connections:
    """Carries requests to the first of several branches that can be reached.

    Args:
        addresses: Where the branches are, the preferred one first.
        tokens: The token for each URL; there may be none.
        ca: A file with the certificates to trust instead of the system's.
        connect_timeout_s: How long a connection may take to come about, in seconds.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        tokens: Mapping[str, str],
        *,
        ca: str | Path | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        self._addresses = tuple(addresses)
        self._tokens = dict(tokens)
        self._ca = ca
        self._connect_timeout_s = connect_timeout_s
        self._good = 0
        self._lock = threading.Lock()
        self._idle: dict[Address, list[TimedConnection]] = {each: [] for each in self._addresses}
        self._context: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        """The branch that the next request goes to."""
        return self._addresses[self._good].url

    def send(self, request: Request, deadline: Deadline) -> Reply:
        """Return the answer, of whatever status.

        Raises:
            ConnectionFailed: No branch can be reached, or the connection broke.
            Timeout: There was none before the deadline.
            BadReply: What answers does not speak HTTP.
            TooLarge: The answer exceeds 256 MiB.
        """
        return self._from_any(request, deadline, partial(self._send_to, request, deadline))

    def open(self, request: Request, deadline: Deadline) -> Streamed:
        """Return the answer once its head is there; raises as ``send`` does."""
        return self._from_any(request, deadline, partial(self._open_to, request, deadline))

    def close(self) -> None:
        """Close the connections that are kept; those in use end with their requests."""
        with self._lock:
            idle = [each for kept in self._idle.values() for each in kept]
            for kept in self._idle.values():
                kept.clear()
        for connection in idle:
            connection.close()

    # --- one of several ---------------------------------------------------------------------------

    def _from_any(
        self, request: Request, deadline: Deadline, attempt: Callable[[Address, Deadline], T]
    ) -> T:
        """Return what the first branch answers that answers; an attempt has a time to begin to."""
        first = self._good
        failed: ConnectionFailed | Timeout | None = None
        for offset in range(len(self._addresses)):
            index = (first + offset) % len(self._addresses)
            address = self._addresses[index]
            deadline.check(request, address.url)
            is_last = offset == len(self._addresses) - 1
            begins = deadline
            if request.is_quick and not is_last:
                begins = Deadline(deadline.at_most_s(PATIENCE_S))
            try:
                answer = attempt(address, begins)
            except ConnectionFailed as exc:
                failed = exc
                if exc.was_sent and not request.is_idempotent:
                    raise
                continue
            except Timeout as exc:
                failed = exc
                if begins is deadline:
                    raise
                logger.warning(_SILENT, address.url, begins.timeout_s)
                continue
            self._good = index
            return answer
        assert failed is not None
        raise failed

    def _send_to(
        self, request: Request, deadline: Deadline, address: Address, begins: Deadline
    ) -> Reply:
        connection, response = self._ask(request, begins, address)
        connection.deadline = deadline
        try:
            body = _read_all(response, request, deadline, address)
        except BaseException:
            connection.close()
            raise
        reply = Reply(response.status, _fields(response), body, address.url)
        if response.will_close:
            connection.close()
        else:
            self._keep(address, connection)
        return reply

    def _open_to(
        self, request: Request, deadline: Deadline, address: Address, begins: Deadline
    ) -> Streamed:
        connection, response = self._ask(request, begins, address)
        connection.deadline = deadline
        return Streamed(connection, response, request, address)

    # --- one branch -------------------------------------------------------------------------------

    def _ask(
        self, request: Request, deadline: Deadline, address: Address
    ) -> tuple[TimedConnection, HTTPResponse]:
        connection = self._kept(address)
        if connection is not None:
            try:
                return connection, self._exchange(connection, request, deadline, address)
            except ConnectionFailed:
                # The branch closed it just now, most likely; if so, nothing was done.
                if not request.is_idempotent:
                    raise
        connection = self._connected(request, deadline, address)
        return connection, self._exchange(connection, request, deadline, address)

    def _connected(self, request: Request, deadline: Deadline, address: Address) -> TimedConnection:
        connection = TimedConnection(address.host, address.port)
        connection.timeout = deadline.at_most_s(self._connect_timeout_s)
        try:
            connection.connect()
            sock = connection.sock
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if address.is_secure:
                connection.sock = self._tls().wrap_socket(sock, server_hostname=address.host)
        except ssl.SSLCertVerificationError as exc:
            connection.close()
            raise ConnectionFailed(
                f"{address.url} shows a certificate that is not trusted ({exc.verify_message}). "
                "Name the authority that signed it with ca=.",
                request=str(request),
                url=address.url,
            ) from exc
        except OSError as exc:
            connection.close()
            is_tls = isinstance(exc, ssl.SSLError)
            hint = "Does it speak https, or http?" if is_tls else "Is its branch running?"
            raise ConnectionFailed(
                f"{address.url} cannot be reached: {_reason(exc)}. {hint}",
                request=str(request),
                url=address.url,
            ) from exc
        return connection

    def _exchange(
        self, connection: TimedConnection, request: Request, deadline: Deadline, address: Address
    ) -> HTTPResponse:
        connection.deadline = deadline
        is_sent = False
        try:
            connection.sock.settimeout(deadline.left_s())
            headers = {"User-Agent": _USER_AGENT, "Accept": "application/json", **request.headers}
            token = self._tokens.get(address.url)
            if token is not None:
                headers["Authorization"] = f"Bearer {token}"
            is_sent = True
            connection.request(
                request.method, address.prefix + request.target, request.body, headers
            )
            return connection.getresponse()
        except (OSError, HTTPException) as exc:
            connection.close()
            raise _translated(exc, request, deadline, address, was_sent=is_sent) from exc
        except BaseException:
            connection.close()
            raise

    def _kept(self, address: Address) -> TimedConnection | None:
        while True:
            with self._lock:
                if not self._idle[address]:
                    return None
                connection = self._idle[address].pop()
            if connection.is_fresh():
                return connection
            connection.close()

    def _keep(self, address: Address, connection: TimedConnection) -> None:
        connection.idle_since = time.monotonic()
        with self._lock:
            kept = self._idle[address]
            kept.append(connection)
            surplus = kept.pop(0) if len(kept) > IDLE_MAX else None
        if surplus is not None:
            surplus.close()

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            cafile = None if self._ca is None else str(self._ca)
            self._context = ssl.create_default_context(cafile=cafile)
        return self._context


class Streamed:
    """An answer that is read as it comes, over a connection of its own.

    Attributes:
        status: The HTTP status.
        headers: The header fields, their names in lower case.
        url: The branch that answers.
    """

    def __init__(
        self,
        connection: TimedConnection,
        response: HTTPResponse,
        request: Request,
        address: Address,
    ) -> None:
        self._connection = connection
        self._request = request
        self._address = address
        self._is_closed = False
        self._is_read = False
        self._chunks = ChunkDecoder() if response.chunked else None
        self._left = response.length
        self._buffered = connection.take_buffered()
        self.status = response.status
        self.headers: Mapping[str, str] = _fields(response)
        self.url = address.url

    def read(self, timeout_s: float) -> bytes:
        """Return what has come, nothing at the end.

        Args:
            timeout_s: How long to wait for the next byte, in seconds.

        Raises:
            Timeout: Nothing came; one may go on to wait.
            ConnectionFailed: The connection broke.
            BadReply: What came is no HTTP.
        """
        deadline = Deadline(timeout_s)
        self._is_read = True
        try:
            return b"" if self._is_closed else self._next_part(deadline)
        except TimeoutError as exc:
            raise _translated(exc, self._request, deadline, self._address, was_sent=True) from exc
        except (OSError, IncompleteRead) as exc:
            if self._is_closed:
                return b""
            self.close()
            raise _translated(exc, self._request, deadline, self._address, was_sent=True) from exc
        except BaseException:
            self.close()
            raise
        finally:
            self._is_read = False
            if self._is_closed:
                self._connection.close()

    def _next_part(self, deadline: Deadline) -> bytes:
        while self._left != 0 and not (self._chunks and self._chunks.has_ended):
            part = self._buffered or self._connection.receive(deadline)
            self._buffered = b""
            if self._is_closed or (self._chunks is None and self._left is None):
                return part if not self._is_closed else b""
            if not part:
                raise IncompleteRead(b"")
            if self._chunks is None:
                self._left = (self._left or 0) - len(part)
                return part
            if body := self._chunks.feed(part):
                return body
        return b""

    def close(self) -> None:
        """Give the answer up, from any thread; whoever waits for it stops waiting."""
        # Whoever reads looks whether it was closed after saying that he reads; here it is the
        # other way around, so one of the two sees the other and closes what nobody uses.
        self._is_closed = True
        self._connection.shut_down()
        if not self._is_read:
            self._connection.close()


def _read_all(
    response: HTTPResponse, request: Request, deadline: Deadline, address: Address
) -> bytes:
    try:
        body = response.read(REPLY_BYTES_MAX + 1)
        if len(body) <= REPLY_BYTES_MAX and response.length:
            raise IncompleteRead(body, response.length)
    except (OSError, HTTPException) as exc:
        raise _translated(exc, request, deadline, address, was_sent=True) from exc
    if len(body) > REPLY_BYTES_MAX:
        raise TooLarge(
            f"{address.url} answers {request} with more than {REPLY_BYTES_MAX} bytes; ask for "
            "less.",
            request=str(request),
            url=address.url,
        )
    return body


def _fields(response: HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _translated(
    exc: OSError | HTTPException,
    request: Request,
    deadline: Deadline,
    address: Address,
    *,
    was_sent: bool,
) -> ClientError:
    """Return what a program is told of an error of a connection."""
    asked, url = str(request), address.url
    if isinstance(exc, TimeoutError):
        is_read = request.method in {"GET", "HEAD"}
        rest = "It is busy, or stands still." if is_read else "It may still do what was asked."
        return Timeout(
            f"{url} did not answer {asked} within {deadline.timeout_s:g} s. {rest}",
            request=asked,
            url=url,
        )
    if isinstance(exc, OSError | IncompleteRead):
        return ConnectionFailed(
            f"{url} broke the connection before it had answered {asked}: {_reason(exc)}.",
            was_sent=was_sent,
            request=asked,
            url=url,
        )
    return BadReply(
        f"{url} does not answer {asked} as a branch does ({type(exc).__name__}). Is it the port "
        "of one, and http or https as it should?",
        request=asked,
        url=url,
    )


def _reason(exc: BaseException) -> str:
    if isinstance(exc, TimeoutError):
        return "it does not answer"
    if isinstance(exc, ssl.SSLError) and exc.reason:
        return exc.reason.replace("_", " ").lower()
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror.lower()
    if isinstance(exc, IncompleteRead):
        return "the answer is cut short"
    return str(exc).lower() or type(exc).__name__
