"""What may go wrong, and a schedule of it that is a function of the seed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random

from cyme.core.cluster.items import Key
from cyme.testing.simulation.network import Weather, one_way, split
from cyme.testing.simulation.service import APP
from cyme.testing.simulation.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happens to a cluster.

    Attributes:
        at: When, in seconds from the beginning.
        kind: What: one of ``FAULTS`` or ``DEEDS``.
        who: To which machine, or at which.
        lasts_s: For how long; for ever if it is None.
        others: Further machines.
        name: The record that it is about.
        value: How much.
    """

    at: float
    kind: str
    who: str
    lasts_s: float | None = None
    others: tuple[str, ...] = ()
    name: Key = ()
    value: float = 0.0

    def __str__(self) -> str:
        lasts = "" if self.lasts_s is None else f" for {self.lasts_s:.1f} s"
        told = [" ".join(self.others), "/".join(self.name), f"{self.value:.2f}"]
        return f"{self.at:.1f} {self.kind} {self.who}{lasts} ({', '.join(filter(None, told))})"


Begin = Callable[[World, Event], Callable[[], None] | None]


def plan(world: World, events: Sequence[Event]) -> None:
    """Have events happen in a world."""
    for event in events:
        world.timeline.after(max(0.0, event.at - world.timeline.now), _happen, world, event)


def _happen(world: World, event: Event) -> None:
    if event.who not in world.machines:
        return
    if event.kind in FAULTS:
        world.note("-", f"fault: {event}")
        end = FAULTS[event.kind](world, event)
        if end is not None and event.lasts_s is not None:
            world.timeline.after(event.lasts_s, end)
    else:
        _do(world, event)


# --- faults --------------------------------------------------------------------------------------


def _crash(world: World, event: Event) -> Callable[[], None]:
    world.crash(event.who)
    return lambda: world.start(event.who)


def _power(world: World, event: Event) -> Callable[[], None]:
    world.power_off(event.who)
    return lambda: world.power_on(event.who)


def _pause(world: World, event: Event) -> Callable[[], None]:
    world.pause(event.who)
    return lambda: world.resume(event.who)


def _freeze(world: World, event: Event) -> Callable[[], None]:
    world.pause(event.who, machine=True)
    return lambda: world.resume(event.who)


def _split(world: World, event: Event) -> Callable[[], None]:
    group = (event.who, *event.others)
    rest = [name for name in world.machines if name not in group]
    return _wall(world, split(group, rest))


def _isolate(world: World, event: Event) -> Callable[[], None]:
    """Cut a machine off from everything, the broker included."""
    heal = _split(world, event)
    world.broker.cut_off.add(event.who)

    def end() -> None:
        heal()
        world.disturb()
        world.broker.cut_off.discard(event.who)

    return end


def _cut(world: World, event: Event) -> Callable[[], None]:
    return _wall(world, one_way(event.who, event.others[0]))


def _wall(world: World, wall: Callable[[str, str], bool]) -> Callable[[], None]:
    world.disturb()
    world.network.walls.append(wall)

    def fall() -> None:
        world.disturb()
        if wall in world.network.walls:
            world.network.walls.remove(wall)

    return fall


def _storm(world: World, event: Event) -> Callable[[], None]:
    world.disturb()
    world.network.weather = Weather(
        latency_s=(0.001, 0.4), loss=event.value * 0.3, echo=event.value * 0.2, ordered=False
    )

    def clear() -> None:
        world.disturb()
        world.network.weather = world.weather

    return clear


def _deaf(world: World, event: Event) -> Callable[[], None]:
    world.disturb()
    world.network.deaf[event.who] = 0.5 + event.value / 2
    return lambda: _pop(world, world.network.deaf, event.who)


def _slow(world: World, event: Event) -> Callable[[], None]:
    world.disturb()
    world.network.slow[event.who] = 0.2 + 1.8 * event.value
    return lambda: _pop(world, world.network.slow, event.who)


def _pop(world: World, faulty: dict[str, float], name: str) -> None:
    world.disturb()
    faulty.pop(name, None)


def _broker(
    world: World,
    event: Event,  # noqa: ARG001 - every fault comes with its event
) -> Callable[[], None]:
    world.disturb()
    world.broker.up = False

    def back() -> None:
        world.disturb()
        world.broker.up = True

    return back


def _no_broker(world: World, event: Event) -> Callable[[], None]:
    world.disturb()
    world.broker.cut_off.add(event.who)

    def back() -> None:
        world.disturb()
        world.broker.cut_off.discard(event.who)

    return back


def _disk(world: World, event: Event) -> Callable[[], None]:
    disk = world.machines[event.who].disk
    world.disturb()
    disk.full = True

    def back() -> None:
        world.disturb()
        disk.full = False

    return back


def _skew(world: World, event: Event) -> None:
    world.machines[event.who].skew_s = (event.value - 0.5) * 240.0


def _leave(world: World, event: Event) -> Callable[[], None]:
    world.leave(event.who)
    return lambda: world.start(event.who)


def _drain(world: World, event: Event) -> Callable[[], None]:
    world.drain(event.who, drained=True)
    return lambda: world.drain(event.who, drained=False)


