"""One branch of the cluster as a state machine: messages, ticks and deeds in, effects out.

Laws:

* Only a branch itself raises its incarnation, and only to refute or to say something new of itself.
* What is published of a record was made durable first: a record comes in by ``on_applied`` alone.
* Every rumour is passed on once; what was missed all the same is found by comparing digests.
* A member that is not present is not forgotten for three days, and tried now and then: that is
  what heals a partition.
* After a stall nobody is accused, and nothing that was owned is acted on, before others were heard.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
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
    Halt,
    Link,
    Listen,
    Publish,
    Remember,
    Reply,
    Send,
    Settle,
    Tell,
)
from cyme.core.cluster.fence import STALL_S, Fence
from cyme.core.cluster.items import (
    PIDS_MAX,
    REASON_CHARS_MAX,
    InstanceNews,
    Item,
    Key,
    joined,
    key_of,
)
from cyme.core.cluster.joining import Joining
from cyme.core.cluster.members import PRESENT, Profile, Statement
from cyme.core.cluster.membership import Change, Member, Membership, accused
from cyme.core.cluster.messages import (
    ITEMS_MAX,
    Answer,
    Beat,
    Buckets,
    Call,
    Digest,
    Hello,
    Items,
    Message,
    Missed,
    Ping,
    PingRequest,
    Pong,
    Rumours,
    Sender,
    Summaries,
    Welcome,
)
from cyme.core.cluster.ownership import Ownership, OwnershipPolicy, Verdict
from cyme.core.cluster.pings import Pings
from cyme.core.cluster.repair import Repair
from cyme.core.cluster.rings import Rings
from cyme.core.cluster.rumours import Inbox, Outbox
from cyme.core.cluster.view import NodeView
from cyme.core.model import App, BranchId, Instance, InstanceName, Queue, Record
from cyme.core.status import InstanceStatus

#: A node is to be ticked so often, in seconds.
TICK_S = 0.1

BEAT_S = 1.0
BEAT_SPREAD = 0.1

#: Late by more than this the hub could hear nobody, so everybody is forgiven, in seconds.
LAG_S_MAX = 0.5

#: What one branch knows is compared with what another one does, in seconds.
COMPARE_S = 10.0
COMPARE_SPREAD = 0.2

#: Those who came back are compared with soon, one after the other, in seconds.
COMPARE_RETURNED_S = 0.5
RETURNED_MAX = 1_000

#: A branch that has failed is asked now and then whether it is back, in seconds.
TRY_FAILED_S = 3.0

#: Others that are asked to ping whoever is silent.
HELPERS = 3

#: A branch is told so often what is held of it, in seconds.
CONFRONT_S = 1.0
CONFRONTED_MAX = 2_000

#: An epoch may be so far ahead of what is known of an instance; no fault makes it grow faster.
EPOCH_JUMP_MAX = 100_000

#: Records of others that are being written at a time; more wait for repair.
ABSORBING_MAX = 20_000

#: A record that was to be written and was not heard of any more is given up, in seconds.
ABSORB_S = 30.0

#: Whoever is gone for good is looked for so often, in seconds.
FORGET_PERIOD_S = 60.0

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
    """

    branch: BranchId
    boot: int
    profile: Profile
    seed: int
    joins: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    policy: OwnershipPolicy = field(default_factory=OwnershipPolicy)


