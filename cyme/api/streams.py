"""Answers that go on and on: when they have to end."""

from __future__ import annotations

from collections.abc import Callable

from cyme.api.operations import Request
from cyme.errors import Forbidden, NotAuthenticated

#: Where the server puts what tells whether the client is gone or the branch stops.
MUST_END = "cyme.must_end"


def end_of(req: Request) -> Callable[[], bool]:
    """Return what tells whether an answer that goes on and on has to end.

    It has to when the client is gone, when the branch stops, and when the caller's token was
    revoked or may do less than it could. Asking costs a few microseconds.

    Args:
        req: The request that is answered.
    """
    must_end: Callable[[], bool] = req.env.get(MUST_END, _never)

    def is_over() -> bool:
        return must_end() or not _is_welcome(req)

    return is_over


def _is_welcome(req: Request) -> bool:
    try:
        return req.authenticate().role >= req.caller.role
    except (NotAuthenticated, Forbidden):
        return False


def _never() -> bool:
    return False
