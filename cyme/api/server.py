"""The HTTP server: gevent's ``pywsgi`` with a stricter reader and limits on everything.

pywsgi calls the application and writes its answer; reading is ours, because pywsgi waits for
ever for a slow client, answers bad requests in HTML or not at all, and guesses where two
servers could read a request differently.
"""

from __future__ import annotations

import errno
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import gevent
from gevent.pool import Pool
from gevent.pywsgi import WSGIServer

from cyme.api.connection import Connection, Patience
from cyme.api.exchange import Exchange, refusal_bytes
from cyme.api.open_files import open_files_max
from cyme.errors import AddressUnavailable, Overloaded, SettingsError

logger = logging.getLogger(__name__)

_BACKLOG = 512
_HANDSHAKE_S = 10.0
_KILL_S = 1.0

#: So many refusals wait at a time for their clients to read them; further ones are not told why.
_TURNED_AWAY_MAX = 32

#: So many connections are accepted beyond the limit, until it is decided about them.
_UNDECIDED_MAX = 32

#: A WSGI application, as PEP 3333 describes it.
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """How many connections are open at a time.

    At a limit the connection that has idled longest gives way; a new one is refused only where
    all are at work.

    Attributes:
        total_max: From everywhere together; half of the files that the process may open is never
            exceeded, since workers and brokers need the others.
        per_address_max: From one address.
    """

    total_max: int = 512
    per_address_max: int = 256


