"""Routes of branches."""

from __future__ import annotations

import falcon

from cyme.api.operations import Request, operation
from cyme.api.replies import answer
from cyme.api.representations import BranchReply, branch_reply
from cyme.runtime.service import Service


class Branches:
    """The branches of the cluster, as this one knows them."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @operation("List the branches", gives=list[str])
    def on_get_collection(self, req: Request, resp: falcon.Response) -> None:
        """List the ids of all branches."""
        answer(resp, self._service.branch_ids())

    @operation("Show a branch", gives=BranchReply)
    def on_get(self, req: Request, resp: falcon.Response, branch: str) -> None:
        """Show a branch."""
        answer(resp, branch_reply(self._service.branch(branch)))

    on_head_collection = on_get_collection
    on_head = on_get
