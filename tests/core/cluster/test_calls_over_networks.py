"""Calls end once and in time over a network that loses, doubles and delays."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cyme.core.cluster.calls import KEPT_S, Calls
from cyme.core.cluster.effects import Effect, Perform, Reply, Send, Settle
from cyme.core.cluster.messages import Answer, Call, Sender
from cyme.core.model import BranchId

B = BranchId("b")
AT_B = "tcp://b:1"


@dataclass
class _Frame:
    """A message under way, and to whom."""

    to: str
    message: Call | Answer


class World:
    """Two branches that call a third over a network that loses, doubles and delays.

    The third may be started again: it forgets, and has another boot.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.asking = {"a": Calls(), "c": Calls()}
        self.asked = Calls()
        self.boot = 1
        self.frames: list[_Frame] = []
        self.performing: list[tuple[str, str, float]] = []
        self.made: dict[tuple[str, str], tuple[float, int]] = {}  # the deadline, and for which boot
        self.settled: dict[tuple[str, str], Settle] = {}
        self.performed: dict[tuple[str, str, int], float] = {}

    # --- what may happen ------------------------------------------------------------------------

    def call(self, origin: str, call: str, timeout_s: float, boot: int) -> None:
        if (origin, call) in self.made:
            return
        self.made[origin, call] = (self.now + timeout_s, boot)
        effects = self.asking[origin].call(
            self.now,
            _sender(origin),
            call=call,
            target=B,
            endpoint=AT_B,
            boot=boot,
            method="m",
            arguments=b"",
            timeout_s=timeout_s,
        )
        self._take(origin, effects)

    def deliver(self, place: int) -> None:
        if self.frames:
            self._hear(self.frames.pop(place % len(self.frames)))

    def repeat(self, place: int) -> None:
        if self.frames:
            self._hear(self.frames[place % len(self.frames)])

    def lose(self, place: int) -> None:
        if self.frames:
            del self.frames[place % len(self.frames)]

    def perform(self, place: int) -> None:
        if not self.performing:
            return
        origin, call, _ = self.performing.pop(place % len(self.performing))
        value = f"{call} for {origin}".encode()
        self._take("b", self.asked.on_performed(self.now, self._b, call, ok=True, value=value))

    def pass_time(self, time_s: float) -> None:
        self.now += time_s
        self.performing = [made for made in self.performing if made[2] + KEPT_S > self.now]
        self._take("b", self.asked.on_tick(self.now, self._b))
        for origin, asking in self.asking.items():
            self._take(origin, asking.on_tick(self.now, _sender(origin)))
        for name, (deadline, _) in self.made.items():
            assert name in self.settled or self.now < deadline

    def fail(self) -> None:
        for origin, asking in self.asking.items():
            self._take(origin, asking.on_gone(self.now, B))

    def restart(self) -> None:
        self.boot += 1
        self.asked = Calls()
        self.performing.clear()
        for origin, asking in self.asking.items():
            self._take(origin, asking.on_life(self.now, B, self.boot))

    # --- what has to hold -----------------------------------------------------------------------

    @property
    def _b(self) -> Sender:
        return Sender(B, self.boot, 0)

    def _hear(self, frame: _Frame) -> None:
        match frame.message:
            case Call() as message:
                link = message.sender.branch.encode()
                self._take("b", self.asked.on_call(self.now, self._b, link, message))
            case Answer() as message:
                self._take(frame.to, self.asking[frame.to].on_answer(self.now, message))

    def _take(self, branch: str, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(_, Call() as message):
                    self.frames.append(_Frame("b", message))
                case Reply(link, Answer() as message):
                    self.frames.append(_Frame(link.decode(), message))
                case Settle():
                    self._settle(branch, effect)
                case Perform():
                    self._begin(effect)
                case _:
                    raise AssertionError(effect)

    def _settle(self, origin: str, settle: Settle) -> None:
        assert (origin, settle.call) not in self.settled
        assert settle.ok is not settle.in_doubt
        if settle.ok:
            assert settle.value == f"{settle.call} for {origin}".encode()
        self.settled[origin, settle.call] = settle

    def _begin(self, perform: Perform) -> None:
        _, boot = self.made[perform.origin, perform.call]
        assert boot in {0, self.boot}
        name = (perform.origin, perform.call, self.boot)
        assert self.performed.get(name, -KEPT_S) <= self.now - KEPT_S
        self.performed[name] = self.now
        self.performing.append((perform.origin, perform.call, self.now))


def _sender(origin: str) -> Sender:
    return Sender(BranchId(origin), 1, 0)


_places = st.integers(0, 1000)
_steps = st.one_of(
    st.tuples(
        st.just("call"),
        st.sampled_from("ac"),
        st.sampled_from(["1", "2", "3"]),
        st.floats(0.5, 30.0),
        st.integers(0, 3),
    ),
    *(
        st.tuples(st.just(name), _places)
        for name in ["deliver", "deliver", "repeat", "repeat", "lose", "perform", "perform"]
    ),
    st.tuples(st.just("pass_time"), st.floats(0.1, 3.0)),
    st.tuples(st.just("pass_time"), st.sampled_from([5.0, 300.0, 599.0])),
    st.tuples(st.just("fail")),
    st.tuples(st.just("restart")),
)


@settings(max_examples=150)
@given(st.lists(_steps, max_size=60))
def test_every_call_ends_once_in_time_and_has_one_effect_whatever_the_network_does(
    steps: list[tuple[Any, ...]],
) -> None:
    world = World()
    for name, *arguments in steps:
        getattr(world, name)(*arguments)
    world.pass_time(30.0)
    assert world.settled.keys() == world.made.keys()


def test_over_a_network_that_loses_little_calls_are_answered() -> None:
    world = World()
    for number in range(200):
        world.call("ac"[number % 2], f"{number}", 60.0, 1)
    chance = random.Random(7)
    deeds = [*[world.deliver] * 6, world.repeat, world.lose]
    while world.made.keys() - world.settled.keys():
        for _ in range(len(world.frames)):
            chance.choice(deeds)(chance.randrange(1000))
        for _ in range(len(world.performing)):
            world.perform(chance.randrange(1000))
        world.pass_time(0.5)
    assert all(settle.ok for settle in world.settled.values())
    assert len(world.performed) == 200
