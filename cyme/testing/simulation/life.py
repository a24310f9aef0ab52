"""One life of a branch: the process that drives a node until it crashes, halts or leaves."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from cyme.core.cluster.effects import (
    Abandon,
    Absorb,
    Effect,
    Examine,
    Halt,
    Link,
    Listen,
    Perform,
    Prepare,
    Publish,
    Remember,
    Reply,
    Send,
    Settle,
    Tell,
    Write,
)
from cyme.core.cluster.messages import Message
from cyme.core.cluster.node import TICK_S, Node
from cyme.core.model import Instance, Record
from cyme.testing.simulation.disk import Disk
from cyme.testing.simulation.service import Service
from cyme.testing.simulation.supervisor import Supervisor

if TYPE_CHECKING:
    from cyme.testing.simulation.world import World

#: Messages that wait while a branch is paused; what comes on top is lost.
INBOX_MAX = 5_000

#: A branch that was not ticked for so long does not act until it has been, in seconds.
LEASE_S = 3.0

#: A tick comes so much later than it is planned, as the process has other things to do, in seconds.
_LATE_S = (0.0, 0.05)

#: A commit takes so long, in seconds.
_COMMIT_S = (0.001, 0.02)


@dataclass(slots=True, eq=False)
class Machine:
    """Where a branch lives.

    Attributes:
        name: Tells it from the others; two machines may have branches of one id.
        branch: The id of its branch.
        disk: What outlives the branch.
        port: The endpoint of the next life.
        clock_s: By how much its monotonic clock is ahead.
        skew_s: By how much its wall clock is ahead.
        powered: Whether it is on.
        capable: Whether it has what workers need.
        drained: Whether its branch is to take no instances.
        instances_max: How many instances its branch runs at most.
        protocol: Versions of the protocol that its program speaks.
        twin: Whether it is a copy, or has the id of another.
        retired: Why its branch is not to be started again, None if it is.
        life: The life of its branch, None while it has none.
    """

    name: str
    branch: str
    disk: Disk = field(default_factory=Disk)
    port: int = 0
    clock_s: float = 0.0
    skew_s: float = 0.0
    powered: bool = True
    capable: bool = True
    drained: bool = False
    instances_max: int = 1000
    protocol: tuple[int, int] = (1, 1)
    twin: bool = False
    retired: str | None = None
    life: Life | None = None


@dataclass(slots=True)
class _Writing:
    """Records on their way to the disk, and what is to be done when they are there."""

    records: Sequence[Record]
    written: Callable[[Sequence[Record]], None]
    refused: Callable[[], None]


class Life:
    """One life of a branch.

    Args:
        world: Everything else.
        machine: Where it lives.
        node: What it drives.
        calls_at: The endpoint of its ROUTER socket.
        beats_at: The endpoint of its PUB socket.

    Attributes:
        alive: Whether it has not ended.
        paused: Whether it is stopped as by SIGSTOP.
        leaving: Whether it was asked to stop.
        ticked_at: When its node was ticked last, as this machine has it.
    """

    def __init__(
        self, world: World, machine: Machine, node: Node, *, calls_at: str, beats_at: str
    ) -> None:
        self.world = world
        self.machine = machine
        self.node = node
        self.calls_at = calls_at
        self.beats_at = beats_at
        self.link: Link = f"{machine.name}/{machine.disk.boot}/{world.next_number()}".encode()
        self.alive = True
        self.paused = False
        self.leaving = False
        self.ticked_at = self.now
        self._rests = False  # whether the next tick may come late, as nothing is under way
        self._planned: object = None  # stands for that tick
        self.supervisor = Supervisor(self)
        self.service = Service(self)
        self._inbox: deque[tuple[Link | None, Message]] = deque()
        self._delayed: list[tuple[Callable[..., None], tuple[object, ...]]] = []
        self._writing: list[_Writing] = []
        self._perform: dict[type, Callable[[Effect], None]] = self._performers()

    @property
    def name(self) -> str:
        """The name of its machine."""
        return self.machine.name

    @property
    def now(self) -> float:
        """The time as this machine has it, in monotonic seconds."""
        return self.world.timeline.now + self.machine.clock_s

    @property
    def may_act(self) -> bool:
        """Whether it may act on what it owns, as ``cyme.runtime.cluster.driver`` judges it."""
        return not self.node.fenced and self.now - self.ticked_at < LEASE_S

    @property
    def acts(self) -> bool:
        """Whether it does anything at the moment."""
        return self.alive and not self.paused

    # --- beginning and end ----------------------------------------------------------------------

    def begin(self) -> None:
        """Start the node, and what goes with it."""
        self.perform(self.node.start(self.now))
        self._rest()
        self.supervisor.begin()

    def end(self) -> None:
        """End at once. What is on its way to the disk may get there or not."""
        if not self.alive:
            return
        self.alive = False
        self.world.network.detach(self)
        self.machine.life = None
        for writing in self._writing:
            if not self.machine.disk.full and _toss(self.world.random):
                for record in writing.records:
                    self.world.watch.applied(self.machine, *self.machine.disk.merge(record))
        self._writing.clear()

    def pause(self) -> None:
        """Stop it, as by SIGSTOP: what arrives waits."""
        self.paused = True

    def resume(self) -> None:
        """Let it go on: first it takes in what arrived; what was under way ends when it will."""
        if not self.alive or not self.paused:
            return
        self.paused = False
        while self._inbox and self.alive:
            link, message = self._inbox.popleft()
            self.perform(self.node.on_message(self.now, link, message))
        if _toss(self.world.random):
            self._tick_once()
        delayed, self._delayed = self._delayed, []
        for action, arguments in delayed:
            if self.alive:
                action(*arguments)
        if self.alive:
            self._tick_once()
            self._rest()

    # --- time -----------------------------------------------------------------------------------

    def after(self, delay_s: float, action: Callable[..., None], *arguments: object) -> None:
        """Plan something that happens only while this life lasts and is not paused."""
        self.world.timeline.after(delay_s, self._happen, action, arguments)

    def _happen(self, action: Callable[..., None], arguments: tuple[object, ...]) -> None:
        if self.paused:
            self._delayed.append((action, arguments))
        elif self.alive:
            action(*arguments)

    def _rest(self) -> None:
        """Plan the next tick for when the node asks for it."""
        pause_s = self.node.pause_s(self.now)
        self._rests = pause_s > TICK_S
        self._plan_tick(pause_s)

    def _stir(self) -> None:
        """Have the next tick soon if the node is calm no more, as the driver has."""
        if self._rests and not self.node.calm:
            self._rests = False
            self._plan_tick(TICK_S)

    def _plan_tick(self, pause_s: float) -> None:
        """Plan the next tick, and none that was planned before."""
        self._planned = planned = object()
        self.after(pause_s + self.world.random.uniform(*_LATE_S), self._tick, planned)

    def _tick(self, planned: object) -> None:
        if planned is self._planned:
            self._tick_once()
            self._rest()

    def _tick_once(self) -> None:
        if self.alive:
            self.perform(self.node.on_tick(self.now))
            self.ticked_at = self.now

    # --- messages and effects -------------------------------------------------------------------

    def receive(self, link: Link | None, message: Message) -> None:
        """Take in a message."""
        if self.paused:
            if len(self._inbox) < INBOX_MAX:
                self._inbox.append((link, message))
        elif self.alive:
            self.world.watch.received(self, message)
            self.perform(self.node.on_message(self.now, link, message))

    def perform(self, effects: Sequence[Effect]) -> None:
        """Perform effects in the order given."""
        for effect in effects:
            if not self.alive:
                return
            self.world.watch.performs(self, effect)
            self._perform[type(effect)](effect)
        self._stir()

    def _performers(self) -> dict[type, Callable[..., None]]:
        network = self.world.network
        return {
            Publish: lambda effect: network.publish(self, effect.message),
            Send: lambda effect: network.send(self, effect.endpoint, effect.message),
            Reply: lambda effect: network.reply(self, effect.link, effect.message),
            Listen: lambda effect: network.listen(self, effect.endpoints),
            Absorb: self._absorb,
            Write: self._write,
            Examine: lambda effect: self.supervisor.examine(effect.instance),
            Prepare: lambda effect: self.supervisor.prepare(effect.instance),
            Abandon: lambda effect: self.supervisor.abandon(effect.instance),
            Settle: self.service.settle,
            Perform: self.service.perform,
            Tell: self._tell,
            Halt: self._halt,
            Remember: self._remember,
        }

    def note(self, what: str) -> None:
        """Note something in the transcript."""
        self.world.note(self.name, what)

    def _tell(self, effect: Tell) -> None:
        self.note(f"{effect.kind} {effect.instance or ''}: {effect.reason}")

    def _halt(self, effect: Halt) -> None:
        self.note(f"halts: {effect.reason}")
        self.world.halted(self, effect.reason)

    def _remember(self, effect: Remember) -> None:
        self.machine.disk.known = effect.endpoints

    # --- the disk -------------------------------------------------------------------------------

    def write(
        self,
        records: Sequence[Record],
        written: Callable[[Sequence[Record]], None],
        refused: Callable[[], None],
    ) -> None:
        """Make records durable, then apply them; what waits goes in one commit."""
        self._writing.append(_Writing(records, written, refused))
        if len(self._writing) == 1:
            self.after(self.world.random.uniform(*_COMMIT_S), self._commit)

    def _commit(self) -> None:
        writings, self._writing = self._writing, []
        for writing in writings:
            if not self.alive:
                return
            if self.machine.disk.full:
                writing.refused()
                continue
            now_there = []
            for record in writing.records:
                before, after = self.machine.disk.merge(record)
                self.service.saw(after.stamp)
                self.world.watch.applied(self.machine, before, after)
                now_there.append(after)
            writing.written(now_there)
            self.supervisor.nudge()

    def _absorb(self, effect: Absorb) -> None:
        records = effect.records
        self.write(
            records,
            lambda now_there: self._applied(now_there, here=False),
            lambda: self.perform(self.node.on_not_absorbed(self.now, records)),
        )

    def _write(self, effect: Write) -> None:
        instance = effect.instance
        self.note(f"writes {describe(instance)}")
        self.write(
            [instance],
            lambda records: self._applied(records, here=True),
            lambda: self.perform(self.node.on_not_written(self.now, instance)),
        )

    def _applied(self, records: Sequence[Record], *, here: bool) -> None:
        self.perform(self.node.on_applied(self.now, records, here=here))


def _toss(random: Random) -> bool:
    return random.random() < 0.5  # noqa: PLR2004 - a coin


def describe(instance: Instance) -> str:
    """Return an instance in a few words."""
    deleted = ", deleted" if instance.deleted else ""
    return (
        f"{instance.name}: owner {instance.owner}, epoch {instance.epoch}, "
        f"home {instance.home}, generation {instance.generation}{deleted}"
    )
