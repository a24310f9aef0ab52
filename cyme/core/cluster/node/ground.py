"""What all parts of a node stand on: its state, its words, and the end of every input."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from cyme.core.branches import BranchState
from cyme.core.cluster.awareness import Awareness
from cyme.core.cluster.calls import Calls
from cyme.core.cluster.detection import Detection
from cyme.core.cluster.dice import Dice
from cyme.core.cluster.digests import Table
from cyme.core.cluster.effects import (
    Absorb,
    Effect,
    Listen,
    Publish,
    Remember,
    Send,
    Tell,
)
from cyme.core.cluster.fence import Fence
from cyme.core.cluster.items import (
    PIDS_MAX,
    REASON_CHARS_MAX,
    InstanceNews,
    Item,
    Key,
    weight_of,
)
from cyme.core.cluster.joining import Joining
from cyme.core.cluster.members import Profile, Statement
from cyme.core.cluster.membership import Membership
from cyme.core.cluster.messages import (
    ITEMS_MAX,
    Hello,
    Ping,
    Pong,
    Sender,
)
from cyme.core.cluster.ownership import Ownership, OwnershipPolicy
from cyme.core.cluster.pings import Pings
from cyme.core.cluster.repair import Repair
from cyme.core.cluster.rings import Rings
from cyme.core.cluster.rumours import Inbox, Outbox
from cyme.core.cluster.view import NodeView
from cyme.core.model import BranchId, Instance, InstanceName, Record
from cyme.core.status import InstanceStatus

#: A node is to be ticked so often, in seconds.
TICK_S = 0.1

#: A branch is told so often what is held of it, in seconds.
CONFRONT_S = 1.0
CONFRONTED_MAX = 2_000

#: How long ago a branch was heard of is told to others up to this, in seconds.
AGE_S_MAX = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """What a node is told at its start.

    Attributes:
        branch: Its id.
        boot: Which of its lives this is, from 1; never used before.
        profile: What it says of itself.
        seed: Whatever it leaves to chance is a function of this.
        joins: Endpoints that the user named; tried for ever until one answers.
        known: Endpoints of branches that were known at the end of the last life.
        policy: The patience of take-over.
        size_of: Estimates the bytes that an item takes in a message.
    """

    branch: BranchId
    boot: int
    profile: Profile
    seed: int
    joins: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    policy: OwnershipPolicy = field(default_factory=OwnershipPolicy)
    size_of: Callable[[Item], int] = weight_of


class Ground:
    """The state of a node.

    Attributes:
        refused: Items that were not taken in, as they were not plausible.
    """

    def __init__(self, settings: NodeSettings, records: Iterable[Record]) -> None:
        self._me = settings.branch
        self._boot = settings.boot
        self._profile = settings.profile
        self._incarnation = 0
        self._state = BranchState.ALIVE
        self._dice = Dice(settings.seed)
        self._table = Table()
        self._members = Membership()
        self._rings = Rings(self._me)
        self._awareness = Awareness()
        self._detection = Detection(self._awareness)
        self._size_of = settings.size_of
        self._outbox = Outbox(self._me, self._boot, self._size_of)
        self._inbox = Inbox()
        self._repair = Repair(self._table, settings.size_of)
        self._pings = Pings()
        self._calls = Calls()
        self._ownership = Ownership(settings.policy)
        self._joining = Joining(settings.joins, settings.known)
        self._fence = Fence(up=bool(settings.known))
        self._view = NodeView(self, self._table)
        self._absorbing: dict[Key, tuple[float, Item]] = {}
        self._statuses: dict[InstanceName, InstanceStatus] = {}
        self._early: OrderedDict[InstanceName, InstanceNews] = OrderedDict()
        self._news_seq = 0
        self._returned: OrderedDict[BranchId, None] = OrderedDict()
        self._confronted: OrderedDict[BranchId, float] = OrderedDict()
        self._listening: frozenset[str] = frozenset()
        self._remembered: tuple[str, ...] = settings.known
        self._ticked_at: float | None = None
        self._pause_s = TICK_S
        self._lag_s = 0.0
        self._next_beat = self._next_compare = self._next_returned = self._next_try = 0.0
        self._next_forget = 0.0
        self._out: list[Effect] = []
        self._fresh: list[Record] = []
        self._members_changed = False
        self.refused = 0
        for record in records:
            self._table.put(record)
            self._view.note(0.0, None, record)

    # --- what is known --------------------------------------------------------------------------

    @property
    def me(self) -> BranchId:
        """The id of this branch."""
        return self._me

    @property
    def profile(self) -> Profile:
        """What this branch says of itself."""
        return self._profile

    @property
    def joined(self) -> bool:
        """Whether the start is over: greeted and checked, or nobody answered in time."""
        return self._joining.joined

    @property
    def fenced(self) -> bool:
        """Whether this branch may not act on what it owned, as it may have lost it."""
        return self._fence.up

    @property
    def joined_at(self) -> float | None:
        """Since when this branch is not fenced (monotonic seconds), None while it is."""
        return self._fence.lowered_at

    @property
    def lag_s(self) -> float:
        """By how much the ticks were late lately, in seconds; a lateness fades within seconds."""
        return self._lag_s

    @property
    def digest(self) -> int:
        """64 bits that are the same on all branches that know the same."""
        return self._table.digest

    @property
    def statement(self) -> Statement:
        """The word of this branch about itself."""
        return Statement(
            branch=self._me,
            boot=self._boot,
            incarnation=self._incarnation,
            state=self._state,
            by=self._me,
            profile=self._profile,
        )

    def statements(self) -> Sequence[Statement]:
        """Return the latest word about every branch, this one among them, sorted by id."""
        words = [self.statement, *(member.statement for member in self._members)]
        return sorted(words, key=lambda word: word.branch)

    def word(self, branch: str) -> Statement | None:
        """Return the latest word about a branch, None if nobody knows it (any more)."""
        if branch == self._me:
            return self.statement
        member = self._members.get(branch)
        return None if member is None else member.statement

    def state(self, branch: str) -> BranchState | None:
        """Return what a branch is held to be, None if nobody knows it (any more)."""
        if branch == self._me:
            return self._state
        member = self._members.get(branch)
        return None if member is None else member.state

    def state_since(self, branch: str) -> float:
        """Return since when that is so (monotonic seconds)."""
        member = self._members.get(branch)
        return 0.0 if member is None else member.since

    def heard_at(self, branch: str) -> float:
        """Return when a branch was last heard of, be it through others (monotonic seconds)."""
        member = self._members.get(branch)
        return 0.0 if member is None else member.heard_at

    def news(self, instance: str) -> InstanceNews | None:
        """Return what the owner of an instance told last of it, None if nothing is known."""
        item = self._table.get(("news", instance))
        return item if isinstance(item, InstanceNews) else None

    def keeps(self, instance: str) -> bool:
        """Tell whether a worker is kept running here whose instance another branch owns now."""
        return self._ownership.keeps(instance)

    # --- what is told ---------------------------------------------------------------------------

    @property
    def _sender(self) -> Sender:
        return Sender(self._me, self._boot, self._incarnation)

    def _say_of_myself(self) -> None:
        word = self.statement
        self._table.put(word)
        self._outbox.tell(word)

    def _tell_news(self, record: Instance) -> None:
        """Tell the others how an instance of this branch is."""
        status = self._statuses.get(record.name)
        if status is None or record.owner != self._me or record.deleted:
            return
        self._news_seq += 1
        news = InstanceNews(
            instance=record.name,
            branch=self._me,
            epoch=record.epoch,
            boot=self._boot,
            seq=self._news_seq,
            state=status.state,
            reason=status.reason[:REASON_CHARS_MAX],
            pids=status.pids[:PIDS_MAX],
            restarts=status.restarts,
            since=status.since,
        )
        self._table.put(news)
        self._outbox.tell(news)

    def _tell(self, kind: str, reason: str, **data: object) -> None:
        self._out.append(Tell(kind, reason, data=data))

    def _hello(self) -> Hello:
        return Hello(sender=self._sender, profile=self._profile, checked=self._joining.checked)

    def _ping(self, number: int, target: BranchId, about: Statement | None) -> Ping:
        return Ping(sender=self._sender, number=number, target=target, about=about)

    def _pong(self, number: int) -> Pong:
        return Pong(sender=self._sender, number=number, about=self.statement)

    def _confront(self, now: float, word: Statement) -> None:
        """Ping a branch and tell it what is held of it, so that it can refute."""
        if self._may_confront(now, word.branch):
            number = self._pings.new(now, word.branch)
            ping = self._ping(number, word.branch, word)
            self._out.append(Send(word.profile.calls_at, ping))

    def _may_confront(self, now: float, branch: BranchId) -> bool:
        if now < self._confronted.get(branch, float("-inf")) + CONFRONT_S:
            return False
        self._confronted[branch] = now
        self._confronted.move_to_end(branch)
        if len(self._confronted) > CONFRONTED_MAX:
            self._confronted.popitem(last=False)
        return True

    def _ages(self, now: float) -> tuple[tuple[BranchId, float], ...]:
        return tuple(
            (member.statement.branch, round(now - member.heard_at, 1))
            for member in self._members.present()
            if now - member.heard_at < AGE_S_MAX
        )

    # --- the end of every input -----------------------------------------------------------------

    def _done(self, now: float) -> list[Effect]:
        """Return the effects of an input, with those that follow from what it changed."""
        self._absorb()
        if self._members_changed:
            self._members_changed = False
            self._listen(now)
            self._remember()
        while self._outbox.due(now):
            self._out.append(Publish(self._outbox.flush(now, self._sender)))
        effects, self._out = self._out, []
        return effects

    def _absorb(self) -> None:
        fresh, self._fresh = self._fresh, []
        for first in range(0, len(fresh), ITEMS_MAX):
            self._out.append(Absorb(tuple(fresh[first : first + ITEMS_MAX])))

    def _listen(self, now: float) -> None:
        chosen = self._rings.chosen()
        self._detection.watch(now, chosen)
        members = [member for id_ in chosen if (member := self._members.get(id_)) is not None]
        endpoints = frozenset(member.statement.profile.beats_at for member in members)
        if endpoints != self._listening:
            self._listening = endpoints
            self._out.append(Listen(endpoints))

    def _remember(self) -> None:
        members = {
            member.statement.profile.calls_at
            for member in self._members
            if member.state is not BranchState.LEFT
        }
        endpoints = tuple(sorted(members.union(self._joining.known)))
        if endpoints != self._remembered:
            self._remembered = endpoints
            self._out.append(Remember(endpoints))
