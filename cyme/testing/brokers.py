"""Brokers that reach fake workers, until a test takes them away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cyme.core.model import Broker, Queue
from cyme.core.workers import ProcessState, Report
from cyme.errors import BrokerRefused, BrokerUnavailable, DeadlineExceeded
from cyme.testing.workers import FakeWorker, FakeWorkers


class FakeControls:
    """The ``Controls`` port over fake workers.

    Args:
        workers: Who answers.
        *others: Who answers as well: the workers of other branches on the same brokers.

    Attributes:
        down: URLs of brokers that are away.
        refused: Names of queues whose declaration brokers and workers refuse, and why.
        deadly: Names of queues that kill the worker that is told of them.
        calls: Every call that reached a broker: its name and what it was about.
        on_call: Called with every call before it is answered; may switch greenlets, or raise.
    """

    def __init__(self, workers: FakeWorkers, *others: FakeWorkers) -> None:
        self.workers = (workers, *others)
        self.down: set[str] = set()
        self.refused: dict[str, str] = {}
        self.deadly: set[str] = set()
        self.calls: list[tuple[str, ...]] = []
        self.on_call: Callable[[tuple[str, ...]], None] | None = None

    def control(self, broker: Broker) -> FakeControl:
        """Return a control of the broker."""
        return FakeControl(self, broker)

    def calls_of(self, name: str) -> list[tuple[str, ...]]:
        """Return the calls of one name, in order."""
        return [call for call in self.calls if call[0] == name]


class FakeControl:
    """The ``Control`` port over fake workers; made by ``FakeControls``."""

    def __init__(self, controls: FakeControls, broker: Broker) -> None:
        self._controls = controls
        self._broker = broker
        self.closed = False

    def survey(
        self,
        nodes: Sequence[str],
        *,
        with_limits: bool,
        timeout_s: float,  # noqa: ARG002 - the port's signature
    ) -> Mapping[str, Report]:
        """Ask all the nodes; those that are on this broker and can, answer."""
        self._reach("survey", *nodes)
        found = {node: worker for node in nodes if (worker := self._worker(node)) is not None}
        return {
            node: Report(
                queues=frozenset(worker.queues), limits=worker.limits if with_limits else None
            )
            for node, worker in found.items()
        }

    def add_consumer(self, node: str, queue: Queue, *, timeout_s: float) -> None:
        """Tell a worker to consume from a queue; a deadly one ends it."""
        self._reach("add_consumer", node, queue.name)
        if queue.name in self._controls.refused:
            raise BrokerRefused(self._controls.refused[queue.name])
        worker = self._answering(node, timeout_s)
        if queue.name in self._controls.deadly:
            worker.state, worker.exit_status = ProcessState.GONE, 1
            return
        worker.queues.add(queue.name)

    def cancel_consumer(self, node: str, queue: str, *, timeout_s: float) -> None:
        """Tell a worker to stop consuming from a queue."""
        self._reach("cancel_consumer", node, queue)
        self._answering(node, timeout_s).queues.discard(queue)

    def autoscale(self, node: str, minimum: int, maximum: int, *, timeout_s: float) -> None:
        """Set a worker's limits; refused where its pool cannot change."""
        self._reach("autoscale", node, str(minimum), str(maximum))
        worker = self._answering(node, timeout_s)
        if worker.limits is None:
            raise BrokerRefused("Autoscale not enabled")
        worker.limits = (minimum, maximum)

    def stats(self, node: str, *, timeout_s: float) -> Mapping[str, object]:
        """Return a few of the statistics that a real worker has."""
        self._reach("stats", node)
        worker = self._answering(node, timeout_s)
        minimum, maximum = worker.limits or (1, 1)
        return {
            "pid": worker.process.pid,
            "total": {},
            "pool": {"max-concurrency": maximum, "processes": [worker.process.pid + 1]},
            "autoscaler": {"min": minimum, "max": maximum, "current": minimum, "qty": 0},
        }

    def check_queue(
        self,
        queue: Queue,
        *,
        timeout_s: float,  # noqa: ARG002 - the port's signature
    ) -> None:
        """Declare the queue on the broker, unless the test refuses it."""
        self._reach("check_queue", queue.name)
        if queue.name in self._controls.refused:
            raise BrokerRefused(self._controls.refused[queue.name])

    def close(self) -> None:
        """Close the connection."""
        self.closed = True

    def _reach(self, *call: str) -> None:
        self._controls.calls.append(call)
        if self._controls.on_call is not None:
            self._controls.on_call(call)
        if self._broker.url in self._controls.down:
            raise BrokerUnavailable(f"The broker {self._broker.masked_url} does not answer.")

    def _worker(self, node: str) -> FakeWorker | None:
        for workers in self._controls.workers:
            worker = workers.node(node)
            if worker is not None and self._serves(worker):
                return worker
        return None

    def _serves(self, worker: FakeWorker) -> bool:
        return worker.launch.env.get("CELERY_BROKER_URL") == self._broker.url

    def _answering(self, node: str, timeout_s: float) -> FakeWorker:
        worker = self._worker(node)
        if worker is None:
            raise DeadlineExceeded(f"The worker {node} did not answer within {timeout_s:g} s.")
        return worker
