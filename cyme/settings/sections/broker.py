"""Settings: broker and results."""

from __future__ import annotations

from dataclasses import dataclass

from cyme.settings.kinds import DAY_S, URL, seconds
from cyme.settings.rows import setting


@dataclass(frozen=True, kw_only=True)
class BrokerSettings:
    """Where messages and results go."""

    broker: str | None = setting(
        "broker",
        URL,
        "The default broker of new apps, as in amqp://user:password@host:5672/vhost or "
        "redis://host:6379/0. Better given by the variable than on the command line, which "
        "every user of the machine can read.",
        default=None,
        short="b",
        default_text="an embedded one, which is not for production",
    )
    result_backend: str | None = setting(
        "result-backend",
        URL,
        "Where the workers of new apps keep results.",
        default=None,
        default_text="the broker itself, or this branch for AMQP",
    )
    wait_after_broker_revived_s: float = setting(
        "wait-after-broker-revived",
        seconds(0.0, DAY_S),
        "How long workers have to come back after their broker was away before they are restarted.",
        default=35.0,
    )
