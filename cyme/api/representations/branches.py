"""Replies about branches, the cluster that they are, and what moves between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from cyme.api.figures import moment, rounded
from cyme.core.branches import BranchInfo, BranchState, BranchVitals, ClusterView
from cyme.core.placement import Move


class BranchReply(msgspec.Struct, frozen=True, kw_only=True):
    """A branch, as this one knows it; how it does is null where it cannot be asked."""

    id: str
    state: BranchState
    url: str | None
    address: str | None
    port: int | None
    loglevel: str
    logfile: str | None
    numc: int
    sup_interval: float
    version: str
    labels: Mapping[str, str]
    drained: bool
    capacity: int
    instances: int
    load: float | None
    hub_lag_s: float | None
    boot: int
    incarnation: int
    since: datetime
    heard_s: float
    accused_by: str | None


class MemberReply(msgspec.Struct, frozen=True, kw_only=True):
    """A branch as a member of the cluster; ``epochs`` is the sum of those of its instances."""

    id: str
    state: BranchState
    incarnation: int
    boot: int
    since: datetime
    heard_s: float
    accused_by: str | None
    instances: int
    epochs: int
    url: str | None


class ClusterReply(msgspec.Struct, frozen=True, kw_only=True):
    """The cluster as this branch sees it; whoever has the same digest knows the same."""

    name: str
    branch: str
    digest: str
    fenced: bool
    branches: Sequence[MemberReply]


class MoveReply(msgspec.Struct, frozen=True, kw_only=True):
    """An instance that is to move; without a target it stays, for the reason that is given."""

    instance: str
    source: str
    target: str | None
    reason: str


def branch_reply(branch: BranchInfo, instances: int, vitals: BranchVitals | None) -> BranchReply:
    """Return a branch.

    Args:
        branch: What is known of it.
        instances: How many instances it owns.
        vitals: How it does, None if it cannot be asked.
    """
    return BranchReply(
        id=branch.id,
        state=branch.state,
        url=branch.url,
        address=branch.address,
        port=branch.port,
        loglevel=branch.loglevel,
        logfile=branch.logfile,
        numc=branch.numc,
        sup_interval=branch.sup_interval_s,
        version=branch.version,
        labels=dict(branch.labels),
        drained=branch.drained,
        capacity=branch.instances_max,
        instances=instances,
        load=rounded(vitals.load) if vitals is not None else None,
        hub_lag_s=rounded(vitals.hub_lag_s) if vitals is not None else None,
        boot=branch.boot,
        incarnation=branch.incarnation,
        since=moment(branch.since),
        heard_s=rounded(branch.heard_s),
        accused_by=branch.accused_by,
    )


def cluster_reply(view: ClusterView, instances: Mapping[str, int]) -> ClusterReply:
    """Return the cluster.

    Args:
        view: The cluster as this branch sees it.
        instances: How many instances each branch owns.
    """
    return ClusterReply(
        name=view.name,
        branch=view.branch,
        digest=view.digest,
        fenced=view.fenced,
        branches=[
            MemberReply(
                id=each.id,
                state=each.state,
                incarnation=each.incarnation,
                boot=each.boot,
                since=moment(each.since),
                heard_s=rounded(each.heard_s),
                accused_by=each.accused_by,
                instances=instances.get(each.id, 0),
                epochs=view.epochs.get(each.id, 0),
                url=each.url,
            )
            for each in view.branches
        ],
    )


def move_reply(move: Move) -> MoveReply:
    """Return a move."""
    return MoveReply(
        instance=move.instance, source=move.source, target=move.target, reason=move.reason
    )
