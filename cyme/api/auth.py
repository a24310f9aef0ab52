"""Who makes a request: a token, or nobody in particular on an open branch."""

from __future__ import annotations

import base64
import binascii
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from cyme.core.access import Caller, Role
from cyme.errors import NotAuthenticated

logger = logging.getLogger(__name__)

#: Failures are logged one by one until this often; the others are only counted.
_LOG_PERIOD_S = 10.0

_ANYBODY = Caller(Role.OPERATOR, "local")


class Tokens(Protocol):
    """The tokens that are known."""

    def authenticate(self, token: str) -> Caller | None:
        """Return whose token it is, None if nobody's."""


class Authenticator:
    """Finds the caller of a request.

    Args:
        tokens: The tokens that are known.
        open_access: Whether a caller without a token is taken for a local operator.
        monotonic: Seconds that never fall.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        open_access: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = tokens
        self._open_access = open_access
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
        """
        credentials = env.get("HTTP_AUTHORIZATION")
        if credentials is None:
            if self._open_access:
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
