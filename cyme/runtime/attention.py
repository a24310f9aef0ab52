"""Which workers the surveys of their brokers ask, and which of them often."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from cyme.core.model import Broker
from cyme.core.status import InstanceState
from cyme.core.workers import ProcessState
from cyme.runtime.brokers import Watched
from cyme.runtime.charges import Charge

#: An adopted worker is asked urgently for so long; after that it has to answer like any other.
ADOPTION_S = 30.0

#: States in which an answer would change nothing, or is asked for more often anyhow.
_NOT_DOUBTED = frozenset({InstanceState.STARTING, InstanceState.STOPPING})


def watched(
    charges: Iterable[Charge], *, node_of: Callable[[str], str], now: float
) -> Mapping[Broker, Watched]:
    """Return for every broker in use which workers to ask.

    Args:
        charges: All instances in the supervisor's care.
        node_of: Returns the Celery node name of an instance.
        now: Monotonic seconds.
    """
    by_broker: dict[Broker, list[Charge]] = {}
    for charge in charges:
        alive = by_broker.setdefault(charge.intent.broker, [])
        if charge.memory.process is not None:
            alive.append(charge)
    return {
        broker: Watched(
            nodes=tuple(node_of(charge.name) for charge in alive),
            doubted=tuple(node_of(charge.name) for charge in alive if _is_doubted(charge)),
            urgent=tuple(node_of(charge.name) for charge in alive if _is_urgent(charge, now)),
            limits_wanted=any(_limits_unknown(charge) for charge in alive),
        )
        for broker, alive in by_broker.items()
    }


def _is_doubted(charge: Charge) -> bool:
    """Tell whether it missed a question, or did not answer since its broker came back.

    Silence of a pool that cannot answer while it works proves nothing, so it is not asked for
    long, unless its process does not work at all.
    """
    memory = charge.memory
    if memory.state in _NOT_DOUBTED:
        return False
    if memory.state is InstanceState.UNRESPONSIVE and not charge.intent.wish.answers_when_busy:
        return charge.look is not None and charge.look.state is ProcessState.PAUSED
    return memory.silent_since is not None or memory.queues is None


def _is_urgent(charge: Charge, now: float) -> bool:
    memory = charge.memory
    if memory.state is InstanceState.STARTING:
        return True
    return (
        memory.state is InstanceState.RUNNING
        and memory.answered_since is None
        and now - memory.since < ADOPTION_S
    )


def _limits_unknown(charge: Charge) -> bool:
    return (
        charge.intent.wish.limits is not None
        and charge.memory.limits is None
        and charge.memory.answered_since is not None
    )
