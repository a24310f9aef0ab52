"""A supervisor and other branches that say what a test says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from cyme.core.branches import BranchInfo
from cyme.core.model import BranchId
from cyme.core.status import UNSEEN, InstanceState, InstanceStatus
from cyme.testing.clock import WALL_S


class FakeSupervisor:
    """What use cases ask of the supervisor, answered by a test.

    Attributes:
        statuses: The state of each instance; what is not here was not seen yet.
        restarted: Instances whose restart was asked for, in order.
        waited: Instances that were waited for, in order.
    """

    def __init__(self) -> None:
        self.statuses: dict[str, InstanceStatus] = {}
        self.restarted: list[str] = []
        self.waited: list[str] = []

    def runs(self, instance: str, *pids: int) -> None:
        """Say that an instance runs."""
        self.statuses[instance] = InstanceStatus(
            state=InstanceState.RUNNING, reason="it answers", pids=pids or (4711,), since=WALL_S
        )

    def status(self, instance: str) -> InstanceStatus:
        """Return what the test said."""
        return self.statuses.get(instance, UNSEEN)

    def wait_for(
        self,
        instance: str,
        states: Collection[InstanceState],  # noqa: ARG002 - the supervisor's signature
        timeout_s: float,  # noqa: ARG002 - the supervisor's signature
    ) -> InstanceStatus:
        """Return what the test said, at once."""
        self.waited.append(instance)
        return self.status(instance)

    def restart(self, instance: str) -> None:
        """Remember that a restart was asked for."""
        self.restarted.append(instance)


class FakeMembers:
    """The ``Members`` port: branches that a test names, and calls to them that it keeps.

    Args:
        *infos: The branches, this one among them.

    Attributes:
        forwarded: Every call: the branch, the call's name, its arguments.
        answer: What performs a forwarded call.
    """

    def __init__(self, *infos: BranchInfo) -> None:
        self._infos = {info.id: info for info in infos}
        self.forwarded: list[tuple[str, str, Mapping[str, object]]] = []
        self.answer: Callable[[str, Mapping[str, object]], object] = lambda _call, _arguments: None

    def ids(self) -> Sequence[BranchId]:
        """Return the ids of all branches, sorted."""
        return sorted(self._infos)

    def info(self, branch: str) -> BranchInfo | None:
        """Return what is known of a branch."""
        return self._infos.get(BranchId(branch))

    def change(self, branch: str, **changes: object) -> None:
        """Change what is known of a branch."""
        info = self._infos[BranchId(branch)]
        self._infos[info.id] = replace(info, **changes)  # type: ignore[arg-type]  # a test's word

    def forward(
        self,
        branch: BranchId,
        call: str,
        arguments: Mapping[str, object],
        *,
        timeout_s: float,  # noqa: ARG002 - the port's signature
    ) -> object:
        """Keep the call and answer as the test said."""
        self.forwarded.append((branch, call, arguments))
        return self.answer(call, arguments)
