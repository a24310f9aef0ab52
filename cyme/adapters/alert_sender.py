"""Sends alerts to the HTTP targets that the operator named.

Every body is signed with a secret that the receiver knows: ``X-Cyme-Signature: t=<unix>,v1=<hex>``,
the HMAC-SHA256 of the time, a dot and the body. The time is that of the attempt, so that a receiver
may refuse what somebody recorded and sends again.

Redirects are not followed: the operator named the target, and nobody else may name another one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import ssl
import time
from collections.abc import Callable
from urllib.parse import SplitResult, unquote, urlsplit

import cyme
from cyme.core.alert_targets import Attempt, Outcome

#: Connecting, sending and each read of the answer may take so long, in seconds.
TIMEOUT_S = 10.0

#: So much of an answer is read.
_ANSWER_BYTES_MAX = 4_096

#: Answers of clients' faults that may be other ones later: timeout, too early, too many requests.
_TRANSIENT = frozenset({408, 425, 429})


class HttpAlertSender:
    """Sends to one target.

    Args:
        url: The target, http or https; a user and password in it are sent as Basic.
        secret: Signs what is sent; None leaves the signature out.
        wall: Returns seconds since 1970.
        timeout_s: How long connecting, sending and each read may take, in seconds.
        context: How the target of a https URL is verified; None for as browsers do.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: bytes | None,
        wall: Callable[[], float] = time.time,
        timeout_s: float = TIMEOUT_S,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._parts = urlsplit(url)
        self._secret = secret
        self._wall = wall
        self._timeout_s = timeout_s
        self._context = context

    @property
    def name(self) -> str:
        """The target as it may be logged: its host alone, as the path may be a secret."""
        return f"{self._parts.scheme}://{_authority(self._parts)}"

    def send(self, body: bytes, *, delivery: str) -> Attempt:
        """Try once to deliver something, and return what came of it; raises nothing.

        Args:
            body: JSON.
            delivery: Names what is delivered; the same at every attempt.
        """
        try:
            status = self._post(body, delivery)
        except (OSError, http.client.HTTPException, ValueError) as exc:
            return Attempt(Outcome.FAILED, f"{type(exc).__name__}: {_why(exc)}")
        if 200 <= status < 300:  # noqa: PLR2004 - successes
            return Attempt(Outcome.DELIVERED)
        if 300 <= status < 400:  # noqa: PLR2004 - redirects
            return Attempt(Outcome.REFUSED, f"it answers {status}, and redirects are not followed")
        if 400 <= status < 500 and status not in _TRANSIENT:  # noqa: PLR2004 - faults of clients
            return Attempt(Outcome.REFUSED, f"it answers {status}")
        return Attempt(Outcome.FAILED, f"it answers {status}")

    def _post(self, body: bytes, delivery: str) -> int:
        connection = self._connection()
        try:
            path = self._parts.path or "/"
            target = f"{path}?{self._parts.query}" if self._parts.query else path
            connection.request("POST", target, body=body, headers=self._headers(body, delivery))
            answer = connection.getresponse()
            answer.read(_ANSWER_BYTES_MAX)
            return answer.status
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            if self._context is None:  # which takes a while, and is the same every time
                self._context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                host, port, timeout=self._timeout_s, context=self._context
            )
        return http.client.HTTPConnection(host, port, timeout=self._timeout_s)

    def _headers(self, body: bytes, delivery: str) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"cyme/{cyme.__version__}",
            "X-Cyme-Delivery": delivery,
        }
        if self._secret is not None:
            headers["X-Cyme-Signature"] = signature(self._secret, int(self._wall()), body)
        if self._parts.username is not None:
            user, password = unquote(self._parts.username), unquote(self._parts.password or "")
            login = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
            headers["Authorization"] = f"Basic {login}"
        return headers


def signature(secret: bytes, moment: int, body: bytes) -> str:
    """Return the signature of a body.

    Args:
        secret: What the receiver knows too.
        moment: When it is sent, seconds since 1970.
        body: What is sent.
    """
    signed = hmac.new(secret, b"%d." % moment + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={signed}"


def _authority(parts: SplitResult) -> str:
    host = parts.hostname or "?"
    host = f"[{host}]" if ":" in host else host
    return host if parts.port is None else f"{host}:{parts.port}"


def _why(error: Exception) -> str:
    """Return what an error says, without what may be part of the URL."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.strerror or str(error) or "no answer") if isinstance(error, OSError) else "bad"
