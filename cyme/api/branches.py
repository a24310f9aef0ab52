"""Routes of branches."""

from __future__ import annotations

import falcon

from cyme.api.inputs import ListParameters
from cyme.api.operations import CALL_TIMEOUT_S, Request, operation
from cyme.api.replies import answer, answer_list
from cyme.api.representations.branches import BranchReply, MoveReply, branch_reply, move_reply
from cyme.api.representations.deeds import Ok
from cyme.core.access import Role
from cyme.runtime.service import Service


class Branches:
    """The branches of the cluster, as this one knows them."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @operation("List the branches", takes=ListParameters, gives=list[str | BranchReply])
    def on_get_collection(self, req: Request, resp: falcon.Response) -> None:
        """List the branches: their ids, or what is known of them without asking them."""
        service = self._service
        answer_list(
            req,
            resp,
            names=service.branch_ids,
            records=lambda: [service.branch(each) for each in service.branch_ids()],
            show=lambda branch: branch_reply(branch, service.count_owned(branch.id), None),
        )

    @operation("Show a branch", gives=BranchReply)
    def on_get(self, req: Request, resp: falcon.Response, branch: str) -> None:
        """Show a branch, and how it does if it answers within a second."""
        service = self._service
        vitals = service.vitals(branch)
        info = service.branch(branch)
        instances = service.count_owned(branch) if vitals is None else vitals.instances
        answer(
            resp,
            branch_reply(info, instances, vitals),
            age_s=None if branch == service.branch_id else info.heard_s,
        )

    @operation(
        "Have a branch take no instances, and move those that it has",
        role=Role.OPERATOR,
        gives=list[MoveReply],
        statuses=(202,),
    )
    def on_put_drain(self, req: Request, resp: falcon.Response, branch: str) -> None:
        """Drain a branch; tell where each of its instances moves, or why it cannot."""
        moves = self._service.drain_branch(branch, caller=req.caller, timeout_s=CALL_TIMEOUT_S)
        answer(resp, [move_reply(move) for move in moves], status=202)

    @operation("Have a drained branch take instances again", role=Role.OPERATOR, gives=Ok)
    def on_put_undrain(self, req: Request, resp: falcon.Response, branch: str) -> None:
        """Undrain a branch; what moved away stays where it is."""
        self._service.undrain_branch(branch, caller=req.caller, timeout_s=CALL_TIMEOUT_S)
        answer(resp, Ok())

    on_head_collection = on_get_collection
    on_head = on_get
    on_post_drain = on_put_drain
    on_post_undrain = on_put_undrain
