"""Use cases that tell how everything does at this moment: branches, workers, queues."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from cyme.core.access import Caller, Role, require
from cyme.core.alerts import Alert
from cyme.core.branches import BranchState
from cyme.core.collectors import broker_key, brokers_in_use, collector_of
from cyme.core.model import BranchId, Broker
from cyme.core.names import node_name
from cyme.core.status import InstanceState
from cyme.core.task_series import merged_totals
from cyme.core.vitals import (
    BranchFigures,
    BranchShare,
    ClusterVitals,
    InstanceVitals,
    QueueVitals,
)
from cyme.errors import CymeError
from cyme.runtime.at_once import for_all
from cyme.runtime.service.cluster import Cluster
from cyme.runtime.service.queues import Queues
from cyme.runtime.service.remote import remote

#: All branches together are given so long to tell, in seconds.
GATHER_S = 1.0

#: What was gathered is told to whoever asks within so many seconds.
KEPT_S = 2.0

#: So many branches are asked at a time.
ASKED_AT_A_TIME = 64

#: A queue that holds more than so many times what was expected, and so many more, has grown
#: meanwhile, and is not purged unseen.
PURGED_FACTOR = 2
PURGED_MORE = 100

#: Branches in these states are asked.
_ASKED = frozenset({BranchState.ALIVE, BranchState.SUSPECT, BranchState.LEAVING})


class Vitals(Queues, Cluster):
    """How everything does."""

    def cluster_vitals(self) -> ClusterVitals:
        """Return how everything does, as all branches that answer within a second tell.

        It is gathered once for all who ask at about the same time.
        """
        with self._gathering:
            known = self._gathered
            now = self._clock.monotonic()
            if known is None or now - known[0] >= KEPT_S:
                known = self._gathered = (now, self._gather())
            return known[1]

    def queue_vitals(self, app: str, queue: str, *, timeout_s: float) -> QueueVitals:
        """Return how a queue does at this moment, on the broker of its app.

        Raises:
            NotFound: There is no such app, or the app has no such queue.
            BrokerUnavailable: The broker cannot be reached, or hangs.
            OwnerUnreachable: The branch that watches the broker cannot be asked.
        """
        broker = self._broker_of_queue(app, queue)
        return self._at(
            self._collector(broker),
            self.queue_vitals_here,
            broker=broker,
            app=app,
            queue=queue,
            timeout_s=timeout_s,
        )

    @remote(writes=False)
    def queue_vitals_here(
        self, broker: Broker, app: str, queue: str, *, timeout_s: float
    ) -> QueueVitals:
        """Return how a queue does on a broker that this branch watches for all."""
        return self._watching.ask(broker, app, queue, timeout_s=timeout_s)

    def purge_queue(
        self, app: str, queue: str, *, expect: int, caller: Caller, timeout_s: float
    ) -> int:
        """Remove what waits in a queue, on the broker of its app.

        Args:
            app: The app.
            queue: A queue of it.
            expect: How many messages the caller thinks that there are; of many more none is
                removed.
            caller: Who asks.
            timeout_s: How long it may take, in seconds.

        Returns:
            How many messages were removed.

        Raises:
            NotFound: There is no such app, or the app has no such queue.
            Forbidden: The caller may not do this.
            Conflict: There are many more messages than the caller thinks.
            BrokerUnavailable: The broker cannot be reached, or hangs.
            OwnerUnreachable: The branch that watches the broker cannot be asked.
        """
        require(caller, Role.OPERATOR, "purge queues")
        broker = self._broker_of_queue(app, queue)
        return self._at(
            self._collector(broker),
            self.purge_queue_here,
            broker=broker,
            app=app,
            queue=queue,
            count_max=PURGED_FACTOR * expect + PURGED_MORE,
            caller=caller,
            timeout_s=timeout_s,
        )

    @remote(writes=True)
    def purge_queue_here(
        self,
        broker: Broker,
        app: str,
        queue: str,
        count_max: int,
        *,
        caller: Caller,
        timeout_s: float,
    ) -> int:
        """Remove what waits in a queue on a broker that this branch watches for all."""
        require(caller, Role.OPERATOR, "purge queues")
        count = self._watching.purge(broker, queue, count_max=count_max, timeout_s=timeout_s)
        deed = f"{count} messages of queue {queue!r} removed"
        self._tell("queue.purged", caller, deed, app=app, queue=queue, count=count)
        return count

    def _broker_of_queue(self, app: str, queue: str) -> Broker:
        """Return the broker of a queue that an app declares, or of the direct queue of an instance.

        Raises:
            NotFound: There is no such app, or no such queue or instance.
        """
        _, instance = self._direct_or_declared(app, queue)
        own = instance.spec.broker if instance is not None else None
        return own or self.app(app).spec.broker or self._default_broker

    def _collector(self, broker: Broker) -> BranchId:
        """Return the branch that watches a broker; this one where none is known to."""
        _, owners = brokers_in_use(
            self._replica.apps(), self._replica.instances(), self._default_broker
        )
        key = broker_key(broker)
        branches = self._members.view().branches
        return collector_of(key, branches, owners.get(key, frozenset())) or self.branch_id

    def _gather(self) -> ClusterVitals:
        view = self._members.view()
        asked = [each.id for each in view.branches if each.state in _ASKED]
        shares: dict[BranchId, BranchShare] = {}

        def ask(branch: BranchId) -> None:
            try:
                shares[branch] = self._at(branch, self.vitals_share_here, timeout_s=GATHER_S)
            except CymeError:
                return  # it is named among those that are missing

        for_all(asked, ask, at_once_max=ASKED_AT_A_TIME, timeout_s=GATHER_S)
        told = [shares[branch] for branch in asked if branch in shares]
        busy = {node: count for share in told for node, count in share.busy.items()}
        queues = {(row.app, row.name, row.broker): row for share in told for row in share.queues}
        return ClusterVitals(
            as_of=self._clock.wall(),
            branches={branch: share.branch for branch, share in shares.items()},
            instances={
                each.name: replace(each, busy=busy.get(node_name(each.name, branch)))
                for branch, share in shares.items()
                for each in share.instances
            },
            queues=tuple(queues[key] for key in sorted(queues)),
            tasks=merged_totals(share.tasks for share in told),
            alerts=_each_once(alert for share in told for alert in share.alerts),
            missing=tuple(branch for branch in asked if branch not in shares),
        )

    @remote(writes=False)
    def vitals_share_here(
        self,
        *,
        timeout_s: float,
    ) -> BranchShare:
        """Return how this branch does, the workers that it owns and the queues that it watches."""
        now = self._clock.wall()
        ledgers, listening = self.telemetry.ledgers(), self.telemetry.listening()
        return BranchShare(
            branch=self.vitals_here(timeout_s=timeout_s),
            instances=tuple(map(self._with_slots, self._supervisor.vitals())),
            queues=self._watching.rows(),
            tasks=merged_totals(each.totals(now) for each in ledgers.values()),
            busy={
                worker.node: worker.active
                for key, ledger in ledgers.items()
                if key in listening  # where another branch listens now, that one knows better
                for worker in ledger.workers(now)
                if worker.is_up
            },
            alerts=self._alerts(),
        )

    def figures(self) -> BranchFigures:
        """Return what this branch knows by itself; nobody is asked."""
        owned = {str(each.name): each for each in self._replica.instances_owned()}
        states = Counter(str(self._supervisor.status(name).state) for name in owned)
        infos = (self._members.info(branch) for branch in self._members.ids())
        return BranchFigures(
            branch=self.vitals_here(timeout_s=0.0),
            states=states,
            workers=tuple(
                (owned[each.name].app, each)
                for each in self._supervisor.vitals()
                if each.name in owned
            ),
            queues=self._watching.known(),
            members=Counter(str(info.state) for info in infos if info is not None),
            fenced=self.is_fenced(),
            alerts=Counter(str(alert.kind) for alert in self._alerts()),
        )

    def nodes_running(self, brokers: Collection[str]) -> Iterator[str]:
        """Yield the node names of the workers that answer their branches; nobody is asked.

        Args:
            brokers: Only those on these brokers, by their keys.
        """
        keys: dict[Broker, str] = {}
        for instance in self._replica.instances() if brokers else ():
            broker = self.effective(instance).broker or self._default_broker
            key = keys.get(broker) or keys.setdefault(broker, broker_key(broker))
            is_running = self.standing(instance).status.state is InstanceState.RUNNING
            if key in brokers and is_running:
                yield node_name(instance.name, instance.owner)

    def is_to_run(self, node: str) -> bool:
        """Tell whether a worker is to run; whose branch is none of the cluster always is.

        Args:
            node: Its node name.
        """
        name, _, branch = node.rpartition("@")
        if self._members.info(branch) is None:
            return True
        instance = self._replica.instance(name)
        return (
            instance is not None
            and instance.owner == branch
            and self.effective(instance).is_enabled is not False
        )

    def _with_slots(self, vitals: InstanceVitals) -> InstanceVitals:
        """Return vitals with the slots that a worker was started with, if it told of none."""
        instance = self._replica.instance(vitals.name)
        if vitals.slots is not None or vitals.processes == 0 or instance is None:
            return vitals
        return replace(vitals, slots=self.effective(instance).max_concurrency)


def _each_once(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    """Return alerts, the oldest first; of what two branches tell for a moment the older one."""
    oldest_first = sorted(alerts, key=lambda alert: (alert.since, alert.id))
    found: dict[tuple[str, str, str | None], Alert] = {}
    for alert in oldest_first:
        found.setdefault((alert.kind, alert.subject, alert.app), alert)
    return tuple(found.values())
