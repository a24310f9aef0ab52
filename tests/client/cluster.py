"""A cluster of one branch for clients: the real API over fakes of everything outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cyme.client import Reply, Request
from cyme.client.messages import Deadline
from cyme.programs.offline.transport import InProcess
from tests.api.branch import FakeBranch

ADMIN_TOKEN = "cyme_a_admin"
VIEWER_TOKEN = "cyme_v_viewer"

#: Answers a request in the place of the branch, or lets it through with None.
Meddle = Callable[[Request], Reply | None]


class Meddling(InProcess):
    """The way to the branch, with somebody on it.

    Attributes:
        meddle: Asked about every request first.
        asked: The requests, as ``GET /foo/``.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.meddle: Meddle = lambda _request: None
        self.asked: list[str] = []

    def send(self, request: Request, deadline: Deadline) -> Reply:
        self.asked.append(str(request))
        return self.meddle(request) or super().send(request, deadline)


def transport(branch: FakeBranch, token: str = ADMIN_TOKEN) -> Meddling:
    return Meddling(
        branch.closed_app, token=token, name="the branch", may_write=True, on_close=lambda: None
    )
