"""One instance that is walked through decisions, and what a test lets it see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cyme.core import reconcile
from cyme.core.restarts import RestartPolicy
from cyme.core.status import InstanceState
from cyme.core.supervision import Action, Decision, Memory, Policy, Sight, Wish
from cyme.core.workers import Look, Process, ProcessState, Report

POLICY = Policy(
    start_timeout_s=30,
    start_timeout_s_each=5,
    stop_timeout_s=60,
    kill_timeout_s=10,
    unresponsive_after_s=60,
    wait_after_broker_revived_s=35,
    restarts=RestartPolicy(failures_max=3, delay_s_first=5, jitter=0),
)
WISH = Wish(runs=True, digest="d1", queues={"dq.w": ""}, limits=(1, 1))
UNWANTED = replace(WISH, runs=False, why_not="it is not enabled")
REMOVED = replace(WISH, runs=False, removed=True, why_not="it was deleted")
PROCESS = Process(pid=7, started=1.0, boot_id="b", digest="d1")
ALIVE = Look(state=ProcessState.ALIVE, cpu_s=1.0, pids=(7,))
PAUSED = replace(ALIVE, state=ProcessState.PAUSED)
KILLED = Look(state=ProcessState.GONE, exit_status=-9)
OK = Report(queues=frozenset({"dq.w"}), limits=(1, 1))
LONG_UP = -1000.0


class Walk:
    """Walks one instance through decisions, keeping its memory, and remembers what was done."""

    def __init__(self, wish: Wish = WISH, memory: Memory | None = None) -> None:
        self.wish = wish
        self.memory = memory if memory is not None else Memory()
        self.now = 0.0
        self.last = Decision(self.memory)

    def see(self, sight: Sight | None = None, *, at: float | None = None) -> Sequence[Action]:
        if at is not None:
            self.now = at
        sight = sight if sight is not None else Sight(broker_since=LONG_UP)
        self.last = reconcile.decide(self.wish, self.memory, sight, POLICY, name="w", now=self.now)
        self.memory = self.last.memory
        return self.last.actions

    def started(self, process: Process = PROCESS) -> None:
        self.memory = reconcile.started(self.memory, process, self.wish, self.now)

    def commanded(self, *, at: float | None = None) -> None:
        if at is not None:
            self.now = at
        self.memory = reconcile.commanded(self.memory, self.now)

    @property
    def state(self) -> InstanceState:
        return self.memory.state

    @property
    def kinds(self) -> list[str]:
        return [note.kind for note in self.last.notes]


def sees(
    look: Look | None = ALIVE,
    *,
    report: Report | None = None,
    asked_at: float | None = None,
    broker_up: bool | None = True,
    broker_since: float = LONG_UP,
    starting: int = 0,
) -> Sight:
    return Sight(
        look=look,
        report=report,
        asked_at=asked_at,
        broker_up=broker_up,
        broker_since=broker_since,
        starts_under_way=starting,
        last_words="ImportError: no module named shop",
    )


def running(wish: Wish = WISH, *, at: float = 100.0) -> Walk:
    walk = Walk(wish)
    walk.see(at=at - 2)
    walk.started()
    walk.see(sees(report=OK, asked_at=at - 1), at=at)
    assert walk.state is InstanceState.RUNNING
    return walk