class Node:
    """One branch of the cluster.

    Every method takes the time in monotonic seconds, which never falls, and returns the effects
    to be performed in order.

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
        self._outbox = Outbox(self._me, self._boot)
        self._inbox = Inbox()
        self._repair = Repair(self._table)
        self._pings = Pings()
        self._calls = Calls()
        self._ownership = Ownership(settings.policy)
        self._joining = Joining(settings.joins, settings.known)
        self._fence = Fence(up=bool(settings.known))
        self._view = NodeView(self, self._table)
        self._absorbing: dict[Key, float] = {}
        self._statuses: dict[InstanceName, InstanceStatus] = {}
        self._news_seq = 0
        self._returned: OrderedDict[BranchId, None] = OrderedDict()
        self._confronted: OrderedDict[BranchId, float] = OrderedDict()
        self._listening: frozenset[str] = frozenset()
        self._remembered: tuple[str, ...] = settings.known
        self._ticked_at: float | None = None
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

    # --- inputs ---------------------------------------------------------------------------------

    def start(self, now: float) -> list[Effect]:
        """Begin: greet those who were known."""
        self._ticked_at = now
        self._joining.start(now)
        self._fence.start(now)
        self._say_of_myself()
        self._next_beat = now
        self._next_compare = now + self._dice.around(COMPARE_S, COMPARE_SPREAD)
        self._next_try = now + self._dice.around(TRY_FAILED_S, COMPARE_SPREAD)
        self._greet(now)
        return self._done(now)

    def on_tick(self, now: float) -> list[Effect]:
        """Do what is due.

        It is to be called every ``TICK_S``, and after a stall only when what arrived meanwhile
        was taken in.
        """
        self._mind_stall(now)
        self._go_on_joining(now)
        self._go_on_fencing(now)
        self._beat(now)
        self._detect(now)
        self._compare(now)
        self._try_failed(now)
        self._forget_gone(now)
        self._out += self._calls.on_tick(now, self._sender)
        if self._joining.joined:
            self._out += self._ownership.on_tick(now, self._view)
        return self._done(now)

    def on_message(self, now: float, link: Link | None, message: Message) -> list[Effect]:
        """Take in a message; ``link`` leads back to its sender, None if it was published."""
        if message.sender.branch != self._me:
            self._fence.heard()
            self._hear(now, link, message)
            self._take(now, link, message)
        elif link is not None and message.sender.boot != self._boot:
            self._take_from_rival(link, message)
        return self._done(now)

    def on_found(self, now: float, endpoint: str) -> list[Effect]:
        """Take in that the beacon found a branch's ROUTER socket."""
        present = {member.statement.profile.calls_at for member in self._members.present()}
        if endpoint != self._profile.calls_at and endpoint not in present:
            self._out.append(Send(endpoint, self._hello()))
        return self._done(now)

    def on_applied(self, now: float, records: Sequence[Record], *, here: bool) -> list[Effect]:
        """Take in that records are durable and applied; ``here``: written by this branch."""
        for record in records:
            key = key_of(record)
            self._absorbing.pop(key, None)
            before = self._table.get(key)
            after = joined(before, record)
            if after is before:
                continue
            self._table.put(after)
            if here:
                self._outbox.tell(record)
            if isinstance(after, Instance):
                known = before if isinstance(before, Instance) else None
                self._changed(now, known, after)
        return self._done(now)

    def on_forgotten(self, now: float, records: Sequence[Record]) -> list[Effect]:
        """Take in that tombstones were forgotten after their time."""
        for record in records:
            key = key_of(record)
            if self._table.get(key) == record:
                self._table.drop(key)
                self._view.forget(record)
        return self._done(now)

    def on_not_written(self, now: float, instance: Instance) -> list[Effect]:
        """Take in that a ``Write`` failed."""
        self._out += self._ownership.on_not_written(now, self._view, instance)
        return self._done(now)

    def on_examined(
        self, now: float, instance: Instance, verdict: Verdict, why: str = ""
    ) -> list[Effect]:
        """Take in what an ``Examine`` came to."""
        self._out += self._ownership.on_examined(now, self._view, instance, verdict, why)
        return self._done(now)

    def on_prepared(
        self, now: float, instance: Instance, *, running: bool, why: str = ""
    ) -> list[Effect]:
        """Take in what a ``Prepare`` came to."""
        self._out += self._ownership.on_prepared(
            now, self._view, instance, running=running, why=why
        )
        return self._done(now)

    def on_status(self, now: float, instance: str, status: InstanceStatus) -> list[Effect]:
        """Take in that the state of an instance that runs here changed."""
        self._statuses[InstanceName(instance)] = status
        record = self._view.instance(instance)
        if record is not None:
            self._tell_news(record)
        return self._done(now)

    def on_performed(self, now: float, call: str, *, ok: bool, value: bytes) -> list[Effect]:
        """Take in what a ``Perform`` came to."""
        self._out += self._calls.on_performed(now, self._sender, call, ok=ok, value=value)
        return self._done(now)

    # --- deeds of this branch -------------------------------------------------------------------

    def call(
        self,
        now: float,
        *,
        call: str,
        target: BranchId,
        method: str,
        arguments: bytes,
        timeout_s: float,
        hops: int = 0,
    ) -> list[Effect]:
        """Ask another branch to perform a call; exactly one ``Settle`` follows by the deadline."""
        member = self._members.get(target)
        if member is None or not member.present:
            state = "not known" if member is None else member.state.value
            self._out.append(
                Settle(call, ok=False, value=None, why=f"branch {target!r} is {state}")
            )
            return self._done(now)
        self._out += self._calls.call(
            now,
            self._sender,
            call=call,
            target=target,
            endpoint=member.statement.profile.calls_at,
            boot=member.statement.boot,
            method=method,
            arguments=arguments,
            timeout_s=timeout_s,
            hops=hops,
        )
        return self._done(now)

    def take(self, now: float, instance: Instance) -> list[Effect]:
        """Begin to take an instance over from its living owner, which asks for it."""
        self._out += self._ownership.take(now, self._view, instance)
        return self._done(now)

    def change_profile(self, now: float, profile: Profile) -> list[Effect]:
        """Say something else of this branch; its endpoints and nonce stay."""
        self._profile = profile
        self._incarnation += 1
        self._say_of_myself()
        return self._done(now)

    def leave(self, now: float) -> list[Effect]:
        """Say that this branch is about to stop; its workers stay, and it is expected back."""
        self._state = BranchState.LEAVING
        self._incarnation += 1
        self._say_of_myself()
        return self._done(now)

    def left(self, now: float) -> list[Effect]:
        """Say that this branch has stopped; three times, as nobody can ask again."""
        self._state = BranchState.LEFT
        self._incarnation += 1
        self._say_of_myself()
        message = self._outbox.flush(now, self._sender)
        self._out += [Publish(message)] * 3
        return self._done(now)

    # --- what is known --------------------------------------------------------------------------

    @property
    def me(self) -> BranchId:
        """The id of this branch."""
        return self._me

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

    # --- time -----------------------------------------------------------------------------------

    def _mind_stall(self, now: float) -> None:
        late_s = 0.0 if self._ticked_at is None else now - self._ticked_at - TICK_S
        self._ticked_at = now
        self._lag_s = max(late_s, self._lag_s * 0.9)
        if late_s <= LAG_S_MAX:
            return
        self._awareness.worse()
        self._detection.forgive(now)
        self._members.delay(late_s)
        if late_s >= STALL_S:
            self._fence.raise_(now)
            self._tell("branch.stalled", f"this branch stood still for {late_s:.1f} s")

    def _go_on_joining(self, now: float) -> None:
        if self._joining.check_is_over(now):
            self._outlive_rival()
        self._greet(now)
        if self._joining.is_over(now):
            self._join()

    def _go_on_fencing(self, now: float) -> None:
        if self._absorbing:
            self._absorbing = {
                key: since for key, since in self._absorbing.items() if now < since + ABSORB_S
            }
        if self._fence.wants_round(now) and self._joining.joined:
            for member in self._dice.some(self._members.present(), 1):
                self._begin_round(now, member.statement)
        if self._fence.comes_down(now, absorbing=bool(self._absorbing)):
            self._tell("branch.acts", "this branch knows what it owns, and acts on it")

    def _begin_round(self, now: float, peer: Statement) -> None:
        number = self._pings.new(now, peer.branch)
        endpoint = peer.profile.calls_at
        self._fence.begin_round(now, peer.branch, number)
        self._out += self._repair.begin(self._sender, endpoint, self._ages(now))
        self._out.append(Send(endpoint, self._ping(number, peer.branch, None)))

    def _beat(self, now: float) -> None:
        if now < self._next_beat or self._state is BranchState.LEFT:
            return
        self._next_beat = now + self._dice.around(BEAT_S, BEAT_SPREAD)
        self._out.append(
            Publish(
                Beat(
                    sender=self._sender,
                    head=self._outbox.head,
                    digest=self._table.digest,
                    lag_ms=int(self._lag_s * 1000),
                )
            )
        )

    def _detect(self, now: float) -> None:
        probed, to_accuse = self._detection.due(now)
        for branch in probed:
            self._probe(now, branch)
        for branch in to_accuse:
            self._accuse(now, branch, BranchState.SUSPECT)
        for statement in self._members.overdue(now):
            self._accuse(now, statement.branch, BranchState.FAILED)

    def _probe(self, now: float, branch: BranchId) -> None:
        member = self._members.get(branch)
        if member is None:
            return
        word = member.statement
        self._confront(now, word)
        helpers = [other for other in self._members.present() if other.statement.branch != branch]
        for helper in self._dice.some(helpers, HELPERS):
            number = self._pings.new(now, branch)
            request = PingRequest(sender=self._sender, number=number, about=word)
            self._out.append(Send(helper.statement.profile.calls_at, request))

    def _accuse(self, now: float, branch: BranchId, state: BranchState) -> None:
        member = self._members.get(branch)
        if member is None or not member.present:
            return
        word = accused(member.statement, state, self._me)
        change = self._take_statement(now, word)
        if change.disputed and member.suspicion is not None:
            member.suspicion.delay(CONFRONT_S)

    def _compare(self, now: float) -> None:
        if self._returned and now >= self._next_returned:
            self._next_returned = now + COMPARE_RETURNED_S
            branch, _ = self._returned.popitem(last=False)
            member = self._members.get(branch)
            if member is not None and member.present:
                self._begin_compare(now, member)
        if now >= self._next_compare:
            self._next_compare = now + self._dice.around(COMPARE_S, COMPARE_SPREAD)
            for member in self._dice.some(self._members.present(), 1):
                self._begin_compare(now, member)

    def _begin_compare(self, now: float, member: Member) -> None:
        endpoint = member.statement.profile.calls_at
        self._out += self._repair.begin(self._sender, endpoint, self._ages(now))

    def _try_failed(self, now: float) -> None:
        if now < self._next_try:
            return
        self._next_try = now + self._dice.around(TRY_FAILED_S, COMPARE_SPREAD)
        for member in self._dice.some(self._members.failed(), 1):
            self._confront(now, member.statement)

    def _forget_gone(self, now: float) -> None:
        if now < self._next_forget:
            return
        self._next_forget = now + FORGET_PERIOD_S
        for branch in self._members.forget_gone(now):
            self._table.drop(("branch", branch))
            self._members_changed = True

    # --- messages -------------------------------------------------------------------------------

    def _hear(self, now: float, link: Link | None, message: Message) -> None:
        """Take note that the sender of a message is there, and see to it that it is known."""
        sender = message.sender
        member = self._members.heard(now, sender.branch, sender.boot)
        if member is not None:
            self._detection.heard(now, sender.branch)
        if link is None or isinstance(message, Hello | Welcome | Pong):
            return
        known = self._members.get(sender.branch)
        if known is None or known.statement.boot < sender.boot:
            self._ask_back(now, link, sender.branch, None)
        elif known.statement.boot == sender.boot and not known.present:
            self._ask_back(now, link, sender.branch, known.statement)

    def _ask_back(self, now: float, link: Link, branch: BranchId, about: Statement | None) -> None:
        """Ask the sender of a message for its word about itself, but not at every message."""
        if self._may_confront(now, branch):
            number = self._pings.new(now, branch)
            self._out.append(Reply(link, self._ping(number, branch, about)))

    def _take(self, now: float, link: Link | None, message: Message) -> None:
        match message:
            case Beat():
                self._ask_for_missed(now, message.sender, message.head)
            case Rumours():
                self._take_rumours(now, link, message)
            case _ if link is not None:
                self._take_directed(now, link, message)
            case _:
                self.refused += 1  # only beats and rumours are published

    def _take_directed(self, now: float, link: Link, message: Message) -> None:
        match message:
            case Ping():
                self._take_ping(now, link, message)
            case Pong():
                self._take_pong(now, link, message)
            case PingRequest():
                self._take_ping_request(now, link, message)
            case Hello():
                self._take_hello(now, link, message)
            case Welcome():
                self._take_welcome(now, link, message)
            case Call():
                self._out += self._calls.on_call(now, self._sender, link, message)
            case Answer():
                self._out += self._calls.on_answer(now, message)
            case _:
                self._take_repair(now, link, message)

    def _take_repair(self, now: float, link: Link, message: Message) -> None:
        match message:
            case Missed():
                again = self._outbox.again(message.first, message.last)
                self._out += [Reply(link, told) for told in again]
            case Digest():
                for branch, age_s in message.ages_s:
                    self._members.heard_of(now - age_s, branch)
                self._out += self._repair.on_digest(self._sender, link, message)
            case Buckets():
                self._take_buckets(now, link, message)
            case Summaries():
                self._out += self._repair.on_summaries(self._sender, link, message)
            case Items():
                items, effects = self._repair.on_items(self._sender, link, message)
                self._out += effects
                for item in items:
                    self._take_item(now, item, link)

    def _take_rumours(self, now: float, link: Link | None, message: Rumours) -> None:
        if link is None:
            self._ask_for_missed(now, message.sender, message.number - 1)
        self._inbox.received(message)
        for rumour in message.rumours:
            if rumour.origin == self._me and rumour.boot == self._boot:
                continue
            if self._inbox.is_first_sight(rumour):
                self._members.heard_of(now, rumour.origin)
                self._take_item(now, rumour.item, None, rumoured=True)
                self._outbox.pass_on(rumour)

    def _ask_for_missed(self, now: float, sender: Sender, number: int) -> None:
        missed = self._inbox.missed(now, sender, number, self._sender)
        member = self._members.get(sender.branch)
        if missed is not None and member is not None:
            self._out.append(Send(member.statement.profile.calls_at, missed))

    def _take_buckets(self, now: float, link: Link, message: Buckets) -> None:
        effects = self._repair.on_buckets(self._sender, link, message)
        self._out += effects
        peer = message.sender.branch
        if effects and self._fence.goes_on(peer):
            number = self._pings.new(now, peer)
            self._fence.pinged(number)
            self._out.append(Reply(link, self._ping(number, peer, None)))

    def _take_ping_request(self, now: float, link: Link, request: PingRequest) -> None:
        """Ping somebody for the sender, who gets the answer under its own number."""
        target = request.about
        number = self._pings.new(now, target.branch, link, request.number)
        ping = self._ping(number, target.branch, target)
        self._out.append(Send(target.profile.calls_at, ping))

    def _take_ping(self, now: float, link: Link, ping: Ping) -> None:
        if ping.target != self._me:
            return
        if ping.about is not None and ping.about.branch == self._me:
            self._take_word_about_me(now, ping.about, link)
        self._out.append(Reply(link, self._pong(ping.number)))

    def _take_pong(self, now: float, link: Link, pong: Pong) -> None:
        asked = self._pings.take(pong.number, pong.about.branch)
        self._take_item(now, pong.about, link)
        if asked is None:
            return
        member = self._members.get(pong.about.branch)
        if member is not None and member.statement.life == pong.about.life:
            self._detection.heard(now, pong.about.branch)
            self._members.heard_of(now, pong.about.branch)
        self._fence.answered(pong.number)
        if asked.link is not None:
            answer = Pong(sender=self._sender, number=asked.number, about=pong.about)
            self._out.append(Reply(asked.link, answer))

    # --- joining --------------------------------------------------------------------------------

    def _greet(self, now: float) -> None:
        if not self._joining.is_due(now):
            return
        present = {member.statement.profile.calls_at for member in self._members.present()}
        for endpoint in self._joining.greetings(now, present):
            if endpoint != self._profile.calls_at:
                self._out.append(Send(endpoint, self._hello()))

    def _take_hello(self, now: float, link: Link, hello: Hello) -> None:
        newcomer = Statement(
            branch=hello.sender.branch,
            boot=hello.sender.boot,
            incarnation=hello.sender.incarnation,
            state=BranchState.ALIVE,
            by=hello.sender.branch,
            profile=hello.profile,
        )
        member = self._members.get(newcomer.branch)
        known = member.statement if member is not None else None
        contested = (
            known is not None
            and known.life != newcomer.life
            and (known.boot >= newcomer.boot or (known.state in PRESENT and not hello.checked))
        )
        if contested and known is not None:
            words: tuple[Statement, ...] = (known,)
        else:
            self._take_item(now, newcomer, None)
            words = (self.statement,)
        self._out.append(
            Reply(link, Welcome(sender=self._sender, admitted=not contested, statements=words))
        )

    def _take_welcome(self, now: float, link: Link, welcome: Welcome) -> None:
        for word in welcome.statements:
            self._take_item(now, word, link)
        if not welcome.admitted or self._joining.joined or self._joining.checking:
            return
        self._join()
        member = self._members.get(welcome.sender.branch)
        if member is not None and self._fence.up:
            self._begin_round(now, member.statement)
        elif member is not None:
            self._begin_compare(now, member)

    def _join(self) -> None:
        self._joining.joined = True
        self._say_of_myself()

    # --- another branch of the same id ----------------------------------------------------------

    def _take_from_rival(self, link: Link, message: Message) -> None:
        """Take in a message of another life of this branch's own id."""
        match message:
            case Hello() if message.profile.nonce != self._profile.nonce:
                words = (self.statement,)
                self._out.append(
                    Reply(link, Welcome(sender=self._sender, admitted=False, statements=words))
                )
            case Ping():
                self._out.append(Reply(link, self._pong(message.number)))
            case Pong():
                self._meet_rival(message.about)
            case Welcome():
                for word in welcome_words(message, self._me):
                    self._meet_rival(word)

    def _meet_rival(self, word: Statement) -> None:
        """Give way to a living branch of the same id, unless it has to."""
        mine = self.statement
        if word.branch != self._me or word.profile.nonce == mine.profile.nonce:
            return
        if not self._joining.joined or word.life > mine.life:
            self._out.append(
                Halt(
                    f"Another branch {self._me!r} is alive at {word.profile.calls_at}"
                    f"{_served(word)}, and this one is at {mine.profile.calls_at}{_served(mine)}. "
                    "A branch id is unique in its cluster. If the directory of this branch is a "
                    "copy of the other's, start it with a directory and an --id of its own; else "
                    "stop one of the two."
                )
            )

    def _take_word_about_me(self, now: float, word: Statement, link: Link | None) -> None:
        mine = self.statement
        if word.life == mine.life:
            if word.incarnation > self._incarnation:
                self.refused += 1  # nobody else may raise it
            elif word.order > mine.order:
                self._refute(link)
        elif word.life > mine.life and self._joining.contest(now, word):
            number = self._pings.new(now, self._me)
            self._out.append(Send(word.profile.calls_at, self._ping(number, self._me, None)))

    def _refute(self, link: Link | None) -> None:
        self._incarnation += 1
        self._awareness.worse()
        self._say_of_myself()
        if link is not None:
            self._out.append(Reply(link, self._pong(0)))

    def _outlive_rival(self) -> None:
        """Take the place of a life that does not answer any more."""
        rival = self._joining.rival
        if rival is not None and rival.boot >= self._boot:
            self._boot = rival.boot + 1
            self._incarnation = 0
            self._outbox = Outbox(self._me, self._boot)
            self._say_of_myself()

    # --- what is learnt -------------------------------------------------------------------------

    def _take_item(
        self, now: float, item: Item, link: Link | None, *, rumoured: bool = False
    ) -> None:
        """Take in an item; who learnt it otherwise than by a rumour makes it one."""
        match item:
            case Statement() if item.branch == self._me:
                self._take_word_about_me(now, item, link)
            case Statement():
                self._take_statement(now, item, rumoured=rumoured)
            case InstanceNews():
                self._take_news(item)
            case App() | Queue() | Instance():
                self._take_record(now, item)

    def _take_statement(self, now: float, word: Statement, *, rumoured: bool = False) -> Change:
        change = self._members.take(now, word)
        if change.disputed:
            self._confront(now, word)
        if change.taken:
            self._table.put(change.after)
            self._member_changed(now, change)
        if change.worth_telling and not rumoured:
            self._outbox.tell(word)
        return change

    def _member_changed(self, now: float, change: Change) -> None:
        before, after = change.before, change.after
        branch = after.branch
        self._members_changed = True
        was_present = before is not None and before.state in PRESENT
        is_present = after.state in PRESENT
        if is_present:
            self._rings.add(branch)
        else:
            self._rings.remove(branch)
            self._out += self._calls.on_gone(now, branch)
        if before is not None and before.boot != after.boot:
            self._out += self._calls.on_life(now, branch, after.boot)
        if is_present and not was_present and before is not None:
            self._returned[branch] = None
            if len(self._returned) > RETURNED_MAX:
                self._returned.popitem(last=False)
        if after.state is BranchState.SUSPECT:
            self._confront(now, after)
        told = _deed(before, after)
        if told is not None:
            self._tell(f"branch.{told[0]}", f"branch {branch!r} {told[1]}", branch=branch)

    def _take_news(self, news: InstanceNews) -> None:
        record = self._view.instance(news.instance)
        if record is not None and record.deleted:
            return
        known = self._table.get(key_of(news))
        if joined(known, news) is not known:
            self._table.put(news)

    def _take_record(self, now: float, record: Record) -> None:
        key = key_of(record)
        known = self._table.get(key)
        if joined(known, record) is known or key in self._absorbing:
            return
        if not _is_plausible(known, record) or len(self._absorbing) >= ABSORBING_MAX:
            self.refused += 1
            return
        self._absorbing[key] = now
        self._fresh.append(record)

    def _changed(self, now: float, before: Instance | None, after: Instance) -> None:
        self._view.note(now, before, after)
        if after.deleted:
            self._statuses.pop(after.name, None)
            self._table.drop(("news", after.name))
        elif before is None or (before.owner, before.epoch) != (after.owner, after.epoch):
            self._tell_news(after)
        self._out += self._ownership.on_applied(now, self._view, before, after)

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


