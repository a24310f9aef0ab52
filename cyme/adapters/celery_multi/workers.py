"""Worker processes of this machine: ``cyme.core.ports.Workers`` on celery multi.

Every instance has a directory of its own with ``worker.pid``, ``worker.log``, ``worker.state``
(all three Celery's), ``worker.json`` (who the worker is) and ``worker.out`` (what it printed).
Every worker carries the path of that directory in the variable ``CYME_WORKER``, which all its
descendants inherit: by it a worker is found again, and what it left behind is found at all.

Laws:

* a process is signalled only if it is the one that is meant, by pid, start time and boot;
* two workers of one instance never run from one directory;
* what takes long (a look at all processes) is done beside the hub.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from gevent.lock import BoundedSemaphore

from cyme.adapters.celery_multi.child import Child
from cyme.adapters.celery_multi.interpreters import Interpreters
from cyme.adapters.celery_multi.log_rotation import LogLimits, tend
from cyme.adapters.celery_multi.node import WorkerNode
from cyme.adapters.celery_multi.preparation import MARK, prepare
from cyme.adapters.celery_multi.processes import Processes, aside
from cyme.adapters.celery_multi.raw_output import open_output
from cyme.adapters.celery_multi.record import forget, recorded, remember
from cyme.adapters.celery_multi.worker_logs import tail
from cyme.core.names import check_name
from cyme.core.workers import Launch, Look, Process, ProcessState
from cyme.errors import InvalidRequest, WorkerStartFailed

logger = logging.getLogger(__name__)

_SIGNALS = {
    "TERM": signal.SIGTERM,
    "QUIT": signal.SIGQUIT,
    "CONT": signal.SIGCONT,
    "KILL": signal.SIGKILL,
}

EXIT_STATUS_WAIT_S = 1.0
#: So many processes that left a worker's tree are remembered.
ESCAPED_MAX = 1_000


@dataclass(slots=True)
class _Worker:
    """A worker that was started or found.

    Attributes:
        instance: The instance's name.
        process: The identity of its main process.
        child: The child that was started; None for a worker that was found.
        family: Its descendants as last seen, and those that left its tree but live.
    """

    instance: str
    process: Process
    child: Child | None = None
    family: dict[int, Process] = field(default_factory=dict)


class CeleryMulti:
    """Starts, finds, looks at and signals the workers of one branch.

    Args:
        directory: Holds one directory for each instance.
        environment: What workers inherit, beside what their launch adds; without what is meant
            for the branch alone, which is taken out here.
        log_limits: How large the logs of workers grow.
        on_exit: Called in the hub, with the instance's name, as soon as a worker that was started
            here ends; it must not block.
    """

    def __init__(
        self,
        directory: Path,
        *,
        environment: Mapping[str, str],
        log_limits: LogLimits | None = None,
        on_exit: Callable[[str], None] | None = None,
    ) -> None:
        self._directory = directory
        self._environment = environment
        self._log_limits = log_limits or LogLimits()
        self._tending = BoundedSemaphore()
        self._on_exit = on_exit
        self._processes = Processes()
        self._interpreters = Interpreters()
        self._workers: dict[int, _Worker] = {}
        self._starting: set[str] = set()

    # --- start ----------------------------------------------------------------------------------

    def start(self, launch: Launch) -> Process:
        """Start a worker and return its identity; it has not proved itself yet.

        Raises:
            WorkerStartFailed: The process could not be made; the message says why.
        """
        try:
            place = self._place(launch.instance)
        except InvalidRequest as exc:
            raise WorkerStartFailed(exc.detail) from exc
        with self._alone(launch.instance):
            try:
                if place.is_dir():  # without it no worker ever ran, and none need be looked for
                    self._refuse_second(launch.instance)
                for directory in (self._root, place):
                    directory.mkdir(mode=0o700, exist_ok=True)
                # Celery refuses to start beside a pid file whose pid is in use, whoever uses it.
                forget(place)
                worker = self._spawn(launch, place)
            except OSError as exc:
                raise WorkerStartFailed(
                    f"The worker of {launch.instance!r} could not be started: {exc}"
                ) from exc
            self._keep(worker)
            self._record(place, worker.process)
        logger.info("started worker %s as process %d", launch.node, worker.process.pid)
        return worker.process

    @contextmanager
    def _alone(self, instance: str) -> Iterator[None]:
        if instance in self._starting:
            raise WorkerStartFailed(f"The worker of {instance!r} is being started already.")
        self._starting.add(instance)
        try:
            yield
        finally:
            self._starting.discard(instance)

    def _refuse_second(self, instance: str) -> None:
        living = self.find([instance]).get(instance)
        if living is not None:
            raise WorkerStartFailed(
                f"A worker of {instance!r} runs already, as process {living.pid}; "
                "stop it before another one is started."
            )

    def _spawn(self, launch: Launch, place: Path) -> _Worker:
        workdir = launch.workdir or str(place)
        if not Path(workdir).is_dir():
            raise WorkerStartFailed(
                f"The working directory {workdir!r} does not exist on this machine. Create it, "
                "or set the parameter workdir to one that exists."
            )
        env, options = prepare(
            launch,
            mark=str(place),
            inherited=self._environment,
            workdir=workdir,
            interpreters=self._interpreters,
        )
        node = WorkerNode(
            launch.node,
            python=launch.python,
            options=options,
            files={
                "--pidfile": str(place / "worker.pid"),
                "--logfile": str(place / "worker.log"),
                "--statedb": str(place / "worker.state"),
            },
            config=launch.config,
        )
        with self._tending:
            log_fd = open_output(place)
        try:
            child = node.start(env=env, cwd=workdir, log_fd=log_fd)
        finally:
            os.close(log_fd)
        process = self._processes.identify(child.pid, launch.digest)
        if process is None:
            raise WorkerStartFailed(
                f"The worker of {launch.instance!r} ended at once; {place / 'worker.out'} may "
                "say why."
            )
        return _Worker(launch.instance, process, child)

    def _keep(self, worker: _Worker) -> None:
        for pid, known in list(self._workers.items()):
            if known.instance == worker.instance:
                del self._workers[pid]
        self._workers[worker.process.pid] = worker
        if worker.child is not None and self._on_exit is not None:
            on_exit = self._on_exit
            worker.child.when_ended(lambda: on_exit(worker.instance))

    def _record(self, place: Path, process: Process) -> None:
        try:
            remember(place, process)
        except OSError as exc:
            # The worker runs, and its mark tells who it is as well.
            logger.warning("cannot write %s: %s", place / "worker.json", exc)

    # --- find -----------------------------------------------------------------------------------

    def find(self, instances: Iterable[str]) -> Mapping[str, Process]:
        """Return the living workers of the instances, whoever started them."""
        found: dict[str, Process] = {}
        lost: dict[str, str] = {}
        for instance in instances:
            place = self._place(instance)
            record = recorded(place)
            if record is not None:
                if self._processes.is_alive(record):
                    found[instance] = record
            elif process := self._by_pid_file(place):
                found[instance] = process
            elif place.is_dir():
                lost[str(place)] = instance
        if lost:
            found.update(self._by_mark(lost))
        return {instance: self._known(instance, process) for instance, process in found.items()}

    def _known(self, instance: str, process: Process) -> Process:
        """Return a living worker's identity as it is known here, and know it from now on."""
        known = self._workers.get(process.pid)
        if known is not None and _same(known.process, process):
            return known.process
        self._keep(_Worker(instance, process))
        return process

    def _by_pid_file(self, place: Path) -> Process | None:
        try:
            pid = int((place / "worker.pid").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        process = self._processes.identify(pid)
        if process is None or self._processes.variable(pid, MARK) != str(place):
            return None
        self._record(place, process)
        return process

    def _by_mark(self, lost: Mapping[str, str]) -> Mapping[str, Process]:
        """Return workers whose files are lost; of several candidates the oldest is the worker."""
        found: dict[str, Process] = {}
        carriers = self._processes.carrying(MARK, lost.__contains__)
        for process in sorted(carriers, key=lambda process: process.started, reverse=True):
            # Children of a worker carry the mark too, but the worker leads their session.
            if self._processes.leads_session(process.pid):
                found[lost[carriers[process]]] = process
        for instance, process in found.items():
            self._record(self._place(instance), process)
        return found

    def strays(self, instances: Iterable[str]) -> Sequence[str]:
        """Return names of instances with living workers in this directory that are not listed."""
        listed = set(instances)
        root = f"{self._root}{os.sep}"
        carriers = self._processes.carrying(MARK, lambda mark: mark.startswith(root))
        names = {mark.removeprefix(root) for mark in carriers.values()}
        return sorted(name for name in names - listed if _is_name(name))

    # --- look -----------------------------------------------------------------------------------

    def look(self, process: Process) -> Look:
        """Look at one worker process; cheap enough for every second."""
        known = self._workers.get(process.pid)
        worker = known if known is not None and _same(known.process, process) else None
        seen = self._processes.glimpse(process)
        if seen is None:
            return Look(state=ProcessState.GONE, exit_status=_exit_status(worker))
        family = self._processes.descendants(process.pid, seen.threads)
        if worker is not None:
            self._note(worker, [Process(g.pid, g.started, process.boot_id) for g in family])
        return Look(
            state=seen.state,
            cpu_s=seen.cpu_s + sum(member.cpu_s for member in family),
            pids=(process.pid, *(member.pid for member in family)),
            memory_bytes=seen.memory_bytes + sum(member.memory_bytes for member in family),
            age_s=seen.age_s,
        )

    def _note(self, worker: _Worker, family: Sequence[Process]) -> None:
        """Remember a worker's descendants, and of earlier ones those that left it and live."""
        present = {member.pid: member for member in family}
        escaped = [
            member
            for pid, member in worker.family.items()
            if pid not in present and self._processes.is_alive(member)
        ]
        worker.family = {**present, **{member.pid: member for member in escaped[:ESCAPED_MAX]}}

    # --- end ------------------------------------------------------------------------------------

    def signal(self, instance: str, process: Process, signal: str) -> None:
        """Send ``TERM``, ``QUIT``, ``CONT`` or ``KILL``; KILL reaches the whole process tree.

        Only the process of that identity is signalled; if it is gone nothing happens.
        """
        if signal == "KILL":
            if self._processes.is_alive(process):
                self.look(process)
                # The main process goes first, or it would replace the children as they die.
                self._send(process, signal)
                self._kill_family(instance)
        else:
            self._send(process, signal)

    def _send(self, process: Process, signal: str) -> None:
        try:
            self._processes.send(process, _SIGNALS[signal])
        except PermissionError as exc:
            logger.warning("cannot send %s to process %d: %s", signal, process.pid, exc)

    def sweep(self, instance: str) -> int:
        """Kill whatever a worker of the instance left behind; return how many processes.

        While a worker of the instance lives, nothing is left behind and nothing is done.
        """
        place = self._place(instance)
        if not place.is_dir():
            return 0
        record = recorded(place)
        if instance in self._starting or (record and self._processes.is_alive(record)):
            return 0
        return self._kill_family(instance)

    def _kill_family(self, instance: str) -> int:
        mark = str(self._place(instance))
        remembered = [
            member
            for worker in self._workers.values()
            if worker.instance == instance
            for member in (worker.process, *worker.family.values())
        ]

        def search() -> Iterable[Process]:
            return {
                *self._processes.carrying(MARK, mark.__eq__),
                *filter(self._processes.is_alive, remembered),
            }

        return self._processes.kill_all(search)

    # --- files ----------------------------------------------------------------------------------

    def log_tail(self, instance: str, lines_max: int) -> Sequence[str]:
        """Return the last lines of the worker's log; none if there is no log."""
        return tail(self._place(instance), lines_max)

    def tend_logs(self) -> None:
        """Add to the logs what workers printed, and rotate those that are too large."""
        with self._tending:
            aside(lambda: _tend_all(self._root, self._log_limits))

    def discard(self, instance: str) -> None:
        """Remove the files of a deleted instance."""
        place = self._place(instance)
        with self._tending:  # what is added to a log while it is removed would stay
            aside(lambda: shutil.rmtree(place, ignore_errors=True))
        for pid, worker in list(self._workers.items()):
            if worker.instance == instance:
                del self._workers[pid]

    @property
    def _root(self) -> Path:
        return self._directory.resolve()

    def _place(self, instance: str) -> Path:
        """Return an instance's directory; a name that leads elsewhere is refused."""
        return self._root / check_name("instance", instance)


def _tend_all(root: Path, limits: LogLimits) -> None:
    with suppress(FileNotFoundError), os.scandir(root) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                tend(Path(entry.path), limits)


def _same(one: Process, other: Process) -> bool:
    return (one.pid, one.started, one.boot_id) == (other.pid, other.started, other.boot_id)


def _exit_status(worker: _Worker | None) -> int | None:
    """Return how a child ended; the news of it may come a moment after its end."""
    if worker is None or worker.child is None:
        return None
    return worker.child.wait(EXIT_STATUS_WAIT_S)


def _is_name(name: str) -> bool:
    try:
        check_name("instance", name)
    except InvalidRequest:
        return False
    return True
