"""What must hold at every step of a run, whatever happens.

Every rule is a method that is named by what it demands and raises ``Violation`` with what broke it.
What must hold in the end stands in ``cyme.testing.simulation.quiescence``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cyme.core.branches import BranchState
from cyme.core.cluster.effects import (
    Abandon,
    Effect,
    Examine,
    Prepare,
    Publish,
    Reply,
    Send,
    Settle,
    Write,
)
from cyme.core.cluster.fence import STALL_S
from cyme.core.cluster.items import Key, joined, key_of
from cyme.core.cluster.members import PRESENT, Statement
from cyme.core.cluster.messages import (
    Beat,
    Message,
)
from cyme.core.cluster.node import TICK_S
from cyme.core.model import Instance, Record
from cyme.testing.simulation.figures import Figures
from cyme.testing.simulation.telling import items_of, told
from cyme.testing.simulation.workers import Phase, Worker

if TYPE_CHECKING:
    from cyme.testing.simulation.life import Life, Machine
    from cyme.testing.simulation.world import World

#: A call may be settled so long after its deadline: two ticks, and what a stall adds to them.
_SETTLE_S = 1.0

#: How much a branch may send in any one second: so much, and so much more for every other branch.
MESSAGES_PER_S_MAX = 400
MESSAGES_PER_S_PER_BRANCH_MAX = 20


class Violation(AssertionError):
    """A rule was broken.

    Args:
        rule: Which one.
        what: How.
    """

    def __init__(self, rule: str, what: str) -> None:
        super().__init__(f"{rule}: {what}")
        self.rule = rule
        self.what = what


@dataclass(slots=True)
class _Asked:
    life: Life
    deadline: float
    settled: bool = False


@dataclass(slots=True)
class Acknowledged:
    """A write that a client was told to be done.

    Attributes:
        record: What was written.
        machine: Where.
    """

    record: Record
    machine: str


@dataclass(slots=True)
class _Sent:
    """What a branch sent in one second of the run."""

    second: int = 0
    messages: int = 0


class Watch:
    """Sees to it that the rules hold.

    Args:
        world: What it watches.

    Attributes:
        figures: What the run came to so far.
        acknowledged: Writes that clients were told to be done.
        highest: The greatest record of each key that was ever durable anywhere.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.figures = Figures()
        self.acknowledged: list[Acknowledged] = []
        self.highest: dict[Key, Record] = {}
        self._asked: dict[str, _Asked] = {}
        self._effects: Counter[str] = Counter()
        self._incarnations: dict[tuple[str, int, str], int] = {}
        self._sent: dict[Life, _Sent] = {}

    # --- records --------------------------------------------------------------------------------

    def applied(self, machine: Machine, before: Record | None, after: Record) -> None:
        """Take note that a record became durable on a machine."""
        key = key_of(after)
        if before is not None and before is not after:
            self.no_record_falls_back(machine, before, after)
        highest = self.highest.get(key)
        if isinstance(after, Instance) and isinstance(highest, Instance):
            self.epochs_grow_by_one(machine, highest, after)
        merged = joined(highest, after)
        assert not isinstance(merged, Statement)
        self.highest[key] = merged  # type: ignore[assignment]  # the join of two records is one

    def no_record_falls_back(self, machine: Machine, before: Record, after: Record) -> None:
        """Epochs never fall, and nothing that was deleted returns but as something new."""
        if isinstance(before, Instance) and isinstance(after, Instance):
            ruled = (before.generation, before.epoch, before.owner)
            rules = (after.generation, after.epoch, after.owner)
            content = (before.generation, before.deleted, before.stamp)
            contents = (after.generation, after.deleted, after.stamp)
            fell = rules < ruled or contents < content
        else:
            fell = after.stamp < before.stamp
        if fell:
            raise Violation(
                "no record falls back", f"on {machine.name} {after} took the place of {before}"
            )

    def epochs_grow_by_one(self, machine: Machine, highest: Instance, after: Instance) -> None:
        """Whoever raises an epoch raises it by one."""
        if after.epoch > highest.epoch + 1:
            raise Violation(
                "epochs grow by one",
                f"{after.name} came from epoch {highest.epoch} to {after.epoch} on {machine.name}",
            )

    def acknowledges(self, life: Life, record: Record) -> None:
        """Take note that a client was told that a write is done."""
        self.figures.acknowledged += 1
        self.acknowledged.append(Acknowledged(record, life.name))

    # --- effects --------------------------------------------------------------------------------

    def performs(self, life: Life, effect: Effect) -> None:
        """Take note of an effect that a node decided on."""
        match effect:
            case Publish() | Send() | Reply():
                self._says(life, effect.message)
            case Write() | Prepare() | Examine() | Abandon():
                self.a_fenced_branch_does_nothing(life, effect)
                if isinstance(effect, Write):
                    self.figures.writes += 1
                    self.a_claim_is_one_step(life, effect.instance)
                    self.a_hand_over_is_prepared(life, effect.instance)

    def a_fenced_branch_does_nothing(
        self, life: Life, effect: Write | Prepare | Examine | Abandon
    ) -> None:
        """A branch that does not know what it owns neither starts nor stops nor claims."""
        stalled = life.now - life.ticked_at > STALL_S + TICK_S
        if (life.node.fenced or stalled) and not isinstance(effect, Abandon):
            raise Violation(
                "a fenced branch does nothing",
                f"{life.name} {'stood still' if stalled else 'is fenced'} and decides on "
                f"{type(effect).__name__} of {effect.instance.name}",
            )

    def a_claim_is_one_step(self, life: Life, claimed: Instance) -> None:
        """Whoever claims an instance is its owner then, one epoch above what it knows."""
        known = life.machine.disk.instance(claimed.name)
        epoch = 0 if known is None else known.epoch
        if claimed.owner != life.machine.branch or claimed.epoch > epoch + 1:
            raise Violation(
                "a claim is one step",
                f"{life.name}, which knows {known}, writes {claimed}",
            )

    def a_hand_over_is_prepared(self, life: Life, claimed: Instance) -> None:
        """Whoever takes an instance from a branch that is there runs its worker before."""
        known = life.machine.disk.instance(claimed.name)
        if known is None or life.node.state(known.owner) not in PRESENT:
            return
        if claimed.spec.is_enabled is False or known.owner == claimed.owner:
            return
        worker = life.supervisor.worker(claimed.name)
        if worker is None or worker.phase is not Phase.RUNNING:
            raise Violation(
                "a hand-over is prepared",
                f"{life.name} takes {claimed.name} from {known.owner}, and runs no worker of it",
            )

    # --- messages -------------------------------------------------------------------------------

    def received(self, life: Life, message: Message) -> None:
        """Take note of a message that arrived."""
        world = self._world
        kind = type(message).__name__
        digest = message.digest if isinstance(message, Beat) else 0
        world.transcript.mark(
            world.timeline.now, life.name, f"{kind} {message.sender.branch}", digest
        )
        if world.transcript.messages and not isinstance(message, Beat):
            world.note(life.name, f"hears {kind} of {message.sender.branch}: {told(message)}")

    def sent(self, life: Life, message: Message, copies: int) -> None:
        """Take note of a message that is sent to so many."""
        self.figures.messages[type(message).__name__] += copies
        if self._world.weigh is not None:
            self.figures.sent_bytes += copies * self._world.weigh(message)
        second = int(self._world.timeline.now)
        sent = self._sent.get(life)
        if sent is None or sent.second != second:
            sent = self._sent[life] = _Sent(second)
        sent.messages += 1
        if sent.messages > self.figures.messages_per_s_max:
            self.figures.messages_per_s_max = sent.messages
            self.nobody_floods(life, sent.messages)

    def nobody_floods(self, life: Life, messages: int) -> None:
        """What a branch sends in one second is bounded, whatever fails at once."""
        others = len(self._world.machines)
        if messages > MESSAGES_PER_S_MAX + MESSAGES_PER_S_PER_BRANCH_MAX * others:
            raise Violation("nobody floods", f"{life.name} sent {messages} messages in one second")

    def _says(self, life: Life, message: Message) -> None:
        sender = message.sender
        if sender.branch == life.machine.branch:
            nonce = life.node.statement.profile.nonce
            own = (sender.branch, sender.boot, nonce)
            known = self._incarnations.get(own, -1)
            self._incarnations[own] = max(known, sender.incarnation)
        for item in items_of(message):
            if isinstance(item, Statement):
                self.only_the_subject_raises_its_incarnation(life, item)
            elif isinstance(item, Instance):
                self.nothing_is_told_before_it_is_durable(life, item)

    def only_the_subject_raises_its_incarnation(self, life: Life, word: Statement) -> None:
        """Nobody speaks of an incarnation of another branch that it has not come to itself."""
        if word.branch == life.machine.branch:
            return
        known = self._incarnations.get((word.branch, word.boot, word.profile.nonce))
        if known is None or word.incarnation > known:
            raise Violation(
                "only the subject raises its incarnation",
                f"{life.name} says {word.state} of {word.branch!r}, boot {word.boot}, at "
                f"incarnation {word.incarnation}; that branch itself has come to {known}",
            )

    def nothing_is_told_before_it_is_durable(self, life: Life, instance: Instance) -> None:
        """A branch tells of its own ownership only what its disk has."""
        if instance.owner != life.machine.branch:
            return
        durable = life.machine.disk.instance(instance.name)
        said = (instance.generation, instance.epoch)
        if durable is None or said > (durable.generation, durable.epoch):
            raise Violation(
                "nothing is told before it is durable",
                f"{life.name} tells {instance}, and its disk has {durable}",
            )

    # --- workers --------------------------------------------------------------------------------

    def starts(self, life: Life, worker: Worker) -> None:
        """Take note that a branch starts a worker."""

    def stops(self, life: Life, worker: Worker) -> None:
        """Take note that a branch stops a worker."""
        record = life.machine.disk.instance(worker.instance)
        if record is None or record.deleted or record.spec.is_enabled is False:
            return
        if worker.phase is Phase.RUNNING and record.owner != life.machine.branch:
            self.no_hand_over_passes_zero_workers(life, worker, record)
            self.no_heal_stops_a_home(life, record)

    def no_hand_over_passes_zero_workers(
        self, life: Life, worker: Worker, record: Instance
    ) -> None:
        """Whoever gives an instance up does so when its new owner's worker was started."""
        world = self._world
        others = [other for other in world.broker.workers(record.name) if other is not worker]
        if any(other.phase is not Phase.STOPPING for other in others):
            return
        owner = world.machine_of(record.owner)
        if owner is None or world.was_disturbed(owner.name) or world.was_disturbed(life.name):
            return
        raise Violation(
            "no hand-over passes zero workers",
            f"{life.name} stops the only worker of {record.name}, which belongs to "
            f"{record.owner} at epoch {record.epoch}",
        )

    def no_heal_stops_a_home(self, life: Life, record: Instance) -> None:
        """A home that ran its instance all the while goes on running it."""
        machine = life.machine
        if record.home == machine.branch and not machine.drained and not machine.disk.full:
            raise Violation(
                "no heal stops a home",
                f"{life.name} stops {record.name}, whose home it is, as {record.owner} has it at "
                f"epoch {record.epoch}",
            )

    # --- calls ----------------------------------------------------------------------------------

    def calls(self, life: Life, call: str, deadline: float) -> None:
        """Take note that a branch calls another."""
        self.figures.calls += 1
        self._asked[call] = _Asked(life, deadline)

    def settles(self, life: Life, settle: Settle) -> None:
        """Take note of the end of a call."""
        asked = self._asked.get(settle.call)
        if asked is None or asked.settled:
            raise Violation(
                "a call is settled once", f"{life.name} settles {settle.call} that is not open"
            )
        asked.settled = True
        if settle.ok and not self._effects[settle.call]:
            raise Violation("an answer has a cause", f"{settle.call} was answered by nobody")

    def has_effect(self, life: Life, call: str) -> None:
        """Take note that a call is performed."""
        self.figures.effects += 1
        self._effects[call] += 1
        if self._effects[call] > 1:
            raise Violation(
                "a call has one effect", f"{life.name} performs {call}, which was performed before"
            )

    def every_call_is_settled_in_time(self) -> None:
        """No caller waits beyond its deadline."""
        for call, asked in list(self._asked.items()):
            if asked.settled or not asked.life.alive:
                del self._asked[call]
            elif asked.life.acts and asked.life.now > asked.deadline + _SETTLE_S:
                raise Violation(
                    "every call is settled in time",
                    f"{asked.life.name} still waits for {call}, "
                    f"{asked.life.now - asked.deadline:.1f} s after its deadline",
                )

    # --- branches -------------------------------------------------------------------------------

    def held_to_have_failed(self, names: Iterable[str]) -> list[str]:
        """Return which of these branches somebody alive holds to have failed, and who."""
        return [
            f"{life.name} of {name}"
            for life in self._world.lives()
            for name in names
            if life.node.state(name) is BranchState.FAILED
        ]
