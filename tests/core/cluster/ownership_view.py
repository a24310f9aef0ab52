"""One branch's ownership, and a view of the cluster that a test writes by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from cyme.core.branches import BranchState
from cyme.core.cluster.effects import Effect, Tell
from cyme.core.cluster.grounds import View
from cyme.core.cluster.members import Profile, Statement
from cyme.core.cluster.ownership import Ownership, OwnershipPolicy, Verdict
from cyme.core.model import App, BranchId, Instance, Stamp, merged
from tests.core import records

ALIVE, SUSPECT, FAILED = BranchState.ALIVE, BranchState.SUSPECT, BranchState.FAILED
LEAVING, LEFT = BranchState.LEAVING, BranchState.LEFT

#: When the branch of a test began, so that a forgotten time of 0 is seen to matter.
START = 10_000.0

E = TypeVar("E", bound=Effect)


def profile(**said: Any) -> Profile:
    return Profile(calls_at="tcp://h:1", beats_at="tcp://h:2", **said)


def instance(
    name: str = "w", home: str = "b1", owner: str | None = None, **fields: Any
) -> Instance:
    return replace(
        records.instance(name),
        home=BranchId(home),
        owner=BranchId(owner or home),
        **fields,
    )


def but(record: Instance, **fields: Any) -> Instance:
    """Return a record that differs in some fields."""
    return replace(record, **fields)


class FakeView:
    """The ``View`` port, as a test says."""

    def __init__(self, me: str, *others: str) -> None:
        self.me = BranchId(me)
        self.fenced = False
        self.joined_at: float | None = START
        self.records: dict[str, Instance] = {}
        self.apps: dict[str, App] = {"shop": records.app()}
        self.profiles = {branch: profile() for branch in (me, *others)}
        self.states = dict.fromkeys(self.profiles, (ALIVE, START))
        self.arrived: dict[str, float] = {}

    @property
    def profile(self) -> Profile:
        return self.profiles[self.me]

    def instance(self, name: str) -> Instance | None:
        return self.records.get(name)

    def _living(self, wanted: Callable[[Instance], bool]) -> list[Instance]:
        living = [self.records[name] for name in sorted(self.records)]
        return [record for record in living if not record.deleted and wanted(record)]

    def owners(self) -> Sequence[BranchId]:
        return sorted({record.owner for record in self._living(lambda _: True)})

    def owned_by(self, branch: str) -> Sequence[Instance]:
        return self._living(lambda record: record.owner == branch)

    def owned(self, branch: str) -> int:
        return len(self.owned_by(branch))

    def away_from(self, home: str) -> Sequence[Instance]:
        return self._living(lambda record: record.home == home != record.owner)

    def arrived_at(self, name: str) -> float:
        return self.arrived.get(name, 0.0)

    def app(self, name: str) -> App | None:
        return self.apps.get(name)

    def state(self, branch: str) -> BranchState | None:
        return self.states.get(branch, (None, 0.0))[0]

    def state_since(self, branch: str) -> float:
        return self.states.get(branch, (None, 0.0))[1]

    def statements(self) -> Sequence[Statement]:
        return [
            Statement(
                branch=BranchId(branch),
                boot=1,
                incarnation=0,
                state=self.states[branch][0],
                by=BranchId(branch),
                profile=self.profiles[branch],
            )
            for branch in sorted(self.states)
        ]


class Seat:
    """A branch's ownership with its view and its time; keeps all effects.

    Attributes:
        effects: All that it asked for, in order.
    """

    def __init__(self, me: str, *others: str, **policy: Any) -> None:
        self.view = FakeView(me, *others)
        self.policy = OwnershipPolicy(**policy)
        self.ownership = Ownership(self.policy)
        self.now = START
        self.effects: list[Effect] = []
        port: View = self.view
        self._port = port

    def know(self, *known: Instance) -> Seat:
        """Have records from the start on."""
        self.view.records |= {record.name: record for record in known}
        return self

    def fate(self, branch: str, state: BranchState | None) -> Seat:
        """Have a branch be in another state from now on."""
        if state is None:
            del self.view.states[branch]
        else:
            self.view.states[branch] = (state, self.now)
        return self

    def change(self, branch: str, **said: Any) -> Seat:
        """Have a branch say something else of itself."""
        self.view.profiles[branch] = replace(self.view.profiles[branch], **said)
        return self

    def tick(self) -> list[Effect]:
        return self._keep(self.ownership.on_tick(self.now, self._port))

    def wait(self, seconds: float) -> list[Effect]:
        """Let time go by, in smaller steps if it is little; return what was asked for."""
        before = len(self.effects)
        tick_s = 0.1 if seconds <= 5 else 0.5
        for _ in range(round(seconds / tick_s)):
            self.now += tick_s
            self.tick()
        return self.effects[before:]

    def learn(self, record: Instance) -> list[Effect]:
        """Apply a record that was written here or came from another branch."""
        before = self.view.records.get(record.name)
        after = merged(before, record)
        assert isinstance(after, Instance)
        if after is before:
            return []
        self.view.records[record.name] = after
        if before is None or before.owner != after.owner:
            self.view.arrived[record.name] = self.now
        return self._keep(self.ownership.on_applied(self.now, self._port, before, after))

    def examined(self, record: Instance, verdict: Verdict, why: str = "so it is") -> list[Effect]:
        return self._keep(self.ownership.on_examined(self.now, self._port, record, verdict, why))

    def prepared(self, record: Instance, *, running: bool = True) -> list[Effect]:
        return self._keep(
            self.ownership.on_prepared(
                self.now, self._port, record, running=running, why="" if running else "no python"
            )
        )

    def not_written(self, record: Instance) -> list[Effect]:
        return self._keep(self.ownership.on_not_written(self.now, self._port, record))

    def take(self, record: Instance) -> list[Effect]:
        return self._keep(self.ownership.take(self.now, self._port, record))

    def _keep(self, effects: list[Effect]) -> list[Effect]:
        self.effects += effects
        return effects


def of(kind: type[E], effects: list[Effect]) -> list[E]:
    """Return the effects of one kind."""
    return [effect for effect in effects if isinstance(effect, kind)]


def only(kind: type[E], effects: list[Effect]) -> E:
    """Return the one effect of a kind."""
    (effect,) = of(kind, effects)
    return effect


def told(effects: list[Effect]) -> list[str]:
    """Return the kinds of the events."""
    return [tell.kind for tell in of(Tell, effects)]


def edited(record: Instance, time_ms: int = 5, **fields: Any) -> Instance:
    """Return a record whose content somebody changed."""
    return replace(record, stamp=Stamp(time_ms, 0, "b9"), version=record.version + 1, **fields)


#: What is at home on b1 while b2 owns it, and what b1 makes of it as it takes it back.
AWAY = instance("w", home="b1", owner="b2", epoch=4)
MINE = but(AWAY, owner="b1", epoch=5)


def home(*away: Instance, **policy: object) -> Seat:
    """Return the seat of b1, settled, which then learns that b2 owns what is at home here."""
    seat = Seat("b1", "b2", "b3", **policy)
    seat.wait(5)
    return seat.know(*(away or (AWAY,)))
