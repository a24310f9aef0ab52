"""A network that is made of faults.

What is sent goes through connections, which keep the order and lose what they lose in one piece:
a connection that breaks takes all that is under way in both directions with it, and is there
again a moment later. A message to an endpoint where nobody is vanishes. What is published goes
to whoever listens to its publisher's endpoint, each on its own way: it may be lost, come twice
and be overtaken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from cyme.core.cluster.effects import Link
from cyme.core.cluster.messages import Directed, Message, Published
from cyme.testing.simulation.timeline import Timeline

if TYPE_CHECKING:
    from cyme.testing.simulation.life import Life

#: It takes a subscriber so long to reach its publisher, in seconds.
_SUBSCRIBING_S = (0.001, 0.1)

#: A second copy of a message comes so much later, in seconds.
_ECHO_S = (0.0, 0.5)

#: A connection that broke is there again after so long, in seconds.
_BROKEN_S = (0.05, 1.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How the whole network is.

    Attributes:
        latency_s: The shortest and the longest way of a message; short ones are more frequent.
        loss: How likely a published message is lost, or a sent one breaks its connection; 0 to 1.
        echo: How likely a message arrives twice.
        ordered: Whether published messages of one branch arrive in order too.
    """

    latency_s: tuple[float, float] = (0.0002, 0.05)
    loss: float = 0.0
    echo: float = 0.0
    ordered: bool = False


#: Tells whether nothing passes from one machine to another.
Wall = Callable[[str, str], bool]


@dataclass(slots=True, eq=False)
class _Connection:
    """A connection of one branch's client end to another's ROUTER socket.

    Attributes:
        client: Who opened it.
        server: Who is asked by it.
        back_at: When it is there again.
        breaks: How often it broke.
        arrivals: When the latest message to the client, and to the server, arrives.
    """

    client: Life
    server: Life
    back_at: float = 0.0
    breaks: int = 0
    arrivals: list[float] = field(default_factory=lambda: [0.0, 0.0])


def split(*groups: Collection[str]) -> Wall:
    """Return a wall between groups of machines; who is in no group is alone."""
    group_of = {name: number for number, group in enumerate(groups) for name in group}
    return lambda source, target: group_of.get(source, source) != group_of.get(target, target)


def one_way(source: str, target: str) -> Wall:
    """Return a wall that lets nothing pass from one machine to another."""
    return lambda a, b: (a, b) == (source, target)


