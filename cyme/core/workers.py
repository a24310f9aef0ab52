"""What is seen of worker processes, and what is needed to start one: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """All that it takes to start the worker of one instance.

    Attributes:
        instance: The instance's name.
        node: Its Celery node name, ``<instance>@<branch>``.
        python: Absolute path of the interpreter.
        options: Options of ``celery worker`` in order; a value of None is a bare flag. Values
            are literal: whoever builds the command line quotes them.
        config: Celery settings given behind ``--``.
        env: Variables added to the branch's own environment; they may hold secrets.
        workdir: Directory the worker runs in, or None for the instance's own directory.
        needs_own_app: Whether ``cyme.tasks`` must be importable by ``python``.
        digest: Changes when the worker must be restarted to take on what changed.
    """

    instance: str
    node: str
    python: str
    options: tuple[tuple[str, str | None], ...]
    config: tuple[tuple[str, str], ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    workdir: str | None = None
    needs_own_app: bool = True
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Process:
    """The identity of a worker's main process: a pid alone is none, pids are reused.

    Attributes:
        pid: Process id.
        started: The kernel's start time of the process, in its own units (clock ticks since
            boot on Linux); with the boot id and the pid it names one process for ever.
        boot_id: Identity of the machine's boot.
        digest: The ``Launch.digest`` it was started with; empty if unknown.
    """

    pid: int
    started: float
    boot_id: str
    digest: str = ""


class ProcessState(StrEnum):
    """What the kernel says of a process."""

    ALIVE = "alive"
    PAUSED = "paused"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at a worker process.

    Attributes:
        state: What the kernel says; a zombie is gone.
        cpu_s: Processor seconds used so far by the main process and its children.
        exit_status: How it ended, where that is known: an exit code, or minus a signal.
        pids: The main process first, then its descendants.
        memory_bytes: Resident memory of all of them together.
        age_s: For how long the main process has run.
    """

    state: ProcessState
    cpu_s: float = 0.0
    exit_status: int | None = None
    pids: tuple[int, ...] = ()
    memory_bytes: int = 0
    age_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a worker says of itself over remote control.

    Attributes:
        queues: Names of the queues it consumes from.
        limits: Its (minimum, maximum) concurrency, None where it was not asked or cannot tell.
        slots: How many tasks it can do at a time, None where it was not asked or cannot tell.
    """

    queues: frozenset[str]
    limits: tuple[int, int] | None = None
    slots: int | None = None
