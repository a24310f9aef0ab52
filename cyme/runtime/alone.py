"""A branch that serves no cluster: the members port with one member."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cyme.core.branches import BranchInfo, ClusterView
from cyme.core.model import BranchId, Instance
from cyme.core.status import InstanceState, InstanceStatus
from cyme.errors import NotSupported, OwnerUnreachable
from cyme.runtime.replica import Replica

#: Nobody compares what a single branch knows.
NO_DIGEST = "0" * 16


class Alone:
    """The members of a cluster of one.

    Args:
        info: What there is to know of this branch.
        replica: Its records.
    """

    def __init__(self, info: BranchInfo, replica: Replica) -> None:
        self._info = info
        self._replica = replica

    def ids(self) -> Sequence[BranchId]:
        """Return the one id."""
        return (self._info.id,)

    def info(self, branch: str) -> BranchInfo | None:
        """Return what is known of a branch: nothing, unless it is this one."""
        return self._info if branch == self._info.id else None

    def view(self) -> ClusterView:
        """Return the cluster, which is this branch."""
        return ClusterView(
            name="",
            branch=self._info.id,
            digest=NO_DIGEST,
            fenced=False,
            branches=(self._info,),
            epochs={self._info.id: sum(each.epoch for each in self._replica.instances_owned())},
        )

    def status(self, instance: Instance) -> tuple[InstanceStatus, float]:
        """Return that nothing is known of an instance of another branch."""
        reason = f"it belongs to branch {instance.owner!r}, which cannot be asked from here"
        return InstanceStatus(state=InstanceState.UNKNOWN, reason=reason), 0.0

    def may_act(self) -> bool:
        """Tell that this branch may act: nobody else could have."""
        return True

    def forward(
        self,
        branch: BranchId,
        call: str,  # noqa: ARG002 - the port's signature
        arguments: Mapping[str, object],  # noqa: ARG002 - the port's signature
        *,
        timeout_s: float,  # noqa: ARG002 - the port's signature
    ) -> object:
        """Refuse: there is nobody to ask.

        Raises:
            OwnerUnreachable: Always.
        """
        raise OwnerUnreachable(
            f"Branch {branch!r} cannot be asked: this branch, {self._info.id!r}, knows no other. "
            f"Ask {branch!r} itself."
        )

    def take(
        self,
        instance: Instance,
        *,
        timeout_s: float,  # noqa: ARG002 - the port's signature
    ) -> Instance:
        """Refuse: there is nobody to take it from.

        Raises:
            NotSupported: Always.
        """
        raise NotSupported(
            f"Branch {self._info.id!r} serves no cluster and cannot take {instance.name!r} over."
        )

    def drain(self, drained: bool) -> None:
        """Refuse to be drained: there is nobody to take what this branch runs.

        Raises:
            NotSupported: It is to be drained.
        """
        if drained:
            raise NotSupported(
                f"Branch {self._info.id!r} serves no cluster: no other could take its instances. "
                "Disable or delete them instead."
            )
