"""Sessions of the page: what a browser shows in place of a token, once somebody has logged in.

The laws:

- A session lives in memory only, in a table that is bounded, and ends by itself: after a while
  without a request, after a longer while whatever happens, and at once when its token is revoked.
- The cookie is for this branch alone. Browsers send cookies to every port of a host, so its name
  tells the branch, or two branches of one machine would end each other's sessions.
- A request with the cookie that could change something must show the session's second secret in
  a header, which no form and no other site can make a browser send.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cyme.core.access import Caller
from cyme.errors import Forbidden

#: Sessions in all, and of one token; the one that has idled longest gives way.
SESSIONS_MAX = 1000
SESSIONS_PER_TOKEN_MAX = 20

#: A session ends after so long without a request, and after so long at all, in seconds.
IDLE_S_MAX = 8 * 3600.0
LIFE_S_MAX = 7 * 24 * 3600.0

CSRF_HEADER = "X-CSRF-Token"

_SECRET_BYTES = 32
_COOKIES_CHARS_MAX = 8192
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: Below this any verb queues a URL, also one that is safe elsewhere.
_QUEUE_SEGMENT = "/queue/"


class Tokens(Protocol):
    """The tokens that are known."""

    def authenticate(self, token: str) -> Caller | None:
        """Return whose token it is, None if nobody's."""


@dataclass(slots=True)
class Session:
    """Somebody who has logged in.

    Attributes:
        token: The token; the session ends with it.
        csrf: What a request that changes something shows besides the cookie.
        began: When it began, monotonic seconds.
        used: When it was used last, monotonic seconds.
    """

    token: str
    csrf: str
    began: float
    used: float


class Sessions:
    """The sessions of a branch.

    Args:
        tokens: The tokens that are known.
        branch: The branch's id, which the cookie's name tells.
        monotonic: Seconds that never fall.
    """

    def __init__(
        self,
        tokens: Tokens,
        branch: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = tokens
        self._monotonic = monotonic
        self._name = f"cyme-{branch}"
        #: By the cookie's hash, so that looking one up tells nothing by the time it takes; the
        #: one that was used least recently first.
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self, token: str, *, secure: bool) -> tuple[Session, str]:
        """Begin a session for a token that was found good.

        Args:
            token: The token.
            secure: Whether the browser came by TLS.

        Returns:
            The session and the ``Set-Cookie`` header that hands it to the browser.
        """
        self._make_room(token)
        cookie = secrets.token_urlsafe(_SECRET_BYTES)
        now = self._monotonic()
        session = Session(token, secrets.token_urlsafe(_SECRET_BYTES), began=now, used=now)
        self._sessions[_digest(cookie)] = session
        return session, self._set_cookie(cookie, secure=secure)

    def find(self, env: Mapping[str, Any]) -> tuple[Session, Caller] | None:
        """Return the session whose cookie a request shows and whose it is, None without one.

        Args:
            env: The request's WSGI environment.
        """
        for digest in self._shown(env):
            session = self._sessions.get(digest)
            if session is None:
                continue
            now = self._monotonic()
            caller = self._tokens.authenticate(session.token)
            is_over = now - session.used > IDLE_S_MAX or now - session.began > LIFE_S_MAX
            if caller is None or is_over:
                del self._sessions[digest]
                continue
            session.used = now
            self._sessions.move_to_end(digest)
            return session, caller
        return None

    def end(self, env: Mapping[str, Any]) -> str:
        """End the session of a request, if it has one.

        Returns:
            The ``Set-Cookie`` header that takes the cookie back.
        """
        for digest in self._shown(env):
            self._sessions.pop(digest, None)
        return self._set_cookie("", secure=is_secure(env))

    def _make_room(self, token: str) -> None:
        of_token = [digest for digest, each in self._sessions.items() if each.token == token]
        if len(of_token) >= SESSIONS_PER_TOKEN_MAX:
            del self._sessions[of_token[0]]
        if len(self._sessions) >= SESSIONS_MAX:
            self._sessions.popitem(last=False)

    def _set_cookie(self, value: str, *, secure: bool) -> str:
        # The prefix has browsers refuse the cookie from anything but this host by TLS.
        name = f"__Host-{self._name}" if secure else self._name
        end = "; Secure" if secure else ""
        age = f"Max-Age={int(LIFE_S_MAX) if value else 0}"
        return f"{name}={value}; Path=/; {age}; HttpOnly; SameSite=Strict{end}"

    def _shown(self, env: Mapping[str, Any]) -> list[bytes]:
        """Return the hashes of the cookies of ours that a request shows."""
        header = str(env.get("HTTP_COOKIE", ""))
        if self._name not in header or len(header) > _COOKIES_CHARS_MAX:
            return []
        found: dict[str, list[bytes]] = {}
        for pair in header.split(";"):
            name, _, value = pair.strip().partition("=")
            if value:
                found.setdefault(name, []).append(_digest(value))
        # The other one may have been set by whatever serves another port of the host.
        by_tls = found.get(f"__Host-{self._name}", [])
        if by_tls or env.get("wsgi.url_scheme") == "https":
            return by_tls
        return found.get(self._name, [])


def check_csrf(session: Session, env: Mapping[str, Any]) -> None:
    """Let a request pass that reads, or that shows the session's second secret.

    Args:
        session: The session whose cookie it shows.
        env: Its WSGI environment.

    Raises:
        Forbidden: It could change something and does not show it.
    """
    reads = env.get("REQUEST_METHOD") in _SAFE_METHODS
    if reads and _QUEUE_SEGMENT not in str(env.get("PATH_INFO", "")):
        return
    shown = str(env.get("HTTP_X_CSRF_TOKEN", ""))
    if not hmac.compare_digest(shown.encode("latin-1", "replace"), session.csrf.encode()):
        raise Forbidden(
            f"A request with the page's cookie must show the session's {CSRF_HEADER} too. Reload "
            "the page; programs send 'Authorization: Bearer TOKEN' instead of a cookie."
        )


def is_secure(env: Mapping[str, Any]) -> bool:
    """Tell whether a browser came by TLS, be it to a proxy in front of the branch."""
    origin = str(env.get("HTTP_ORIGIN", ""))
    return env.get("wsgi.url_scheme") == "https" or origin.startswith("https://")


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("latin-1", "replace")).digest()
