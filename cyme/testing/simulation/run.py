"""One run of the simulator: a seed, what goes wrong by it, and whether the rules held."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from cyme.core.cluster.messages import Message
from cyme.core.cluster.node import Node
from cyme.testing.simulation.chance import chance
from cyme.testing.simulation.faults import FAULTS, Event, plan, schedule
from cyme.testing.simulation.figures import Figures
from cyme.testing.simulation.network import Weather
from cyme.testing.simulation.transcript import Transcript
from cyme.testing.simulation.watch import Violation
from cyme.testing.simulation.world import NodeFactory, World

#: Clusters of this many branches, where nobody says how many.
SMALL = (2, 7)

#: Faults begin within so long, where nobody says how long, in seconds.
_UNTIL_S = (15.0, 60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a run came to.

    Attributes:
        seed: Its seed.
        branches: How many branches it had.
        events: What happened.
        violation: Which rule was broken and how, None if none was.
        settled_s: Seconds from the end of the faults until everything was as it should be.
        seconds: How long it lasted in virtual time.
        happened: How many steps it took.
        digest: Runs that went the same way have the same.
        figures: What was counted.
        latest: The latest lines of its transcript.
    """

    seed: int
    branches: int
    events: tuple[Event, ...]
    violation: Violation | None
    settled_s: float | None
    seconds: float
    happened: int
    digest: str
    figures: Figures
    latest: tuple[str, ...]

    @property
    def command(self) -> str:
        """What replays it."""
        return f"python -m cyme.testing --seed {self.seed} --branches {self.branches}"


def branches_of(seed: int) -> int:
    """Return how many branches a seed stands for where nobody says how many."""
    return chance(seed, "branches").randint(*SMALL)


def events_of(
    seed: int, branches: int, *, kinds: Collection[str] = tuple(FAULTS), until: float | None = None
) -> list[Event]:
    """Return what happens by a seed.

    Args:
        seed: The seed.
        branches: How many branches there are.
        kinds: Which faults there may be.
        until: Nothing begins later, in seconds; None leaves it to the seed.
    """
    random = chance(seed, "schedule")
    own = random.uniform(*_UNTIL_S)
    names = [f"b{number}" for number in range(1, branches + 1)]
    return schedule(random, names, own if until is None else until, kinds)


def simulate(
    seed: int,
    branches: int | None = None,
    *,
    events: Sequence[Event] | None = None,
    transcript: Transcript | None = None,
    weigh: Callable[[Message], int] | None = None,
    node: NodeFactory = Node,
) -> Verdict:
    """Run a cluster through what goes wrong by a seed, then see whether it recovers.

    Args:
        seed: The seed.
        branches: How many branches; None leaves it to the seed.
        events: What happens; None leaves it to the seed.
        transcript: Where to tell what happens.
        weigh: Returns the bytes of a message.
        node: Makes a node.
    """
    count = branches_of(seed) if branches is None else branches
    events = events_of(seed, count) if events is None else events
    transcript = Transcript() if transcript is None else transcript
    random = chance(seed, "conditions")
    weather = Weather(
        loss=random.choice([0.0, 0.0, 0.002, 0.02]),
        echo=random.choice([0.0, 0.0, 0.01]),
        ordered=random.random() < 0.5,  # noqa: PLR2004 - a coin
    )
    world = World(
        seed,
        count,
        weather=weather,
        beacon=random.random() < 0.5,  # noqa: PLR2004 - a coin
        transcript=transcript,
        weigh=weigh,
        node=node,
    )
    for machine in world.machines.values():
        machine.protocol = random.choice([(1, 1), (1, 1), (1, 2)])
        machine.instances_max = random.choice([1000, 1000, 1000, 3, 1])
    violation: Violation | None = None
    settled_s: float | None = None
    try:
        world.start_all()
        plan(world, events)
        last = max((event.at + (event.lasts_s or 0.0) for event in events), default=0.0)
        world.run(min(last, events[-1].at + 25.0 if events else 0.0) + 1.0)
        world.heal()
        if random.random() < 0.8:  # noqa: PLR2004 - mostly everybody returns
            world.return_all()
        settled_s = world.settle()
    except Violation as broken:
        violation = broken
    return Verdict(
        seed=seed,
        branches=count,
        events=tuple(events),
        violation=violation,
        settled_s=settled_s,
        seconds=world.timeline.now,
        happened=world.timeline.happened,
        digest=transcript.digest,
        figures=world.watch.figures,
        latest=tuple(transcript.latest),
    )


def shrink(verdict: Verdict, *, node: NodeFactory = Node) -> Verdict:
    """Return a run of fewer events that breaks the same rule.

    Args:
        verdict: A run that broke a rule.
        node: Makes a node.
    """
    assert verdict.violation is not None
    # What begins a run stays: without it everything would be another story.
    first_event, *events = verdict.events
    chunk = max(1, len(events) // 2)
    while True:
        shrunk = False
        first = 0
        while first < len(events):
            fewer = events[:first] + events[first + chunk :]
            tried = simulate(
                verdict.seed, verdict.branches, events=[first_event, *fewer], node=node
            )
            if tried.violation is not None and tried.violation.rule == verdict.violation.rule:
                verdict, events, shrunk = tried, fewer, True
            else:
                first += chunk
        if chunk == 1 and not shrunk:
            return verdict
        chunk = max(1, chunk // 2)
