"""Errors as HTTP answers: one table from the classes of ``cyme.errors`` to RFC 9457 problems.

A problem's ``type`` is a URN that stays; its ``title`` names the kind of trouble, its ``detail``
this one and what to do about it. Nothing of a traceback reaches a client: an error that nobody
foresaw is logged under an id, and the client is told the id.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import msgspec

from cyme import errors

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:cyme:problem:"

#: What a client without a token, or with an unknown one, is asked for.
CHALLENGE = 'Bearer realm="cyme", Basic realm="cyme"'

#: What a browser is asked for: Basic would have it open a prompt of its own over the page.
CHALLENGE_OF_BROWSERS = 'Bearer realm="cyme"'


class Refusal(errors.CymeError):
    """The HTTP request itself cannot be served, whatever it is about.

    Attributes:
        status: The HTTP status that says so, 400 or more.
        headers: Headers that belong to the answer.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})


class StillWaiting(errors.DeadlineExceeded):
    """The task is not done yet.

    Attributes:
        task_id: The task that was waited for.
        state: Its state at the deadline.
    """

    def __init__(self, task_id: str, state: str, waited_s: float) -> None:
        super().__init__(
            f"The task is {state} after {waited_s:g} s. Wait again, with ?timeout= for longer."
        )
        self.task_id = task_id
        self.state = state


class ParameterProblem(msgspec.Struct, frozen=True):
    """One parameter that was not accepted."""

    parameter: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error, as RFC 9457 writes it.

    Attributes:
        type: A URN that names the kind of error for programs.
        title: The same in words.
        status: The HTTP status.
        detail: What happened, and what to do about it.
        errors: Each parameter that was not accepted.
        id: What the branch's log calls this error, where the fault is the branch's own.
        uuid: The task that was waited for.
        state: The state of that task.
    """

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[ParameterProblem, ...] = ()
    id: str | None = None
    uuid: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class _Kind:
    status: int
    slug: str
    title: str


_KINDS: Mapping[type[errors.CymeError], _Kind] = {
    errors.InvalidRequest: _Kind(400, "invalid-request", "Parameters are not acceptable"),
    errors.NotAuthenticated: _Kind(401, "not-authenticated", "A token is needed"),
    errors.Forbidden: _Kind(403, "forbidden", "The caller may not do this"),
    errors.NotFound: _Kind(404, "not-found", "It does not exist"),
    errors.Conflict: _Kind(409, "conflict", "It contradicts what exists"),
    errors.PreconditionFailed: _Kind(412, "precondition-failed", "It has changed meanwhile"),
    errors.TooLarge: _Kind(413, "too-large", "A limit is exceeded"),
    errors.Misdirected: _Kind(421, "misdirected", "This host is not served here"),
    errors.CymeError: _Kind(500, "internal-error", "The branch met an error"),
    errors.NotSupported: _Kind(501, "not-supported", "It cannot be done here"),
    errors.BrokerRefused: _Kind(502, "broker-refused", "The broker refused"),
    errors.ProtocolError: _Kind(502, "protocol-error", "Another branch answered nonsense"),
    errors.Unavailable: _Kind(503, "unavailable", "It is away for the moment"),
    errors.OwnerUnreachable: _Kind(503, "owner-unreachable", "The owner cannot be asked"),
    errors.NotOwner: _Kind(503, "owner-changing", "It is changing hands"),
    errors.BrokerUnavailable: _Kind(503, "broker-unavailable", "The broker does not answer"),
    errors.StorageUnavailable: _Kind(503, "storage-unavailable", "The database does not write"),
    errors.Overloaded: _Kind(503, "overloaded", "There is too much to do"),
    errors.WorkerStartFailed: _Kind(503, "worker-start-failed", "The worker did not start"),
    errors.DeadlineExceeded: _Kind(504, "deadline-exceeded", "It took too long"),
    errors.StorageFull: _Kind(507, "storage-full", "There is no room left"),
}

_RETRY_AFTER_S_DEFAULT = 1.0
_RETRYABLE = frozenset({502, 503, 504, 507})


def problem_of(error: errors.CymeError) -> tuple[Problem, dict[str, str]]:
    """Return the problem that answers an error, and the headers that go with it."""
    if isinstance(error, Refusal):
        phrase = HTTPStatus(error.status).phrase
        slug = phrase.lower().replace(" ", "-").replace("'", "")
        problem = Problem(
            type=TYPE_PREFIX + slug, title=phrase, status=error.status, detail=error.detail
        )
        return problem, error.headers
    kind = next(_KINDS[cls] for cls in type(error).__mro__ if cls in _KINDS)
    faults: tuple[ParameterProblem, ...] = ()
    if isinstance(error, errors.InvalidRequest):
        faults = tuple(ParameterProblem(fault.parameter, fault.detail) for fault in error.faults)
    waiting = error if isinstance(error, StillWaiting) else None
    problem = Problem(
        type=TYPE_PREFIX + kind.slug,
        title=kind.title,
        status=kind.status,
        detail=error.detail,
        errors=faults,
        uuid=waiting.task_id if waiting else None,
        state=waiting.state if waiting else None,
    )
    return problem, _headers_of(error, kind.status)


def internal_problem(incident: str) -> Problem:
    """Return the problem that answers an error nobody foresaw.

    Args:
        incident: The id under which the branch's log has the traceback.
    """
    kind = _KINDS[errors.CymeError]
    return Problem(
        type=TYPE_PREFIX + kind.slug,
        title=kind.title,
        status=kind.status,
        detail=f"The fault is the branch's own; its log tells more under the id {incident}.",
        id=incident,
    )


def _headers_of(error: errors.CymeError, status: int) -> dict[str, str]:
    if isinstance(error, errors.NotAuthenticated):
        return {"WWW-Authenticate": CHALLENGE}
    if status not in _RETRYABLE or isinstance(error, errors.BrokerRefused):
        return {}
    retry_after_s = getattr(error, "retry_after_s", _RETRY_AFTER_S_DEFAULT)
    return {"Retry-After": str(max(1, math.ceil(retry_after_s)))}