class HttpServer:
    """Serves a WSGI application on one address.

    Args:
        app: The application.
        address: Host and port to listen on; port 0 is any free one.
        certificate: PEM file with the certificate chain; with it the server speaks TLS only.
        key: PEM file with the private key, if the certificate's file does not hold it.
        patience: How long clients are waited for.
        limits: How many connections are open at a time.
        listening: A socket that ``listen`` returned for the address before; None has ``start``
            listen.
    """

    def __init__(
        self,
        app: Application,
        address: tuple[str, int],
        *,
        certificate: Path | None = None,
        key: Path | None = None,
        patience: Patience | None = None,
        limits: ConnectionLimits | None = None,
        listening: socket.socket | None = None,
    ) -> None:
        self._app = app
        self._wanted = address
        self._certificate = certificate
        self._key = key
        self._patience = patience or Patience()
        self._limits = limits or ConnectionLimits()
        self._listening = listening
        self._listener: _Listener | None = None
        self._bound = address

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on; before ``start`` those that it shall listen on."""
        return self._bound

    @property
    def scheme(self) -> str:
        """``https`` with a certificate, else ``http``."""
        return "https" if self._certificate else "http"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._listener.open_count if self._listener else 0

    def start(self) -> None:
        """Listen and serve.

        Raises:
            SettingsError: The certificate or the key cannot be used.
            AddressUnavailable: The address cannot be listened on.
        """
        tls = tls_context(self._certificate, self._key) if self._certificate else None
        listening = self._listening or listen(self._wanted)
        host, port = listening.getsockname()[:2]
        self._bound = (host, port)
        self._listener = _Listener(
            listening, self._app, tls=tls, patience=self._patience, limits=self._limits
        )
        self._listener.start()
        logger.info("HTTP server listens on %s://%s:%d", self.scheme, host, port)

    def stop(self, timeout_s: float) -> None:
        """Take no more connections, let requests under way finish, then close all.

        Args:
            timeout_s: How long requests under way may take, in seconds.
        """
        if self._listener is None:
            return
        self._listener.wind_down(timeout_s)
        self._listener = None


def tls_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """Return what makes connections TLS.

    Args:
        certificate: PEM file with the certificate chain.
        key: PEM file with the private key, if the certificate's file does not hold it.

    Raises:
        SettingsError: The certificate or the key cannot be used.
    """
    # gevent's own class: the standard library's would block the whole process.
    from gevent.ssl import SSLContext  # noqa: PLC0415 - loaded only where TLS is spoken

    context: ssl.SSLContext = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # An empty password, where OpenSSL would ask for one on the terminal and wait.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as exc:
        raise SettingsError(
            f"The TLS certificate {certificate} with the key {key or certificate} cannot be used "
            f"({getattr(exc, 'strerror', None) or exc}). "
            "Name PEM files of a certificate and its unencrypted key in --tls-cert, --tls-key."
        ) from exc
    return context


def listen(address: tuple[str, int]) -> socket.socket:
    """Return a socket that listens on ``address``.

    Raises:
        AddressUnavailable: It cannot; the message says what to do.
    """
    host, port = address
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as exc:
        raise AddressUnavailable(
            f"{host!r} is not the name of an address; name one of this machine."
        ) from exc
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit it. Without it a reply waits 40 ms for the client's
        # delayed acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind(target)
        listening.listen(_BACKLOG)
    except OSError as exc:
        listening.close()
        raise AddressUnavailable(_why_not_bound(f"{host or '*'}:{port}", exc)) from exc
    listening.setblocking(False)
    return listening


def _why_not_bound(address: str, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"{address} is in use by another program. Choose another port "
                "(cyme-branch :PORT), or stop that program."
            )
        case errno.EACCES:
            return f"{address} needs privileges that this user lacks. Choose a port over 1023."
        case errno.EADDRNOTAVAIL:
            return f"{address} is not an address of this machine. Name one of its own."
        case _:
            return f"{address} cannot be listened on ({error.strerror or error})."


class _Listener(WSGIServer):  # type: ignore[misc] # gevent is untyped
    """Accepts connections within limits and runs an ``Exchange`` on each."""

    def __init__(
        self,
        listening: socket.socket,
        app: Application,
        *,
        tls: ssl.SSLContext | None,
        patience: Patience,
        limits: ConnectionLimits,
    ) -> None:
        host, port = listening.getsockname()[:2]
        self._total_max = min(limits.total_max, open_files_max() // 2)
        super().__init__(
            listening,
            app,
            # While it is full, connections wait in the kernel, where they cost no file.
            spawn=Pool(self._total_max + _TURNED_AWAY_MAX + _UNDECIDED_MAX),
            log=None,
            error_log=None,
            environ={
                "SERVER_NAME": host,
                "SERVER_PORT": str(port),
                "wsgi.url_scheme": "https" if tls else "http",
                "wsgi.input_terminated": True,
            },
        )
        self.patience = patience
        self.is_stopping = False
        self._tls = tls
        self._limits = limits
        self._turning_away = 0
        self._open_from: Counter[str] = Counter()
        self._exchanges: dict[Exchange, gevent.Greenlet] = {}
        self.open_count = 0

    def handle(self, sock: Any, address: tuple[Any, ...]) -> None:
        """Serve one connection; pywsgi calls it in a greenlet of its own."""
        origin = str(address[0])
        reason = self._why_not_admitted(origin)
        if reason is not None:
            self._turn_away(sock, reason)
            return
        self.open_count += 1
        self._open_from[origin] += 1
        try:
            self._serve(sock, address)
        finally:
            self.open_count -= 1
            self._open_from[origin] -= 1
            if not self._open_from[origin]:
                del self._open_from[origin]

    def wind_down(self, timeout_s: float) -> None:
        """Stop accepting, end what idles, and give what works ``timeout_s`` to finish."""
        self.is_stopping = True
        self.close()
        for exchange, greenlet in list(self._exchanges.items()):
            if exchange.is_idle:
                greenlet.kill(block=False)
        self.pool.join(timeout=timeout_s)
        self.pool.kill(timeout=_KILL_S)

    def _serve(self, sock: Any, address: tuple[Any, ...]) -> None:
        stream = sock if self._tls is None else self._secured(self._tls, sock)
        if stream is None:
            return
        exchange = Exchange(stream, address, self)
        self._exchanges[exchange] = gevent.getcurrent()
        try:
            exchange.handle()
        finally:
            del self._exchanges[exchange]

    def _secured(self, tls: ssl.SSLContext, sock: Any) -> Any:
        with gevent.Timeout(_HANDSHAKE_S, False):
            try:
                return tls.wrap_socket(sock, server_side=True)
            except OSError as exc:
                logger.debug("TLS handshake failed: %s", exc)
        return None

    def _why_not_admitted(self, origin: str) -> str | None:
        of_one_max = self._limits.per_address_max
        if self._open_from[origin] >= of_one_max and not self._end_idle(origin):
            return f"{origin} has {of_one_max} connections at work and gets no more."
        if self.open_count >= self._total_max and not self._end_idle():
            return f"The branch serves {self._total_max} connections at a time and no more."
        return None

    def _end_idle(self, origin: str | None = None) -> bool:
        """End the connection that has idled longest, from anywhere or from one address."""
        idle = [
            exchange
            for exchange in self._exchanges
            if exchange.is_idle and origin in {None, exchange.origin}
        ]
        if not idle:
            return False
        longest = min(idle, key=attrgetter("idle_since"))
        longest.is_idle = False
        self._exchanges[longest].kill(block=False)
        return True

    def _turn_away(self, sock: Any, reason: str) -> None:
        logger.debug("Connection turned away: %s", reason)
        if self._tls is not None or self._turning_away >= _TURNED_AWAY_MAX:
            return
        connection = Connection(sock, self.patience)
        self._turning_away += 1
        try:
            connection.send(refusal_bytes(Overloaded(reason + " Close some, or try later.")))
            connection.linger()
        except OSError as exc:
            logger.debug("It did not wait for its refusal: %s", exc)
        finally:
            self._turning_away -= 1
