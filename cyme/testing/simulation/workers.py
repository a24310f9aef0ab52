"""Worker processes and the broker that they answer on, as far as a cluster sees them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """How far a worker is."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


@dataclass(slots=True, eq=False)
class Worker:
    """A worker process.

    Attributes:
        instance: What it is a worker of.
        branch: The id of the branch that started it: it answers as ``instance@branch``.
        machine: Where it runs.
        phase: How far it is.
        alive: Whether its process is there.
    """

    instance: str
    branch: str
    machine: str
    phase: Phase = Phase.STARTING
    alive: bool = True

    @property
    def works(self) -> bool:
        """Whether it takes tasks, be it for the last time."""
        return self.alive and self.phase is not Phase.STARTING


class Broker:
    """The one broker of all workers.

    Attributes:
        up: Whether it answers.
        cut_off: Machines that do not reach it.
        frozen: Machines whose workers do not answer at the moment.
    """

    def __init__(self) -> None:
        self.up = True
        self.cut_off: set[str] = set()
        self.frozen: set[str] = set()
        self._workers: dict[str, list[Worker]] = {}

    def start(self, instance: str, branch: str, machine: str) -> Worker:
        """Return a new worker."""
        worker = Worker(instance, branch, machine)
        self._workers.setdefault(instance, []).append(worker)
        return worker

    def end(self, worker: Worker) -> None:
        """Take note that a worker's process is gone."""
        if worker.alive:
            worker.alive = False
            self._workers[worker.instance].remove(worker)

    def workers(self, instance: str | None = None) -> list[Worker]:
        """Return the worker processes of an instance, or all (None)."""
        if instance is not None:
            return list(self._workers.get(instance, ()))
        return [worker for workers in self._workers.values() for worker in workers]

    def on(self, machine: str) -> list[Worker]:
        """Return the worker processes on a machine."""
        return [worker for worker in self.workers() if worker.machine == machine]

    def reached_from(self, machine: str) -> bool:
        """Tell whether a machine reaches the broker."""
        return self.up and machine not in self.cut_off

    def answers(self, instance: str, branch: str) -> bool:
        """Tell whether a worker of that node name answers a ping."""
        return any(
            worker.branch == branch
            and worker.works
            and worker.machine not in self.cut_off
            and worker.machine not in self.frozen
            for worker in self._workers.get(instance, ())
        )
