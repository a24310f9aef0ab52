"""Routes of the cluster as a whole."""

from __future__ import annotations

import falcon

from cyme.api.inputs import RebalanceParameters
from cyme.api.operations import Request, operation
from cyme.api.replies import answer
from cyme.api.representations.branches import ClusterReply, MoveReply, cluster_reply, move_reply
from cyme.core.access import Role
from cyme.runtime.service import Service


class Cluster:
    """The cluster, as this branch sees it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @operation("Show the cluster", gives=ClusterReply)
    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """Show the cluster as this branch sees it."""
        view = self._service.cluster()
        instances = {str(each.id): self._service.count_owned(each.id) for each in view.branches}
        answer(resp, cluster_reply(view, instances))

    @operation(
        "Move instances so that all branches are about equally full",
        role=Role.OPERATOR,
        takes=RebalanceParameters,
        gives=list[MoveReply],
        statuses=(200, 202),
    )
    def on_put_rebalance(self, req: Request, resp: falcon.Response) -> None:
        """Begin to move instances, or with ``dry_run`` only tell which would move."""
        dry_run = req.given.get("dry_run", False)
        moves = self._service.rebalance(dry_run=dry_run, caller=req.caller)
        answer(resp, [move_reply(move) for move in moves], status=200 if dry_run else 202)

    on_head = on_get
    on_post_rebalance = on_put_rebalance
