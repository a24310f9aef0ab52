"""Branches of a cluster, joined by a network in memory under a clock that the test moves.

Nothing is left to chance: the same test sees the same trace every time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from cyme.core.branches import BranchState
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
    Tell,
    Write,
)
from cyme.core.cluster.items import Item, key_of
from cyme.core.cluster.members import Profile, Statement
from cyme.core.cluster.messages import Beat, Hello, Message, Rumour, Sender
from cyme.core.cluster.node import TICK_S, Node, NodeSettings
from cyme.core.model import BranchId, Record, merged

ALIVE, SUSPECT, FAILED = BranchState.ALIVE, BranchState.SUSPECT, BranchState.FAILED
LEAVING, LEFT = BranchState.LEAVING, BranchState.LEFT

#: When tests begin, so that a forgotten time of 0 is seen to matter.
START = 1_000.0

#: How long a message is on its way, in seconds.
DELAY_S = 0.002

#: By which connection messages come that a test makes up.
LINK = b"by hand"

E = TypeVar("E", bound=Effect)
M = TypeVar("M", bound=Message)


def calls_at(host: str) -> str:
    return f"tcp://{host}:1"


def beats_at(host: str) -> str:
    return f"tcp://{host}:2"


def profile(host: str, nonce: str | None = None, **said: Any) -> Profile:
    return Profile(
        calls_at=calls_at(host),
        beats_at=beats_at(host),
        nonce=host if nonce is None else nonce,
        **said,
    )


def word(
    branch: str,
    state: BranchState = ALIVE,
    *,
    by: str | None = None,
    boot: int = 1,
    incarnation: int = 0,
    at: str | None = None,
    nonce: str | None = None,
) -> Statement:
    """Return a statement; of itself, and of its first life, unless said otherwise."""
    return Statement(
        branch=BranchId(branch),
        boot=boot,
        incarnation=incarnation,
        state=state,
        by=BranchId(by or branch),
        profile=profile(at or branch, nonce),
    )


def sender(branch: str, boot: int = 1, incarnation: int = 0) -> Sender:
    return Sender(BranchId(branch), boot, incarnation)


def rumour(origin: str, number: int, item: Item, boot: int = 1) -> Rumour:
    return Rumour(BranchId(origin), boot, number, item)


def of(kind: type[E], effects: Iterable[Effect]) -> list[E]:
    """Return the effects of one kind."""
    return [effect for effect in effects if isinstance(effect, kind)]


def messages(kind: type[M], effects: Iterable[Effect]) -> list[M]:
    """Return the messages of one kind that are to go out, published or not."""
    return [
        effect.message
        for effect in effects
        if isinstance(effect, Publish | Send | Reply) and isinstance(effect.message, kind)
    ]


class Branch:
    """One life of a branch, and all that it ever asked for.

    Attributes:
        id: Its id.
        host: Where it is.
        effects: All its effects, each with the time.
        settings: What it was told at its start.
        node: What it drives.
        disk: Its records.
        disk_s: How long the disk takes, in seconds; None if it never ends.
        known: The addresses that it remembers.
        hears: The addresses that it listens to.
        up: Whether it runs.
        paused: Whether it is stopped as by SIGSTOP.
        waiting: What arrived meanwhile.
        rests: Whether its next tick may come late, as nothing is under way.
        plan: Stands for the next tick that is planned.
    """

    def __init__(
        self, network: Network, host: str, settings: NodeSettings, records: Iterable[Record]
    ) -> None:
        self.id = settings.branch
        self.host = host
        self.link: Link = f"{host}/{settings.boot}/{settings.profile.nonce}".encode()
        self.settings = settings
        self.effects: list[tuple[float, Effect]] = []
        self.disk = {key_of(record): record for record in records}
        self.node = Node(settings, self.disk.values())
        self.disk_s: float | None = 0.005
        self.known = settings.known
        self.hears: frozenset[str] = frozenset()
        self.up = False
        self.paused = False
        self.waiting: list[tuple[Link | None, Message]] = []
        self.rests = False
        self.plan: object = None
        self._network = network

    # --- its deeds ------------------------------------------------------------------------------

    def do(self, effects: Sequence[Effect]) -> Sequence[Effect]:
        """Perform effects, and return them."""
        for effect in effects:
            self.effects.append((self._network.now, effect))
            self._network.perform(self, effect)
        self._network.stir(self)
        return effects

    def hear(self, message: Message, link: Link | None = LINK) -> Sequence[Effect]:
        """Take in a message that the test made up."""
        return self.do(self.node.on_message(self._network.now, link, message))

    def overhear(self, message: Message) -> Sequence[Effect]:
        """Take in a message that the test made up, as one that was published."""
        return self.hear(message, None)

    def tick(self) -> Sequence[Effect]:
        return self.do(self.node.on_tick(self._network.now))

    def find(self, *others: Branch) -> Sequence[Effect]:
        """Have the beacon find others."""
        return [
            effect
            for other in others
            for effect in self.do(self.node.on_found(self._network.now, calls_at(other.host)))
        ]

    def write(self, *records: Record) -> Sequence[Effect]:
        """Change records here."""
        for record in records:
            self.disk[key_of(record)] = merged(self.disk.get(key_of(record)), record)
        return self.do(self.node.on_applied(self._network.now, records, here=True))

    # --- what became of it ----------------------------------------------------------------------

    def did(self, kind: type[E], since: float = 0.0) -> list[E]:
        """Return its effects of one kind."""
        return of(kind, (effect for at, effect in self.effects if at >= since))

    def said(self, kind: type[M], since: float = 0.0) -> list[M]:
        """Return its messages of one kind."""
        return messages(kind, (effect for at, effect in self.effects if at >= since))

    def told(self, since: float = 0.0) -> list[str]:
        """Return the kinds of the events that it told its journal of."""
        return [tell.kind for tell in self.did(Tell, since)]

    def state(self, branch: str | Branch) -> BranchState | None:
        """Return what it holds a branch to be."""
        return self.node.state(branch if isinstance(branch, str) else branch.id)

    def sees(self) -> dict[str, BranchState]:
        """Return what it holds all to be."""
        return {said.branch: said.state for said in self.node.statements()}

    @property
    def halted(self) -> str | None:
        """Why it ended itself, None if it did not."""
        return next((halt.reason for halt in self.did(Halt)), None)


class Network:
    """Carries messages in order after ``DELAY_S``.

    Attributes:
        now: The time, in monotonic seconds.
        branches: Those that are up, by host.
        loses: Says of a message, with its source and its target, whether it is lost.
    """

    def __init__(self) -> None:
        self.now = START
        self.branches: dict[str, Branch] = {}
        self.loses: Callable[[Branch, Branch, Message], bool] = lambda *_: False
        self._cuts: set[tuple[str, str]] = set()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    # --- branches come and go -------------------------------------------------------------------

    def make(
        self,
        id_: str,
        *,
        at: str | None = None,
        boot: int = 1,
        nonce: str | None = None,
        url: str | None = None,
        joins: Sequence[str | Branch] = (),
        known: Sequence[str] = (),
        records: Sequence[Record] = (),
        **settings: Any,
    ) -> Branch:
        """Return a branch that is not up yet."""
        host = at or id_
        told = NodeSettings(
            branch=BranchId(id_),
            boot=boot,
            profile=profile(host, nonce, url=url),
            seed=int.from_bytes(f"{id_}{boot}".encode(), "big"),
            joins=tuple(calls_at(seed if isinstance(seed, str) else seed.host) for seed in joins),
            known=tuple(known),
            **settings,
        )
        return Branch(self, host, told, records)

    def start(self, branch: Branch) -> Branch:
        """Bring a branch up."""
        assert branch.host not in self.branches
        self.branches[branch.host] = branch
        branch.up = True
        branch.do(branch.node.start(self.now))
        self._plan(branch, TICK_S)
        return branch

    def add(self, id_: str, **settings: Any) -> Branch:
        """Bring up a new branch."""
        return self.start(self.make(id_, **settings))

    def cluster(self, count: int) -> list[Branch]:
        """Bring up branches that join the first, and wait until all know all and may act."""
        first = self.add("b0")
        branches = [first]
        for number in range(1, count):
            self.run(0.05)
            branches.append(self.add(f"b{number}", joins=[first]))
        self.until(lambda: agree(branches) and not any(each.node.fenced for each in branches), 30.0)
        return branches

    def kill(self, *branches: Branch) -> None:
        """End branches as by SIGKILL."""
        for branch in branches:
            branch.up = False
            self.branches.pop(branch.host, None)

    def restart(self, branch: Branch, *, at: str | None = None, **changes: Any) -> Branch:
        """Bring a branch up again that was killed or has left, with what it remembers."""
        boot = changes.pop("boot", branch.settings.boot + 1)
        again = {
            "at": at or branch.host,
            "nonce": f"{branch.settings.profile.nonce}'",
            "known": branch.known,
            "records": tuple(branch.disk.values()),
            **changes,
        }
        new = self.make(branch.id, boot=boot, **again)
        new.disk_s = branch.disk_s
        return self.start(new)

    def pause(self, *branches: Branch) -> None:
        """Stop branches as by SIGSTOP: what arrives waits."""
        for branch in branches:
            branch.paused = True

    def wake(self, *branches: Branch) -> None:
        """Let branches go on: what arrived is taken in first."""
        for branch in branches:
            branch.paused = False
            waiting, branch.waiting = branch.waiting, []
            for link, message in waiting:
                branch.hear(message, link)
            branch.tick()
            self._plan(branch, TICK_S)

    # --- faults ---------------------------------------------------------------------------------

    def cut(self, some: Iterable[Branch], others: Iterable[Branch], *, back: bool = True) -> None:
        """Lose all between some branches and others; without ``back``, only on the way there."""
        far = list(others)
        for one in some:
            for other in far:
                self._cuts.add((one.host, other.host))
                if back:
                    self._cuts.add((other.host, one.host))

    def heal(self) -> None:
        self._cuts.clear()

    # --- time -----------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Let time go by."""
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self._step()
        self.now = end

    def until(self, comes_true: Callable[[], bool], within_s: float) -> float:
        """Let time go by until something comes true; return how long that took, in seconds."""
        began = self.now
        while not comes_true():
            assert self._due[0][0] <= began + within_s, f"not within {within_s} s"
            self._step()
        return self.now - began

    def _step(self) -> None:
        self.now, _, happen = heapq.heappop(self._due)
        happen()

    def _later(self, delay_s: float, happen: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (self.now + delay_s, self._count, happen))

    def _plan(self, branch: Branch, pause_s: float) -> None:
        """Tick a branch next after a pause, and not when it was planned before."""
        branch.rests = pause_s > TICK_S
        branch.plan = plan = object()
        self._later(pause_s, lambda: self._tick(branch, plan))

    def stir(self, branch: Branch) -> None:
        """Tick a branch soon that is calm no more, as the driver does."""
        if branch.rests and not branch.node.calm:
            self._plan(branch, TICK_S)

    def _tick(self, branch: Branch, plan: object) -> None:
        if branch.up and not branch.paused and branch.plan is plan:
            branch.tick()
            self._plan(branch, branch.node.pause_s(self.now))

    # --- effects --------------------------------------------------------------------------------

    def perform(self, branch: Branch, effect: Effect) -> None:
        match effect:
            case Publish() | Send() | Reply():
                for other in self._targets(branch, effect):
                    link = None if isinstance(effect, Publish) else branch.link
                    self._carry(branch, other, effect.message, link)
            case Listen():
                branch.hears = effect.endpoints
            case Remember():
                branch.known = effect.endpoints
            case Absorb():
                self._store(branch, effect.records, here=False)
            case Write():
                self._store(branch, (effect.instance,), here=True)
            case Halt():
                self.kill(branch)
            case _:
                pass  # nobody is there to perform it; the test may look at it

    def _targets(self, branch: Branch, effect: Publish | Send | Reply) -> list[Branch]:
        def is_meant(other: Branch) -> bool:
            match effect:
                case Publish():
                    return beats_at(branch.host) in other.hears
                case Send():
                    return calls_at(other.host) == effect.endpoint
            return other.link == effect.link

        return [other for other in self.branches.values() if is_meant(other)]

    def _carry(self, source: Branch, target: Branch, message: Message, link: Link | None) -> None:
        if (source.host, target.host) not in self._cuts and not self.loses(source, target, message):
            self._later(DELAY_S, lambda: self._deliver(target, message, link))

    def _deliver(self, target: Branch, message: Message, link: Link | None) -> None:
        if target.paused:
            target.waiting.append((link, message))
        elif target.up:
            target.hear(message, link)

    def _store(self, branch: Branch, records: Sequence[Record], *, here: bool) -> None:
        if branch.disk_s is not None:
            self._later(branch.disk_s, lambda: self._stored(branch, records, here=here))

    def _stored(self, branch: Branch, records: Sequence[Record], *, here: bool) -> None:
        if not branch.up:
            return
        for record in records:
            branch.disk[key_of(record)] = merged(branch.disk.get(key_of(record)), record)
        now_there = [branch.disk[key_of(record)] for record in records]
        branch.do(branch.node.on_applied(self.now, now_there, here=here))


def agree(branches: Iterable[Branch]) -> bool:
    """Tell whether branches know the same, all of them alive."""
    some = list(branches)
    ids = {branch.id for branch in some}
    return len({branch.node.digest for branch in some}) == 1 and all(
        {id_ for id_, state in branch.sees().items() if state is ALIVE} >= ids for branch in some
    )


def hello(branch: str, *, boot: int = 1, at: str | None = None, **said: Any) -> Hello:
    """Return the greeting of a branch."""
    checked = said.pop("checked", False)
    return Hello(
        sender=sender(branch, boot), profile=profile(at or branch, **said), checked=checked
    )


def beat(branch: str, *, head: int = 0, boot: int = 1) -> Beat:
    return Beat(sender=sender(branch, boot), head=head, digest=0, lag_ms=0)
