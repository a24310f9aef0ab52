"""Routes for whoever watches over the branch; they need no token and tell nothing secret."""

from __future__ import annotations

import falcon
import msgspec

from cyme.api.operations import Request, operation
from cyme.api.replies import answer
from cyme.api.representations.deeds import Ok
from cyme.runtime.service import Service

#: These paths ask for no token.
PUBLIC_PATHS = frozenset({"/ping", "/healthz", "/readyz"})

_RETRY_AFTER_S = "5"


class Readiness(msgspec.Struct, frozen=True):
    """Whether the branch can do its work, and what keeps it from it.

    A fenced branch answers for the cluster like any other; only its workers are left as they are
    until it knows which of them are its own.
    """

    ready: bool
    reasons: list[str]
    fenced: bool


class Health:
    """Whether the branch lives, and whether it can do its work.

    Parameters are not looked at: who needs no token shall not make the branch read a body.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    @operation("Answer a ping", role=None, takes=None, gives=Ok)
    def on_get_ping(self, req: Request, resp: falcon.Response) -> None:
        """Answer a ping."""
        answer(resp, Ok("pong"))

    @operation("Tell whether the branch lives", role=None, takes=None, gives=Ok)
    def on_get_alive(self, req: Request, resp: falcon.Response) -> None:
        """Answer, which is all that a living process can prove."""
        answer(resp, Ok("alive"))

    @operation("Tell whether the branch can do its work", role=None, takes=None, gives=Readiness)
    def on_get_ready(self, req: Request, resp: falcon.Response) -> None:
        """Tell whether the branch can do its work."""
        reasons = list(self._service.ready())
        if reasons:
            resp.set_header("Retry-After", _RETRY_AFTER_S)
        answer(
            resp,
            Readiness(not reasons, reasons, self._service.is_fenced()),
            status=503 if reasons else 200,
        )

    on_head_ping = on_get_ping
    on_put_ping = on_get_ping
    on_post_ping = on_get_ping
    on_head_alive = on_get_alive
    on_head_ready = on_get_ready