class Network:
    """Carries messages between the living.

    Args:
        timeline: Time.
        random: Chance.
        weather: How the network is.

    Attributes:
        walls: What stands between machines.
        deaf: Machines that lose what is published, and how likely.
        slow: Machines whose messages take longer, by so many seconds at most.
        weigh: Returns the bytes of a message; None if nobody wants to know.
        on_message: Called with every message that is sent: its sender and to how many it goes.
    """

    def __init__(self, timeline: Timeline, random: Random, weather: Weather) -> None:
        self._timeline = timeline
        self._random = random
        self.weather = weather
        self.walls: list[Wall] = []
        self.deaf: dict[str, float] = {}
        self.slow: dict[str, float] = {}
        self.on_message: Callable[[Life, Message, int], None] | None = None
        self._routers: dict[str, Life] = {}
        self._links: dict[Link, Life] = {}
        self._listeners: dict[str, dict[Life, float]] = {}
        self._listening: dict[Life, frozenset[str]] = {}
        self._arrivals: dict[tuple[Life, Life], float] = {}
        self._connections: dict[tuple[Life, Life], _Connection] = {}

    # --- who is there ---------------------------------------------------------------------------

    def attach(self, life: Life) -> None:
        """Let a branch be reached."""
        self._routers[life.calls_at] = life
        self._links[life.link] = life

    def detach(self, life: Life) -> None:
        """Let a branch be reached no more."""
        self.listen(life, frozenset())
        if self._routers.get(life.calls_at) is life:
            del self._routers[life.calls_at]
        self._links.pop(life.link, None)
        self._listening.pop(life, None)

    def listen(self, life: Life, endpoints: frozenset[str]) -> None:
        """Have a branch hear what is published at these endpoints, and nothing else."""
        before = self._listening.get(life, frozenset())
        for endpoint in before - endpoints:
            self._listeners[endpoint].pop(life, None)
        for endpoint in sorted(endpoints - before):
            since = self._timeline.now + self._random.uniform(*_SUBSCRIBING_S)
            self._listeners.setdefault(endpoint, {})[life] = since
        self._listening[life] = endpoints

    def reaches(self, source: str, target: str) -> bool:
        """Tell whether no wall stands between two machines."""
        return source == target or not any(wall(source, target) for wall in self.walls)

    def routers(self) -> Iterator[Life]:
        """Return all who can be reached."""
        return iter(list(self._routers.values()))

    # --- messages -------------------------------------------------------------------------------

    def send(self, source: Life, endpoint: str, message: Directed) -> None:
        """Carry a message to whoever is at an endpoint."""
        if self.on_message is not None:
            self.on_message(source, message, 1)
        if (target := self._routers.get(endpoint)) is not None:
            self._carry_in_order(self._connection(source, target), message, to_server=True)

    def reply(self, source: Life, link: Link, message: Directed) -> None:
        """Carry a message back to where one came from."""
        if self.on_message is not None:
            self.on_message(source, message, 1)
        if (target := self._links.get(link)) is not None:
            self._carry_in_order(self._connection(target, source), message, to_server=False)

    def publish(self, source: Life, message: Published) -> None:
        """Carry a message to all who listen to a branch."""
        listeners = self._listeners.get(source.beats_at, {})
        if self.on_message is not None:
            self.on_message(source, message, len(listeners))
        now = self._timeline.now
        for target, since in listeners.items():
            deafness = self.deaf.get(target.name)
            if since <= now and (deafness is None or self._random.random() >= deafness):
                self._carry(source, target, message)

    def _connection(self, client: Life, server: Life) -> _Connection:
        way = (client, server)
        connection = self._connections.get(way)
        if connection is None:
            connection = self._connections[way] = _Connection(client, server)
        return connection

    def _carry(self, source: Life, target: Life, message: Published) -> None:
        if self.walls and not self.reaches(source.name, target.name):
            return
        weather, chance = self.weather, self._random
        if weather.loss and chance.random() < weather.loss:
            return
        delay_s = self._latency_s(source.name, target.name)
        if weather.ordered:
            arrival = self._arrivals.get((source, target), 0.0)
            arrival = max(self._timeline.now + delay_s, arrival)
            self._arrivals[source, target] = arrival
            delay_s = arrival - self._timeline.now
        self._timeline.after(delay_s, target.receive, None, message)
        if weather.echo and chance.random() < weather.echo:
            echo_s = delay_s + chance.uniform(*_ECHO_S)
            self._timeline.after(echo_s, target.receive, None, message)

    def _carry_in_order(
        self, connection: _Connection, message: Directed, *, to_server: bool
    ) -> None:
        now, weather, chance = self._timeline.now, self.weather, self._random
        client, server = connection.client, connection.server
        here, there = (client, server) if to_server else (server, client)
        if self.walls and not self.reaches(here.name, there.name):
            connection.breaks += 1
            return
        if now < connection.back_at:
            return
        if weather.loss and chance.random() < weather.loss:
            connection.breaks += 1
            connection.back_at = now + chance.uniform(*_BROKEN_S)
            return
        arrival = max(now + self._latency_s(here.name, there.name), connection.arrivals[to_server])
        connection.arrivals[to_server] = arrival
        self._timeline.after(
            arrival - now, self._arrive, connection, connection.breaks, message, to_server
        )
        if weather.echo and chance.random() < weather.echo:
            echo_s = arrival - now + chance.uniform(*_ECHO_S)
            self._timeline.after(
                echo_s, self._arrive, connection, connection.breaks, message, to_server
            )

    def _arrive(
        self, connection: _Connection, breaks: int, message: Directed, to_server: bool
    ) -> None:
        if connection.breaks == breaks:
            client, server = connection.client, connection.server
            here, there = (client, server) if to_server else (server, client)
            there.receive(here.link, message)

    def _latency_s(self, here: str, there: str) -> float:
        shortest, longest = self.weather.latency_s
        # The cube makes long ways rare: the mean is a quarter of the longest.
        delay_s = shortest + (longest - shortest) * self._random.random() ** 3
        if self.slow:
            extra_s = self.slow.get(here, 0.0) + self.slow.get(there, 0.0)
            delay_s += extra_s * self._random.random()
        return delay_s
