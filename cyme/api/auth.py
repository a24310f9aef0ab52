"""Who makes a request: a token, a session of the page, or nobody in particular.

A token in the header wins over a cookie, for it was put there on purpose.
"""

from __future__ import annotations

import base64
import binascii
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from cyme.api.sessions import Sessions, Tokens, check_csrf
from cyme.core.access import Caller, Role
from cyme.errors import NotAuthenticated

logger = logging.getLogger(__name__)

#: Failures are logged one by one until this often; the others are only counted.
_LOG_PERIOD_S = 10.0

_ANYBODY = Caller(Role.OPERATOR, "local")


class Authenticator:
    """Finds the caller of a request.

    Args:
        tokens: The tokens that are known.
        open_access: Whether a caller without a token is taken for a local operator.
        sessions: The sessions of the page; None where there is no page.
        monotonic: Seconds that never fall.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        open_access: bool,
        sessions: Sessions | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = tokens
        self._sessions = sessions
        #: Whether a caller without a token is taken for a local operator.
        self.open_access = open_access
        self._monotonic = monotonic
        self._logged_at = -_LOG_PERIOD_S
        #: How many requests showed a token that is not known.
        self.failures = 0

    def caller(self, env: Mapping[str, Any]) -> Caller:
        """Return who makes the request.

        Args:
            env: Its WSGI environment.

        Raises:
            NotAuthenticated: It shows no token where one is needed, or an unknown one.
            Forbidden: It shows the cookie of a session and could change something without the
                session's second secret.
        """
        credentials = env.get("HTTP_AUTHORIZATION")
        if credentials is None:
            caller = self._caller_by_cookie(env)
            if caller is not None:
                return caller
            if self.open_access:
                return _ANYBODY
            raise NotAuthenticated(
                "This branch asks for a token: send 'Authorization: Bearer TOKEN', or the token "
                "as the password of Basic. 'cyme-branch token create' makes one."
            )
        token = _token_in(credentials)
        caller = self._tokens.authenticate(token) if token else None
        if caller is None:
            self._count_failure(str(env.get("REMOTE_ADDR", "?")))
            raise NotAuthenticated(
                "The token is not known here, or was revoked. 'cyme-branch token list' shows "
                "which are known, 'cyme-branch token create' makes one."
            )
        return caller

    def _caller_by_cookie(self, env: Mapping[str, Any]) -> Caller | None:
        found = self._sessions.find(env) if self._sessions is not None else None
        if found is None:
            return None
        session, caller = found
        check_csrf(session, env)
        return caller

    def _count_failure(self, address: str) -> None:
        self.failures += 1
        now = self._monotonic()
        if now - self._logged_at >= _LOG_PERIOD_S:
            self._logged_at = now
            logger.warning(
                "A request from %s showed an unknown token; %d did since the start",
                address,
                self.failures,
            )


def _token_in(credentials: str) -> str | None:
    """Return the token in an ``Authorization`` header, None if it holds none."""
    scheme, _, value = credentials.partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            try:
                login = base64.b64decode(value.strip(), validate=True).decode("utf-8")
            except (binascii.Error, UnicodeDecodeError):
                return None
            return login.partition(":")[2]
    return None
