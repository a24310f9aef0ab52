"""What a client says and hears, before and after it is HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from cyme.client.errors import Timeout

_SEGMENTS_BEFORE_URL = 4


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a branch.

    Attributes:
        method: The verb.
        path: The path, percent-encoded, without the query.
        query: The query, percent-encoded, without the question mark.
        headers: Header fields beside those that the connection itself needs.
        body: What is sent; None is nothing.
        is_idempotent: Whether twice has the effect of once, so that it may be tried again.
        is_quick: Whether it is a read that a branch answers soon, so that another one is asked
            where nothing comes.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    is_idempotent: bool = False
    is_quick: bool = False

    @property
    def target(self) -> str:
        """The path with the query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def __str__(self) -> str:
        """Return what may be told in an error: no query and no queued URL, which hold secrets."""
        return f"{self.method} {_without_url(self.path)}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a branch answered.

    Attributes:
        status: The HTTP status.
        headers: The header fields, their names in lower case.
        body: All of it.
        url: The branch that answered.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str = ""


class Deadline:
    """A moment after which nobody waits any more.

    Args:
        timeout_s: Seconds until then, from now; None is never.
    """

    def __init__(self, timeout_s: float | None) -> None:
        self.timeout_s = timeout_s
        self._at = None if timeout_s is None else time.monotonic() + timeout_s

    def left_s(self) -> float | None:
        """Return the seconds that are left, at least 0; None if there is no end."""
        return None if self._at is None else max(0.0, self._at - time.monotonic())

    def at_most_s(self, seconds: float) -> float:
        """Return ``seconds``, or what is left if that is less."""
        left_s = self.left_s()
        return seconds if left_s is None else min(seconds, left_s)

    def check(self, request: object, url: str = "") -> None:
        """Go on only if there is time left.

        Raises:
            Timeout: There is none.
        """
        if self.left_s() == 0:
            raise Timeout(
                f"{url or 'The branch'} did not answer {request} within {self.timeout_s:g} s.",
                request=str(request),
                url=url,
            )


class Opened(Protocol):
    """An answer that is still coming.

    Attributes:
        status: The HTTP status.
        headers: The header fields, their names in lower case.
        url: The branch that answers.
    """

    status: int
    headers: Mapping[str, str]
    url: str

    def read(self, timeout_s: float) -> bytes:
        """Return what has come, nothing at the end.

        Args:
            timeout_s: How long to wait for the first byte, in seconds.

        Raises:
            Timeout: Nothing came.
            ConnectionFailed: The connection broke.
        """

    def close(self) -> None:
        """Give the answer up, from any thread; whoever waits for it stops waiting."""


class Transport(Protocol):
    """Carries requests to a branch and answers back."""

    @property
    def url(self) -> str:
        """The branch that the next request goes to."""

    def send(self, request: Request, deadline: Deadline) -> Reply:
        """Return the answer, of whatever status.

        Raises:
            ConnectionFailed: There is no answer.
            Timeout: There is none yet.
            BadReply: It is no HTTP.
        """

    def open(self, request: Request, deadline: Deadline) -> Opened:
        """Return the answer once its head is there; raises as ``send`` does."""

    def close(self) -> None:
        """Close the connections that are kept."""


def _without_url(path: str) -> str:
    """Return a path, cut where the URL begins that it queues (``/<app>/queue/<queue>/<url>``)."""
    segments = path.split("/", _SEGMENTS_BEFORE_URL)
    queues_url = len(segments) > _SEGMENTS_BEFORE_URL and segments[2] == "queue"
    return "/".join([*segments[:_SEGMENTS_BEFORE_URL], "..."]) if queues_url else path


def path_of(*segments: str) -> str:
    """Return the path of a resource, from its segments as they are."""
    return "/" + "".join(f"{quote(segment, safe='!')}/" for segment in segments)


def query_of(parameters: Mapping[str, Any]) -> str:
    """Return a query of the parameters that are not None.

    True and False become words, lists are joined by commas, moments written in ISO 8601.
    """
    given = {name: as_text(value) for name, value in parameters.items() if value is not None}
    return urlencode(given, quote_via=quote)


def as_text(value: Any) -> str:
    """Return a parameter as a query or a header holds it."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | float():
            return f"{value:.12g}" if isinstance(value, float) else str(value)
        case _ if hasattr(value, "isoformat"):
            return str(value.isoformat())
        case Iterable():
            return ",".join(as_text(each) for each in value)
        case _:
            return str(value)
