"""The words in which the supervisor thinks: wish, sight, memory, action, note.

``cyme.core.reconcile`` turns a wish, a memory and a sight into a new memory and actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cyme.core.restarts import CLEAN, RestartPolicy, RestartRecord
from cyme.core.status import InstanceState
from cyme.core.workers import Look, Process, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The patience of the supervisor; all times in seconds.

    Attributes:
        start_timeout_s: A worker must answer so soon after it was started.
        start_timeout_s_each: Added for every other start that is under way at the time.
        stop_timeout_s: How long a warm stop may take.
        kill_timeout_s: How long a cold stop may take before the process is killed.
        unresponsive_after_s: Silence after which a worker without processor time is hung, once
            it was asked several times.
        wait_after_broker_revived_s: Time that workers have to come back with their broker.
        restarts: The restart budget.
    """

    start_timeout_s: float = 60.0
    start_timeout_s_each: float = 10.0
    stop_timeout_s: float = 60.0
    kill_timeout_s: float = 10.0
    unresponsive_after_s: float = 60.0
    wait_after_broker_revived_s: float = 35.0
    restarts: RestartPolicy = field(default_factory=RestartPolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the records say of an instance.

    Attributes:
        runs: Whether it should run here.
        removed: Whether it was deleted, or belongs to another branch now.
        is_enabled: Whether its user wants it to run anywhere.
        why_not: Why it should not run, in words; empty when it should.
        digest: As ``Launch.digest``: a worker started with another one must be restarted.
        queues: The declarations it consumes from: queue name to a digest of the declaration,
            which tells a declaration that was mended from the one that did harm.
        limits: (minimum, maximum) concurrency, or None where the pool cannot be told.
        answers_when_busy: Whether its pool leaves the main process free to answer.
        restarts_asked: How often a restart was asked for; grows.
    """

    runs: bool
    removed: bool = False
    is_enabled: bool = True
    why_not: str = ""
    digest: str = ""
    queues: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[int, int] | None = None
    answers_when_busy: bool = True
    restarts_asked: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What was observed of an instance in this pass.

    Attributes:
        look: Its process, if one is known.
        last_words: The last line of its log, when the process is gone.
        broker_up: Whether its broker answers; None while that is not known.
        broker_since: Since when that is so (monotonic seconds).
        asked_at: When the latest survey asked this worker (monotonic seconds), None if no
            survey did since the last pass.
        report: The worker's answer to that survey, None if it gave none.
        may_start: Whether a start slot is free.
        starts_under_way: How many workers are starting.
        restraint: Why nothing may be done about it now, in words; empty when something may.
    """

    look: Look | None = None
    last_words: str = ""
    broker_up: bool | None = True
    broker_since: float = 0.0
    asked_at: float | None = None
    report: Report | None = None
    may_start: bool = True
    starts_under_way: int = 0
    restraint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the supervisor remembers of an instance between passes.

    Attributes:
        state: Where the instance stands.
        since: Since when (monotonic seconds).
        reason: Why, in words.
        cause: Why it is to be started, or stopped, while ``reason`` says what that waits for; else
            empty.
        process: The worker's main process, if there is one.
        starts: How often it was started, the adopted start included.
        answered_since: Since when it answers without a failure, None if it does not.
        silent_since: When it was first asked in vain, None if it answered last.
        missed: Surveys in a row that it did not answer.
        cpu_s_at_silence: Processor seconds it had used when it fell silent.
        stop_signal: The latest signal of the stop under way.
        stop_deadline: When that signal's patience ends (monotonic seconds).
        queues: Names of the queues it is known to consume from, None if not known.
        limits: The concurrency limits it is known to have, None if not known.
        told: The declarations that this process was given, as in ``Wish.queues``.
        commanding: Whether it is being told of queues or limits at this moment.
        commanded_at: When that ended last (monotonic seconds); what it was asked before says
            nothing of what it was told.
        added: The queue it was told of last, and when (monotonic seconds).
        quarantined: Declarations that are kept from it, as in ``Wish.queues``.
        record: What it used of its restart budget.
        restarts_seen: ``Wish.restarts_asked`` as far as it was honoured.
        refused_digest: The wish's digest when the budget ran out.
    """

    state: InstanceState = InstanceState.PENDING
    since: float = 0.0
    reason: str = "it has not been started yet"
    cause: str = ""
    process: Process | None = None
    starts: int = 0
    answered_since: float | None = None
    silent_since: float | None = None
    missed: int = 0
    cpu_s_at_silence: float = 0.0
    stop_signal: str = ""
    stop_deadline: float = 0.0
    queues: frozenset[str] | None = None
    limits: tuple[int, int] | None = None
    told: Mapping[str, str] = field(default_factory=dict)
    commanding: bool = False
    commanded_at: float = 0.0
    added: tuple[str, float] | None = None
    quarantined: Mapping[str, str] = field(default_factory=dict)
    record: RestartRecord = CLEAN
    restarts_seen: int = 0
    refused_digest: str = ""

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return max(0, self.starts - 1)

    @property
    def why_start(self) -> str:
        """Why it is to be started, or was stopped to be, whatever that waited for."""
        return self.cause or self.reason


def kept_waiting(memory: Memory, reason: str) -> Memory:
    """Return the memory of an instance whose start has to wait; why it starts is not forgotten."""
    return replace(memory, reason=reason, cause=memory.why_start)


@dataclass(frozen=True, slots=True)
class Start:
    """Start the worker; ``reconcile.started`` or ``not_started`` is told of the outcome."""


@dataclass(frozen=True, slots=True)
class Signal:
    """Send a signal to the worker: TERM, QUIT or KILL (which takes its whole tree)."""

    name: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """Kill what the dead worker left behind."""


@dataclass(frozen=True, slots=True)
class Discard:
    """Forget the instance and remove its files."""


@dataclass(frozen=True, slots=True)
class AddConsumer:
    """Tell the worker to consume from a queue."""

    queue: str


@dataclass(frozen=True, slots=True)
class CancelConsumer:
    """Tell the worker to consume from a queue no more."""

    queue: str


@dataclass(frozen=True, slots=True)
class Autoscale:
    """Tell the worker its concurrency limits."""

    minimum: int
    maximum: int


Action = Start | Signal | Sweep | Discard | AddConsumer | CancelConsumer | Autoscale


@dataclass(frozen=True, slots=True)
class Note:
    """An event in the making: its kind, as in ``core.events``, and the reason."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What ``decide`` returns: the new memory, then what to do, then why."""

    memory: Memory
    actions: tuple[Action, ...] = ()
    notes: tuple[Note, ...] = ()
