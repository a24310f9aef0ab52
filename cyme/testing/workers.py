"""Worker processes that exist in a test only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cyme.core.workers import Launch, Look, Process, ProcessState
from cyme.errors import WorkerStartFailed
from cyme.testing.clock import FakeClock

BOOT_ID = "fake-boot"

#: What each process of a worker takes.
MEMORY_BYTES = 50_000_000


@dataclass(slots=True, kw_only=True)
class FakeWorker:
    """A worker process that exists in a test only.

    Attributes:
        launch: What it was started with.
        process: Its identity.
        queues: What it consumes from.
        limits: Its (minimum, maximum) concurrency, None if its pool cannot tell.
        answers_at: It answers from this moment on (monotonic seconds).
        answers: Whether it answers at all.
        state: What the kernel says of it.
        exit_status: How it ended.
        cpu_s: Processor seconds used; a test moves it to show that it is busy.
        children: Pids of its descendants.
        ignores: Signals that it ignores.
        signals: Those it was sent, in order.
    """

    launch: Launch
    process: Process
    queues: set[str]
    limits: tuple[int, int] | None
    answers_at: float
    answers: bool = True
    state: ProcessState = ProcessState.ALIVE
    exit_status: int | None = None
    cpu_s: float = 0.0
    children: tuple[int, ...] = ()
    ignores: set[str] = field(default_factory=set)
    signals: list[str] = field(default_factory=list)


class FakeWorkers:
    """The ``Workers`` port over processes that exist in a test only.

    Args:
        clock: Time.

    Attributes:
        boot_s: Seconds from a worker's start to its first answer.
        refuses: Instances whose start fails, and with which message.
        launches: Every start that was tried, in order.
        signalled: Every signal that reached a process: the instance and the signal, in order.
        swept: Instances that were swept, in order.
        discarded: Instances whose files were removed, in order.
        logs: What is in an instance's log.
        on_start: Called with each worker that was started; may change it.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._workers: dict[str, FakeWorker] = {}
        self._pids = iter(range(10_001, 1_000_000, 10))
        self.boot_s = 1.0
        self.refuses: dict[str, str] = {}
        self.launches: list[Launch] = []
        self.signalled: list[tuple[str, str]] = []
        self.swept: list[str] = []
        self.discarded: list[str] = []
        self.logs: dict[str, list[str]] = {}
        self.on_start: Callable[[FakeWorker], None] | None = None

    # --- the port -------------------------------------------------------------------------------

    def start(self, launch: Launch) -> Process:
        """Start a worker, unless the test refuses it."""
        self.launches.append(launch)
        if launch.instance in self.refuses:
            raise WorkerStartFailed(self.refuses[launch.instance])
        now = self._clock.monotonic()
        worker = FakeWorker(
            launch=launch,
            process=Process(next(self._pids), now, BOOT_ID, launch.digest),
            queues=_queues_at_start(launch),
            limits=_limits_at_start(launch),
            answers_at=now + self.boot_s,
        )
        self._workers[launch.instance] = worker
        if self.on_start is not None:
            self.on_start(worker)
        return worker.process

    def find(self, instances: Iterable[str]) -> Mapping[str, Process]:
        """Return the living workers of the instances."""
        wanted = set(instances)
        return {
            name: worker.process
            for name, worker in self._workers.items()
            if name in wanted and worker.state is not ProcessState.GONE
        }

    def strays(self, instances: Iterable[str]) -> Sequence[str]:
        """Return names of instances with living workers that are not listed."""
        listed = set(instances)
        return [
            name
            for name, worker in self._workers.items()
            if name not in listed and worker.state is not ProcessState.GONE
        ]

    def look(self, process: Process) -> Look:
        """Look at one worker process."""
        worker = self._of(process)
        if worker is None or worker.state is ProcessState.GONE:
            status = worker.exit_status if worker is not None else None
            return Look(state=ProcessState.GONE, exit_status=status)
        pids = (process.pid, *worker.children)
        return Look(
            state=worker.state,
            cpu_s=worker.cpu_s,
            pids=pids,
            memory_bytes=MEMORY_BYTES * len(pids),
            age_s=self._clock.monotonic() - process.started,
        )

    def signal(self, instance: str, process: Process, signal: str) -> None:
        """Send a signal to the process of that identity, if it is there."""
        worker = self._workers.get(instance)
        if worker is None or worker.process != process or worker.state is ProcessState.GONE:
            return
        worker.signals.append(signal)
        self.signalled.append((instance, signal))
        if signal == "CONT":
            worker.state = ProcessState.ALIVE
        elif signal == "KILL":
            self._end(worker, -9)
        elif signal not in worker.ignores and worker.state is ProcessState.ALIVE:
            self._end(worker, 0)

    def sweep(self, instance: str) -> int:
        """Count what a dead worker left behind, and remove it."""
        self.swept.append(instance)
        worker = self._workers.get(instance)
        if worker is None or worker.state is not ProcessState.GONE:
            return 0
        left, worker.children = worker.children, ()
        return len(left)

    def log_tail(self, instance: str, lines_max: int) -> Sequence[str]:
        """Return the last lines of the worker's log."""
        return self.logs.get(instance, [])[-lines_max:]

    def discard(self, instance: str) -> None:
        """Forget all of an instance."""
        self.discarded.append(instance)
        self._workers.pop(instance, None)
        self.logs.pop(instance, None)

    # --- what a test does to them ---------------------------------------------------------------

    def of(self, instance: str) -> FakeWorker:
        """Return the latest worker of an instance; KeyError if it never had one."""
        return self._workers[instance]

    def alive(self) -> list[str]:
        """Return the instances that have a living worker, sorted."""
        return sorted(
            name for name, worker in self._workers.items() if worker.state is not ProcessState.GONE
        )

    def kill(self, instance: str, exit_status: int = -9) -> None:
        """End a worker as if it crashed; its children stay."""
        worker = self._workers[instance]
        worker.state, worker.exit_status = ProcessState.GONE, exit_status

    def pause(self, instance: str) -> None:
        """Pause a worker as SIGSTOP does."""
        self._workers[instance].state = ProcessState.PAUSED

    def node(self, node: str) -> FakeWorker | None:
        """Return the worker of a node name if it can answer now."""
        for worker in self._workers.values():
            if worker.launch.node == node and self._answers(worker):
                return worker
        return None

    def _answers(self, worker: FakeWorker) -> bool:
        return (
            worker.state is ProcessState.ALIVE
            and worker.answers
            and self._clock.monotonic() >= worker.answers_at
        )

    def _end(self, worker: FakeWorker, exit_status: int) -> None:
        worker.state, worker.exit_status, worker.children = ProcessState.GONE, exit_status, ()

    def _of(self, process: Process) -> FakeWorker | None:
        return next((w for w in self._workers.values() if w.process == process), None)


class FakeMachine:
    """The ``Machine`` port: a machine that has everything but what a test takes away.

    Attributes:
        missing: Interpreters and directories that it lacks.
    """

    def __init__(self) -> None:
        self.missing: set[str] = set()

    def lacks(self, python: str, workdir: str | None) -> str:
        """Return what a worker would lack, the interpreter first; empty if it lacks nothing."""
        lacking = next((each for each in (python, workdir) if each in self.missing), None)
        return f"it has no {lacking}" if lacking is not None else ""


def _queues_at_start(launch: Launch) -> set[str]:
    named = dict(launch.options).get("-Q") or ""
    declared = json.loads(launch.env.get("CYME_QUEUES", "[]"))
    return {name for name in named.split(",") if name} | {each["name"] for each in declared}


def _limits_at_start(launch: Launch) -> tuple[int, int] | None:
    autoscale = dict(launch.options).get("--autoscale")
    if autoscale is None:
        return None
    maximum, minimum = autoscale.split(",")
    return int(minimum), int(maximum)