def welcome_words(welcome: Welcome, branch: BranchId) -> list[Statement]:
    """Return what a welcome says about a branch."""
    return [word for word in welcome.statements if word.branch == branch]


def _served(word: Statement) -> str:
    return f" ({word.profile.url})" if word.profile.url else ""


def _is_plausible(known: Item | None, record: Record) -> bool:
    """Tell whether a record can have come about: epochs grow with faults, not by leaps."""
    if not isinstance(record, Instance):
        return True
    epoch = known.epoch if isinstance(known, Instance) else 0
    return record.epoch <= epoch + EPOCH_JUMP_MAX


def _deed(before: Statement | None, after: Statement) -> tuple[str, str] | None:
    """Return what became of a branch, as a kind of event and in words; None if nothing did."""
    if before is not None and (before.state, before.life) == (after.state, after.life):
        return None
    where = after.profile.calls_at
    kind, words = {
        BranchState.ALIVE: ("returned", f"is back at {where}"),
        BranchState.SUSPECT: ("suspect", f"is silent, says {after.by!r}"),
        BranchState.FAILED: ("failed", f"has failed, says {after.by!r}; it was at {where}"),
        BranchState.LEAVING: ("leaving", "is about to stop"),
        BranchState.LEFT: ("left", "stopped as it was asked to"),
    }[after.state]
    if before is None and after.state is BranchState.ALIVE:
        return "joined", f"is in the cluster, at {where}"
    return kind, words
