"""What is known of tasks: the ledgers of this branch, and what goes to and from the others."""

from __future__ import annotations

from collections.abc import Mapping

from cyme.core.collectors import broker_key
from cyme.core.model import BranchId, Broker
from cyme.core.ports import Clock, EventListener, EventListeners, EventSink, Members
from cyme.core.task_events import SentTask
from cyme.core.task_filter import NOWHERE, Place
from cyme.core.task_ledger import TaskLedger
from cyme.runtime.feed import Feed
from cyme.runtime.replica import Replica
from cyme.runtime.telemetry.collecting import Collecting
from cyme.runtime.telemetry.sent_tasks import SentTasks
from cyme.runtime.telemetry.task_feed import TaskFeed, TaskPage
from cyme.runtime.telemetry.task_pulling import TaskPulling


class _Silence:
    """Listeners that hear nothing."""

    def listener(self, broker: Broker, sink: EventSink) -> EventListener:  # noqa: ARG002 - as is
        """Return one that does nothing."""
        return self

    def start(self) -> None:
        """Hear nothing."""

    def stop(self, timeout_s: float) -> None:
        """Go on so."""


SILENCE = _Silence()


class Telemetry:
    """What is known of tasks, and how it comes here.

    ``ledgers()`` is what this branch collected, for its own ``/metrics``; what the whole cluster
    knows is asked for by ``service.task_overview()``, ``recent_tasks()`` and ``task_sighting()``.

    Args:
        listeners: Makes the listeners to the events of workers.
        replica: The records.
        members: The branches.
        clock: Time.
        default_broker: The broker of apps that name none.
        feed: Where events of tasks go that somebody watches at this branch.
    """

    def __init__(
        self,
        *,
        listeners: EventListeners,
        replica: Replica,
        members: Members,
        clock: Clock,
        default_broker: Broker,
        feed: Feed,
    ) -> None:
        self._replica = replica
        self._clock = clock
        branch_id = replica.branch_id
        self._task_feed = TaskFeed(clock, self.place_of, branch_id)
        self.collecting = Collecting(
            listeners=listeners,
            replica=replica,
            members=members,
            clock=clock,
            default_broker=default_broker,
            feed=self._task_feed,
        )
        self._sent = SentTasks(self.collecting, members, branch_id)
        self._pulling = TaskPulling(
            collecting=self.collecting,
            here=self._task_feed,
            members=members,
            branch_id=branch_id,
            feed=feed,
        )

    def start(self) -> None:
        """Begin to collect."""
        self.collecting.start()
        self._sent.start()
        self._pulling.start()

    def stop(self, timeout_s: float) -> None:
        """Collect no more."""
        self._pulling.stop(timeout_s)
        self._sent.stop(timeout_s)
        self.collecting.stop(timeout_s)

    def ledgers(self) -> Mapping[str, TaskLedger]:
        """Return the ledgers of this branch, by the keys of their brokers (no secret in them).

        A ledger has ``totals(now)``, ``counts()`` (by name, worker, queue, deed and exception),
        ``runtimes()`` (a histogram by name and queue) and ``workers(now)``.
        """
        return self.collecting.ledgers()

    def listening(self) -> frozenset[str]:
        """Return the keys of the brokers whose workers this branch listens to now."""
        return self.collecting.listening()

    def sources(self) -> set[BranchId]:
        """Return the branches that may know of tasks."""
        return self.collecting.sources()

    def page(self, after: tuple[int, int] | None, *, wait_s: float) -> TaskPage:
        """Return the events of tasks that came after a place; see ``TaskFeed.page``."""
        return self._task_feed.page(after, wait_s=wait_s)

    def note_sent(
        self, broker: Broker, *, uuid: str, name: str, app: str, queue: str, url: str
    ) -> None:
        """Tell whoever collects that this branch has sent a task; never waits."""
        sent = SentTask(
            broker=broker_key(broker),
            uuid=uuid,
            name=name,
            app=app,
            queue=queue,
            url=url,
            at=self._clock.wall(),
        )
        self._sent.note(sent, self.collecting.collector(broker))

    def enter_sent(self, sent: SentTask, by: str) -> None:
        """Enter a task that another branch has sent."""
        self.collecting.enter(sent.broker, sent.as_event(f"cyme@{by}"))

    def place_of(self, node: str) -> Place:
        """Return whose a worker is, by its node name."""
        name, _, branch = node.partition("@")
        if name == "cyme":  # a branch that sends
            return Place(branch=branch)
        instance = self._replica.instance_or_tombstone(name)
        if instance is None:
            return NOWHERE
        return Place(instance=instance.name, app=instance.app, branch=branch)
