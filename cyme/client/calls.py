"""Requests with a deadline, tried again where that is safe, and answers as values or errors."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping
from typing import Any

from cyme.client.errors import (
    BadReply,
    ClientError,
    ConnectionFailed,
    NotFound,
    Unavailable,
    error_of,
)
from cyme.client.info import plain
from cyme.client.messages import Deadline, Opened, Reply, Request, Transport, query_of

logger = logging.getLogger(__name__)

#: Between two attempts, where the branch does not say when; doubled each time, in seconds.
PAUSE_S_FIRST = 0.1
PAUSE_S_MAX = 5.0

_READS = frozenset({"GET", "HEAD"})
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_OK_MIN, _OK_END = 200, 300


class Calls:
    """Asks a cluster, through a transport.

    Args:
        transport: Carries the requests.
        timeout_s: How long a call may take in all, in seconds.
        retries: How often a call is tried again that may be.
        patience_s: How long a branch may ask to wait before that, in seconds; where it asks for
            more the call ends with what it says.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        timeout_s: float,
        retries: int,
        patience_s: float = math.inf,
    ) -> None:
        self.transport = transport
        self.timeout_s = timeout_s
        self._retries = retries
        self._patience_s = patience_s

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        members: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        is_idempotent: bool | None = None,
    ) -> Reply:
        """Ask, and return the answer if it is one of success.

        Args:
            method: The verb.
            path: The path, percent-encoded.
            query: Parameters for the query; None is left out.
            members: Parameters for a JSON body.
            body: A body as it is, in place of ``members``.
            headers: Further header fields.
            timeout_s: How long it may take in all, in seconds; the client's usual time if None.
            is_idempotent: Whether it may be tried again; by the verb if None. A conditional write
                may not: its second attempt would be told that the condition does not hold.

        Raises:
            ClientError: It was refused, or there is no answer.
        """
        fields = dict(headers or {})
        if members is not None:
            body = json.dumps(plain(members)).encode()
            fields["Content-Type"] = "application/json"
        if is_idempotent is None:
            is_idempotent = method in _IDEMPOTENT and not _is_conditional(fields)
        # Who waits longer than usual expects the answer to come late.
        is_quick = method in _READS and timeout_s is None
        request = Request(
            method, path, query_of(query or {}), fields, body, is_idempotent, is_quick
        )
        return self._until_answered(request, Deadline(timeout_s or self.timeout_s))

    def value(self, method: str, path: str, **options: Any) -> Any:
        """Ask as ``ask`` does, and return what the JSON of the answer says."""
        return value_of(self.ask(method, path, **options))

    def open(
        self,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Opened:
        """GET what is read as it comes.

        Raises:
            ClientError: It was refused, or there is no answer.
        """
        request = Request(
            "GET", path, query_of(query or {}), headers or {}, is_idempotent=True, is_quick=True
        )
        deadline = Deadline(timeout_s or self.timeout_s)
        opened = self.transport.open(request, deadline)
        if _OK_MIN <= opened.status < _OK_END:
            return opened
        try:
            body = _rest_of(opened, deadline)
        finally:
            opened.close()
        raise error_of(opened.status, opened.headers, body, request=str(request), url=opened.url)

    def _until_answered(self, request: Request, deadline: Deadline) -> Reply:
        pause_s = PAUSE_S_FIRST
        was_sent = False
        for attempt in range(self._retries + 1):
            try:
                return self._once(request, deadline)
            except ConnectionFailed as exc:
                may_repeat = request.is_idempotent or not exc.was_sent
                if not may_repeat or not self._has_time(attempt, pause_s, deadline):
                    raise
                was_sent = was_sent or exc.was_sent
                wait_s = pause_s
            except Unavailable as exc:
                wait_s = exc.retry_after_s or 0.0
                is_asked_to = (
                    exc.retry_after_s is not None
                    and wait_s <= self._patience_s
                    and request.is_idempotent
                )
                if not is_asked_to or not self._has_time(attempt, wait_s, deadline):
                    raise
            except NotFound:
                if request.method == "DELETE" and was_sent:
                    # An earlier attempt deleted it; only its answer was lost.
                    return Reply(200, {}, b'{"ok": "ok"}', self.transport.url)
                raise
            logger.info("%s: is tried again in %.1f s", request, wait_s)
            time.sleep(wait_s)
            pause_s = min(pause_s * 2, PAUSE_S_MAX)
        raise AssertionError("the last attempt returns or raises")

    def _has_time(self, attempt: int, wait_s: float, deadline: Deadline) -> bool:
        left_s = deadline.left_s()
        return attempt < self._retries and (left_s is None or wait_s < left_s)

    def _once(self, request: Request, deadline: Deadline) -> Reply:
        begun = time.monotonic()
        try:
            reply = self.transport.send(request, deadline)
        except ClientError as exc:
            logger.info("%s: %s", request, exc.detail)
            raise
        took_s = time.monotonic() - begun
        logger.debug("%s: %d from %s after %.3f s", request, reply.status, reply.url, took_s)
        if _OK_MIN <= reply.status < _OK_END:
            return reply
        raise error_of(reply.status, reply.headers, reply.body, request=str(request), url=reply.url)


def value_of(reply: Reply) -> Any:
    """Return what the JSON of an answer says.

    Raises:
        BadReply: It is no JSON.
    """
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError) as exc:
        raise BadReply(
            f"{reply.url} answered with something that is no JSON. Is it the URL of a branch?",
            status=reply.status,
            url=reply.url,
        ) from exc


def _is_conditional(headers: Mapping[str, str]) -> bool:
    return any(name.lower() in {"if-match", "if-none-match"} for name in headers)


def _rest_of(opened: Opened, deadline: Deadline) -> bytes:
    """Return the body of a refusal, or what comes of it."""
    parts = []
    try:
        while part := opened.read(deadline.at_most_s(deadline.timeout_s or 0.0)):
            parts.append(part)
    except ClientError:
        pass
    return b"".join(parts)
