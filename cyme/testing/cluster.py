"""A supervisor and other branches that say what a test says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from cyme.core.branches import BranchInfo, ClusterView
from cyme.core.model import BranchId, Broker, Instance
from cyme.core.status import UNSEEN, InstanceState, InstanceStatus
from cyme.core.vitals import InstanceVitals, QueueVitals
from cyme.errors import Conflict, CymeError
from cyme.testing.clock import WALL_S


class FakeSupervisor:
    """What use cases ask of the supervisor, answered by a test.

    Attributes:
        statuses: The state of each instance; what is not here was not seen yet.
        restarted: Instances whose restart was asked for, in order.
        waited: Instances that were waited for, in order.
        gone: Instances that were waited for until they were gone, in order.
        told: How the workers do of the instances that this branch owns.
    """

    def __init__(self) -> None:
        self.statuses: dict[str, InstanceStatus] = {}
        self.restarted: list[str] = []
        self.waited: list[str] = []
        self.gone: list[str] = []
        self.told: list[InstanceVitals] = []

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

    def wait_gone(
        self,
        instance: str,
        timeout_s: float,  # noqa: ARG002 - the supervisor's signature
    ) -> bool:
        """Tell at once that it is."""
        self.gone.append(instance)
        return True

    def restart(self, instance: str) -> None:
        """Remember that a restart was asked for."""
        self.restarted.append(instance)

    def vitals(self) -> list[InstanceVitals]:
        """Return what the test said."""
        return self.told


class FakeWatching:
    """What use cases ask of whoever watches the queues: queues on no broker at all.

    Attributes:
        depths: How many messages wait in each queue.
        told: The rows of the queues that are watched.
        asked: How often they were asked for.
        failure: Raised instead of an answer, unless it is None.
    """

    def __init__(self) -> None:
        self.depths: dict[str, int] = {}
        self.told: tuple[QueueVitals, ...] = ()
        self.asked = 0
        self.failure: CymeError | None = None

    def rows(self) -> tuple[QueueVitals, ...]:
        """Return what the test said."""
        self.asked += 1
        return self.told

    def known(self) -> tuple[QueueVitals, ...]:
        """Return the same."""
        return self.told

    def ask(
        self,
        broker: Broker,
        app: str,
        queue: str,
        *,
        timeout_s: float,  # noqa: ARG002 - the watch's signature
    ) -> QueueVitals:
        """Return the depth that the test said."""
        if self.failure is not None:
            raise self.failure
        depth = self.depths.get(queue, 0)
        return QueueVitals(app=app, name=queue, broker=broker.masked_url, depth=depth)

    def purge(
        self,
        broker: Broker,  # noqa: ARG002 - the watch's signature
        queue: str,
        *,
        count_max: int,
        timeout_s: float,  # noqa: ARG002 - the watch's signature
    ) -> int:
        """Empty the queue, unless there is too much in it."""
        if self.failure is not None:
            raise self.failure
        if self.depths.get(queue, 0) > count_max:
            raise Conflict("There are more.")
        return self.depths.pop(queue, 0)


class FakeMembers:
    """The ``Members`` port: branches that a test names, and calls to them that it keeps.

    Args:
        *infos: The branches; the first is this one.

    Attributes:
        forwarded: Every call: the branch, the call's name, its arguments.
        answer: What performs a forwarded call; takes the branch, the name and the arguments.
        statuses: How instances of others are, and how old that is; unknown what is not here.
        fenced: Whether this branch does not know yet what it owns.
        taken: The names of the instances that were taken over, in order.
        failure: Raised when an instance is to be taken over, unless it is None.
        before_take: Called before an instance is taken over; may wait.
        keep: Called with the record of an instance that was taken over.
        drained_at_start: Whether this branch would take no instances if it was started again.
    """

    def __init__(self, *infos: BranchInfo) -> None:
        self._infos = {info.id: info for info in infos}
        self._here = infos[0].id
        self.forwarded: list[tuple[str, str, Mapping[str, object]]] = []
        self.answer: Callable[[str, str, Mapping[str, object]], object] = lambda *_: None
        self.statuses: dict[str, tuple[InstanceStatus, float]] = {}
        self.fenced = False
        self.taken: list[str] = []
        self.failure: CymeError | None = None
        self.before_take: Callable[[], object] = lambda: None
        self.keep: Callable[[Instance], object] = lambda _record: None
        self.drained_at_start = False

    def ids(self) -> Sequence[BranchId]:
        """Return the ids of all branches, sorted."""
        return sorted(self._infos)

    def info(self, branch: str) -> BranchInfo | None:
        """Return what is known of a branch."""
        return self._infos.get(BranchId(branch))

    def view(self) -> ClusterView:
        """Return the cluster as the test made it."""
        return ClusterView(
            name="test",
            branch=self._here,
            digest="0123456789abcdef",
            fenced=self.fenced,
            branches=tuple(self._infos[branch] for branch in self.ids()),
            epochs=dict.fromkeys(self.ids(), 0),
        )

    def status(self, instance: Instance) -> tuple[InstanceStatus, float]:
        """Return what the test said of an instance."""
        unknown = InstanceStatus(state=InstanceState.UNKNOWN, reason="nobody has told of it")
        return self.statuses.get(instance.name, (unknown, 0.0))

    def may_act(self) -> bool:
        """Tell what the test said."""
        return not self.fenced

    def change(self, branch: str, **changes: object) -> None:
        """Change what is known of a branch, or make one known."""
        id_ = BranchId(branch)
        known = self._infos.get(id_, BranchInfo(id=id_))
        self._infos[id_] = replace(known, **changes)  # type: ignore[arg-type]  # a test's word

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
        return self.answer(branch, call, arguments)

    def take(
        self,
        instance: Instance,
        *,
        timeout_s: float,  # noqa: ARG002 - the port's signature
    ) -> Instance:
        """Return the instance as it is when this branch has become its home and owner."""
        self.before_take()
        if self.failure is not None:
            raise self.failure
        self.taken.append(instance.name)
        here = self._here
        record = replace(instance, home=here, owner=here, epoch=instance.epoch + 1)
        self.keep(record)
        return record

    def drain(self, drained: bool, *, remembered: bool = True) -> None:
        """Take note whether this branch takes instances."""
        if remembered:
            self.drained_at_start = drained
        self.change(self._here, drained=drained)
