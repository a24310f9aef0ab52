"""What the kernel knows of processes: who is who, who descends from whom, who carries a mark.

A pid is no identity, for pids are used again. A process is named by its pid, its start time and
the machine's boot; whoever is to be signalled is compared with that name first.

On Linux everything is read from ``/proc``, cheaply enough to look at many workers every second.
Elsewhere psutil answers the same questions, more slowly.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import gevent
import psutil
from gevent.lock import BoundedSemaphore

from cyme.core.workers import Process, ProcessState

T = TypeVar("T")

#: No tree of one worker is followed beyond so many processes.
TREE_PROCESSES_MAX = 10_000
#: So often the descendants are searched again for what was born while others were killed.
KILL_ROUNDS_MAX = 50
KILL_ROUND_S = 0.02
READ_BYTES = 65_536

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

_STATES_GONE = frozenset({"Z", "X", "x", psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD})
_STATES_PAUSED = frozenset({"T", "t", psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP})


@dataclass(frozen=True, slots=True)
class Glimpse:
    """One process at one moment.

    Attributes:
        pid: Process id.
        started: Start time, in the units of ``Process.started``.
        state: What the kernel says of it.
        session: Id of its session; a session's leader has it as its pid.
        cpu_s: Processor seconds used by it and by those of its children that it has reaped.
        memory_bytes: Its resident memory, what it shares with others included.
        age_s: For how long it has run.
        threads: How many threads it has; 0 where that is not known.
    """

    pid: int
    started: float
    state: ProcessState
    session: int
    cpu_s: float
    memory_bytes: int
    age_s: float
    threads: int = 0


class PsutilTable:
    """The process table as psutil sees it, on any system."""

    def boot_id(self) -> str:
        """Return the same for every boot: psutil's start times count from 1970."""
        return "any"

    def glimpse(self, pid: int) -> Glimpse | None:
        """Return what is seen of a process, None if there is none."""
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                times = process.cpu_times()
                return Glimpse(
                    pid,
                    process.create_time(),
                    _state(process.status()),
                    os.getsid(pid),
                    times.user
                    + times.system
                    + getattr(times, "children_user", 0.0)
                    + getattr(times, "children_system", 0.0),
                    process.memory_info().rss,
                    max(0.0, time.time() - process.create_time()),
                )
        except (psutil.Error, OSError):
            return None

    def children(self, pid: int, threads: int = 0) -> list[int]:  # noqa: ARG002 - as ProcTable has it
        """Return the pids of a process's children; none if it is gone.

        Args:
            pid: The process.
            threads: How many threads it has; 0 if that is not known.
        """
        try:
            return [child.pid for child in psutil.Process(pid).children()]
        except psutil.Error:
            return []

    def variable(self, pid: int, name: str) -> str | None:
        """Return a variable of a process's environment, None if it is not set or not readable."""
        try:
            return psutil.Process(pid).environ().get(name)
        except (psutil.Error, OSError):
            return None

    def pids(self) -> list[int]:
        """Return the pids of all processes."""
        return psutil.pids()


class ProcTable(PsutilTable):
    """The process table as Linux shows it under ``/proc`` (proc(5))."""

    def boot_id(self) -> str:
        """Return what tells this boot of the machine from others."""
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()

    def glimpse(self, pid: int) -> Glimpse | None:
        """Return what is seen of a process, None if there is none."""
        try:
            stat = _read(f"/proc/{pid}/stat")
        except OSError:
            return None
        # The command's name stands in parentheses and may hold anything, parentheses included.
        fields = stat[stat.rindex(b")") + 2 :].split()
        ticks = int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])
        started = float(fields[19])
        # All of it stands in the one line that is read anyhow. What processes share is told apart
        # in smaps_rollup alone, which makes the kernel walk all pages: a millisecond and more.
        return Glimpse(
            pid,
            started,
            _state(fields[0].decode("ascii")),
            int(fields[3]),
            ticks / _TICKS_PER_S,
            int(fields[21]) * _PAGE_BYTES,
            max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started / _TICKS_PER_S),
            int(fields[17]),
        )

    def children(self, pid: int, threads: int = 0) -> list[int]:
        """Return the pids of a process's children; none if it is gone.

        Args:
            pid: The process.
            threads: How many threads it has; 0 if that is not known.
        """
        pids: list[int] = []
        try:
            # A child stands under the thread that made it. An only thread has the process's id.
            for thread in (pid,) if threads == 1 else os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - pathlib takes thrice as long, and this runs every second
                pids += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
        except FileNotFoundError:
            # The process or the thread is gone, or the kernel keeps no such list.
            return pids or ([] if _has_children_files() else super().children(pid))
        except OSError:
            pass
        return pids

    def variable(self, pid: int, name: str) -> str | None:
        """Return a variable of a process's environment, None if it is not set or not readable."""
        try:
            block = _read(f"/proc/{pid}/environ")
        except OSError:
            return None
        # A search first: hardly any process of the machine carries the name at all.
        wanted = os.fsencode(name) + b"="
        if wanted not in block:
            return None
        for entry in block.split(b"\0"):
            if entry.startswith(wanted):
                return os.fsdecode(entry[len(wanted) :])
        return None