def _unfit(world: World, event: Event) -> Callable[[], None]:
    machine = world.machines[event.who]
    world.disturb()
    machine.capable = False

    def back() -> None:
        world.disturb()
        machine.capable = True

    return back


def _clone(world: World, event: Event) -> None:
    world.clone(event.who)


def _impostor(world: World, event: Event) -> None:
    world.clone(event.who, empty=True)


def _kill(world: World, event: Event) -> None:
    world.kill_worker(int(event.value * 1000))


FAULTS: dict[str, Begin] = {
    "crash": _crash,
    "power": _power,
    "pause": _pause,
    "freeze": _freeze,
    "split": _split,
    "isolate": _isolate,
    "cut": _cut,
    "storm": _storm,
    "deaf": _deaf,
    "slow": _slow,
    "broker": _broker,
    "no-broker": _no_broker,
    "disk": _disk,
    "skew": _skew,
    "leave": _leave,
    "drain": _drain,
    "unfit": _unfit,
    "clone": _clone,
    "impostor": _impostor,
    "kill": _kill,
}

#: Faults that come more or less often than the others, by so much.
_WEIGHTS = {
    "power": 2.0,
    "isolate": 2.0,
    "freeze": 2.0,
    "split": 2.0,
    "clone": 0.3,
    "impostor": 0.3,
    "skew": 0.5,
    "kill": 0.5,
}

#: For how long faults last: a short one, a long one, in seconds.
_SHORT_S = (0.2, 8.0)
_LONG_S = (15.0, 50.0)


# --- deeds ---------------------------------------------------------------------------------------

DEEDS = ("put", "delete", "create", "change", "enable", "disable", "remove", "move", "count")

#: The app of all instances; nobody deletes it.
_SHOP: Key = ("app", APP)

_DECLARATIONS: tuple[Key, ...] = (
    ("app", "a1"),
    ("app", "a2"),
    ("queue", "shop", "q1"),
    ("queue", "shop", "q2"),
)
_INSTANCES = ("w1", "w2", "w3", "w4", "w5-pinned")


def _do(world: World, event: Event) -> None:
    life = world.machines[event.who].life
    if life is None or not life.acts or life.leaving or not life.node.joined:
        return
    world.note(event.who, f"is asked to {event.kind} {'/'.join(event.name)}")
    target = event.others[0] if event.others else ""
    match event.kind:
        case "put" | "delete":
            life.service.declare(event.name, event.kind)
        case "count":
            life.service.call(target, "count", {})
        case "remove":
            life.service.ask(event.name[1], "delete", target)
        case _:
            life.service.ask(event.name[1], event.kind, target)


# --- schedules -----------------------------------------------------------------------------------


def schedule(
    random: Random, names: Sequence[str], until: float, kinds: Collection[str] = tuple(FAULTS)
) -> list[Event]:
    """Return faults and deeds, in order.

    Args:
        random: Chance.
        names: The machines.
        until: Nothing begins later, in seconds.
        kinds: Which faults there may be.
    """
    events = [Event(at=5.0, kind="put", who=names[0], name=_SHOP)]
    events += [
        Event(
            at=random.uniform(5.5, 8.0),
            kind="create",
            who=random.choice(names),
            others=(random.choice(names),),
            name=("instance", name),
        )
        for name in random.sample(_INSTANCES, random.randint(1, len(_INSTANCES)))
    ]
    events += [_deed(random, names, until) for _ in range(random.randint(0, 20))]
    if kinds:
        # A few kinds a run, so that the same thing may go wrong twice.
        weights = [_WEIGHTS.get(kind, 1.0) for kind in kinds]
        some = random.choices(list(kinds), weights, k=random.randint(1, 6))
        for _ in range(random.randint(1, 10)):
            events.append(_fault(random, names, until, random.choice(some)))
    return sorted(events, key=lambda event: event.at)


def _fault(random: Random, names: Sequence[str], until: float, kind: str) -> Event:
    others = list(names)
    who = random.choice(others)
    others.remove(who)
    if kind == "split":
        chosen = tuple(random.sample(others, random.randint(0, max(0, len(others) - 1))))
    elif kind == "isolate":
        chosen = ()
    else:
        chosen = (random.choice(others or [who]),)
    lasts = random.uniform(*random.choice([_SHORT_S, _LONG_S]))
    for_ever = kind in {"crash", "power"} and random.random() < 0.15  # noqa: PLR2004 - few
    return Event(
        at=random.uniform(8.0, until),
        kind=kind,
        who=who,
        lasts_s=None if for_ever else lasts,
        others=chosen,
        value=random.random(),
    )


def _deed(random: Random, names: Sequence[str], until: float) -> Event:
    kind = random.choice(DEEDS)
    declares = kind in {"put", "delete"}
    name = random.choice(_DECLARATIONS) if declares else ("instance", random.choice(_INSTANCES))
    return Event(
        at=random.uniform(8.0, until),
        kind=kind,
        who=random.choice(names),
        others=(random.choice(names),),
        name=name,
    )
