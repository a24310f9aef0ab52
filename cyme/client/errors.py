"""What can go wrong between a program and a branch: one tree, one class a cause.

Each class is also the built-in error that a program would expect: a ``NotFound`` is a
``KeyError``, a ``Timeout`` a ``TimeoutError``, a ``ConnectionFailed`` a ``ConnectionError``. The
fields are those of the problem document (RFC 9457) that the branch answered with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from cyme.errors import CymeError, Fault

__all__ = [
    "ClientError", "InvalidRequest", "NotAuthenticated", "Forbidden", "NotFound", "Conflict",
    "PreconditionFailed", "TooLarge", "Misdirected", "NotSupported", "ServerFailed",
    "BrokerRefused", "Unavailable", "Timeout", "TaskPending", "ConnectionFailed", "BadReply",
    "Fault", "error_of",
]  # fmt: skip

_DETAIL_CHARS_MAX = 2000


class ClientError(CymeError):
    """Something went wrong between this program and a branch.

    Attributes:
        detail: What happened, and what to do about it.
        status: The HTTP status of the answer; None where there was none.
        type: The URN that names the kind of error, empty where the branch named none.
        title: The same in words.
        request: What was asked, as ``GET /foo/``; empty where nothing was.
        url: The branch that was asked, without secrets.
        problem: All members of the problem document.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        problem: Mapping[str, Any] | None = None,
        request: str = "",
        url: str = "",
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.problem: Mapping[str, Any] = MappingProxyType(dict(problem or {}))
        self.type = str(self.problem.get("type", ""))
        self.title = str(self.problem.get("title", ""))
        self.request = request
        self.url = url

    def __str__(self) -> str:
        return self.detail


class InvalidRequest(ClientError, ValueError):
    """The branch did not accept a parameter; nothing was changed.

    Attributes:
        faults: Each parameter that was not accepted, and why.
    """

    def __init__(self, detail: str, faults: Sequence[Fault] = (), **fields: Any) -> None:
        super().__init__(detail, **fields)
        self.faults = tuple(faults)


class NotAuthenticated(ClientError):
    """The branch asks for a token, or does not know the one that was shown."""


class Forbidden(ClientError):
    """The token's role is too low for this."""


class NotFound(ClientError, KeyError):
    """The named thing does not exist."""


class Conflict(ClientError):
    """The request contradicts what exists."""


class PreconditionFailed(ClientError):
    """The record has changed since it was read, or exists where it must not."""


class TooLarge(ClientError):
    """A limit is exceeded."""


class Misdirected(ClientError):
    """The branch does not go by the name in the URL."""


class NotSupported(ClientError):
    """The branch cannot do this; it may be of an older version than the client."""


class ServerFailed(ClientError):
    """The branch met an error of its own; its log tells more."""


class BrokerRefused(ClientError):
    """A message broker, or another branch, refused."""


class Unavailable(ClientError):
    """Something that the request needs is away for the moment.

    Attributes:
        retry_after_s: When to try again, in seconds; None where the branch did not say.
    """

    def __init__(self, detail: str, *, retry_after_s: float | None = None, **fields: Any) -> None:
        super().__init__(detail, **fields)
        self.retry_after_s = retry_after_s


class Timeout(ClientError, TimeoutError):
    """The answer did not come in time; what was asked for may still happen."""


class TaskPending(Timeout):
    """The task was not done in time.

    Attributes:
        uuid: The task.
        state: Its state at the deadline.
    """

    def __init__(self, detail: str, *, uuid: str, state: str, **fields: Any) -> None:
        super().__init__(detail, **fields)
        self.uuid = uuid
        self.state = state


class ConnectionFailed(ClientError, ConnectionError):
    """No branch could be reached, or the connection broke before the answer had come.

    Attributes:
        was_sent: Whether the branch may have received the request.
    """

    def __init__(self, detail: str, *, was_sent: bool = False, **fields: Any) -> None:
        super().__init__(detail, **fields)
        self.was_sent = was_sent


class BadReply(ClientError):
    """What answered does not speak as a branch does."""


_BY_STATUS: Mapping[int, type[ClientError]] = {
    400: InvalidRequest,
    401: NotAuthenticated,
    403: Forbidden,
    404: NotFound,
    405: NotSupported,
    409: Conflict,
    412: PreconditionFailed,
    413: TooLarge,
    414: TooLarge,
    415: InvalidRequest,
    421: Misdirected,
    431: TooLarge,
    500: ServerFailed,
    501: NotSupported,
    502: BrokerRefused,
    503: Unavailable,
    504: Timeout,
    507: Unavailable,
}


def error_of(
    status: int, headers: Mapping[str, str], body: bytes, *, request: str = "", url: str = ""
) -> ClientError:
    """Return the error that an answer tells of.

    Args:
        status: The HTTP status, which is none of success.
        headers: The header fields, their names in lower case.
        body: A problem document, or whatever a proxy in between answered.
        request: What was asked.
        url: The branch that was asked.
    """
    problem = _problem_in(headers, body)
    detail = str(problem.get("detail") or problem.get("title") or "")[:_DETAIL_CHARS_MAX]
    if not detail:
        detail = f"{url or 'The server'} answered {request or 'the request'} with {status}."
    fields: dict[str, Any] = {
        "status": status,
        "problem": problem,
        "request": request,
        "url": url,
    }
    kind = _BY_STATUS.get(status)
    if kind is None:
        kind = ServerFailed if status >= 500 else ClientError  # noqa: PLR2004 - RFC 9110, 15.6
    if kind is InvalidRequest:
        return InvalidRequest(detail, _faults_in(problem), **fields)
    if kind is Unavailable:
        return Unavailable(detail, retry_after_s=_retry_after_s(headers), **fields)
    if kind is Timeout and "uuid" in problem:
        return TaskPending(
            detail, uuid=str(problem["uuid"]), state=str(problem.get("state", "")), **fields
        )
    return kind(detail, **fields)


def _problem_in(headers: Mapping[str, str], body: bytes) -> Mapping[str, Any]:
    if "json" not in headers.get("content-type", ""):
        return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _faults_in(problem: Mapping[str, Any]) -> list[Fault]:
    errors = problem.get("errors")
    if not isinstance(errors, list):
        return []
    return [
        Fault(str(each.get("parameter", "")), str(each.get("detail", "")))
        for each in errors
        if isinstance(each, dict)
    ]


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    value = headers.get("retry-after", "").strip()
    return float(value) if value.isascii() and value.isdigit() and len(value) <= 6 else None  # noqa: PLR2004