class Processes:
    """Questions about processes, and signals to them.

    Args:
        table: Where the answers come from; by default the best that this system has.
    """

    def __init__(self, table: PsutilTable | None = None) -> None:
        linux = sys.platform.startswith("linux")
        self._table = table or (ProcTable() if linux else PsutilTable())
        self._boot_id = ""
        # Several scans at once would take the interpreter from the hub for most of the time.
        self._scanning = BoundedSemaphore(1)

    @property
    def boot_id(self) -> str:
        """What tells this boot of the machine from others."""
        if not self._boot_id:
            self._boot_id = self._table.boot_id()
        return self._boot_id

    def identify(self, pid: int, digest: str = "") -> Process | None:
        """Return the identity of the living process with that pid, None if there is none."""
        seen = self._table.glimpse(pid)
        if seen is None or seen.state is ProcessState.GONE:
            return None
        return Process(pid, seen.started, self.boot_id, digest)

    def glimpse(self, process: Process) -> Glimpse | None:
        """Return what is seen of this very process, None if it is gone; a zombie is gone."""
        if process.boot_id != self.boot_id:
            return None
        seen = self._table.glimpse(process.pid)
        if seen is None or seen.started != process.started or seen.state is ProcessState.GONE:
            return None
        return seen

    def is_alive(self, process: Process) -> bool:
        """Tell whether this very process lives, paused or not."""
        return self.glimpse(process) is not None

    def leads_session(self, pid: int) -> bool:
        """Tell whether the process leads its session, as every worker that was started does."""
        seen = self._table.glimpse(pid)
        return seen is not None and seen.session == pid

    def descendants(self, pid: int, threads: int = 0) -> list[Glimpse]:
        """Return the living descendants of a process, parents before children.

        Args:
            pid: The process.
            threads: How many threads it has; 0 if that is not known.
        """
        found: list[Glimpse] = []
        known = {pid}
        parents = [(pid, threads)]
        while parents and len(found) < TREE_PROCESSES_MAX:
            for child in self._table.children(*parents.pop(0)):
                seen = self._table.glimpse(child)
                if child in known or seen is None or seen.state is ProcessState.GONE:
                    continue
                known.add(child)
                found.append(seen)
                parents.append((child, seen.threads))
        return found

    def variable(self, pid: int, name: str) -> str | None:
        """Return a variable of a process's environment, None if it is not set or not readable."""
        return self._table.variable(pid, name)

    def carrying(self, name: str, accepts: Callable[[str], bool]) -> Mapping[Process, str]:
        """Return all living processes with a certain environment variable, and its value.

        Reads every process of the machine in a native thread; other greenlets run meanwhile.

        Args:
            name: Name of the variable.
            accepts: Tells whether a value is meant.
        """
        with self._scanning:
            return aside(lambda: self._carrying(name, accepts))

    def _carrying(self, name: str, accepts: Callable[[str], bool]) -> Mapping[Process, str]:
        found: dict[Process, str] = {}
        for pid in self._table.pids():
            process = self.identify(pid) if pid != os.getpid() else None
            value = self._table.variable(pid, name) if process else None
            if process is not None and value is not None and accepts(value):
                found[process] = value
        return found

    def send(self, process: Process, signum: int) -> bool:
        """Send a signal to this very process; return whether it was there to receive it.

        Raises:
            PermissionError: The process belongs to somebody else.
        """
        if not hasattr(os, "pidfd_open"):
            return self.is_alive(process) and _kill(process.pid, signum)
        try:
            descriptor = os.pidfd_open(process.pid)
        except ProcessLookupError:
            return False
        # The descriptor stays with one process. If that has the right start time now, it is
        # the one that is meant, and no later process can take its place.
        try:
            if not self.is_alive(process):
                return False
            signal.pidfd_send_signal(descriptor, signum)
        except ProcessLookupError:
            return False
        finally:
            os.close(descriptor)
        return True

    def kill_all(self, search: Callable[[], Iterable[Process]]) -> int:
        """Kill what ``search`` finds, and search again until it finds nothing.

        A process that is being killed may just have made another one, so one look is not enough.
        A process that the kernel does not let go (it waits for a device) ends the search after
        ``KILL_ROUNDS_MAX`` rounds of ``KILL_ROUND_S`` seconds.

        Args:
            search: Returns the living processes that are to go.

        Returns:
            How many processes were killed.
        """
        killed: set[Process] = set()
        for _ in range(KILL_ROUNDS_MAX):
            found = list(search())
            if not found:
                break
            killed.update(process for process in found if self._kill(process))
            gevent.sleep(KILL_ROUND_S)
        return len(killed)

    def _kill(self, process: Process) -> bool:
        try:
            return self.send(process, signal.SIGKILL)
        except PermissionError:
            return False


def aside(work: Callable[[], T]) -> T:
    """Do work in a native thread and return its result; other greenlets run meanwhile."""
    result: T = gevent.get_hub().threadpool.apply(work)
    return result


def _state(word: str) -> ProcessState:
    if word in _STATES_GONE:
        return ProcessState.GONE
    return ProcessState.PAUSED if word in _STATES_PAUSED else ProcessState.ALIVE


def _kill(pid: int, signum: int) -> bool:
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return False
    return True


def _read(path: str) -> bytes:
    """Return what a file of ``/proc`` says; files there have no size to read by."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = os.read(descriptor, READ_BYTES)
        if content:  # a file may be told in pieces, and only nothing more is its end
            while more := os.read(descriptor, READ_BYTES):
                content += more
        return content
    finally:
        os.close(descriptor)


def _has_children_files() -> bool:
    """Tell whether the kernel was built with CONFIG_PROC_CHILDREN."""
    return Path(f"/proc/self/task/{os.getpid()}/children").exists()
