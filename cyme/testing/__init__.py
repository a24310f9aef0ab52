"""Fakes of everything outside: a clock, a store, workers, their brokers, tasks, a supervisor.

They fulfil the ports of ``cyme.core.ports`` and behave as the real things do where it matters:
a fake worker consumes from the queues on its command line, answers while it lives and its broker
is up, and can be killed, paused, slowed down or refused. Nothing here sleeps or waits for real
time; a test moves the clock.

A supervisor's test, in short::

    clock = FakeClock()
    workers = FakeWorkers(clock)
    controls = FakeControls(workers)
    process = workers.start(launch)
    workers.kill("w1")                # as if by SIGKILL
    controls.down.add(broker.url)     # as if its broker were away

``cyme.testing.simulation`` runs whole clusters in virtual time, and ``python -m cyme.testing``
replays what a seed does to one.
"""

from cyme.testing.brokers import FakeControl, FakeControls
from cyme.testing.clock import WALL_S, FakeClock
from cyme.testing.cluster import FakeMembers, FakeSupervisor, FakeWatching
from cyme.testing.events import FakeEventListener, FakeEventListeners
from cyme.testing.store import MemoryStore
from cyme.testing.tasks import FakeTaskGateway, Sent
from cyme.testing.tokens import FakeTokenKeeping
from cyme.testing.worker_logs import FakeWorkerLogs
from cyme.testing.workers import FakeMachine, FakeWorker, FakeWorkers

__all__ = [
    "WALL_S",
    "FakeClock",
    "FakeControl",
    "FakeControls",
    "FakeEventListener",
    "FakeEventListeners",
    "FakeMachine",
    "FakeMembers",
    "FakeSupervisor",
    "FakeTaskGateway",
    "FakeTokenKeeping",
    "FakeWatching",
    "FakeWorker",
    "FakeWorkerLogs",
    "FakeWorkers",
    "MemoryStore",
    "Sent",
]
