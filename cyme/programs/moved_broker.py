"""Apps that name the embedded broker where it was, after it had to move."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace

from cyme.core.model import App, Broker, Instance, Record, WorkerSpec
from cyme.core.ports import Clock
from cyme.runtime.replica import Replica

logger = logging.getLogger(__name__)

_COMMIT_TIMEOUT_S = 30.0


def follow(replica: Replica, clock: Clock, former: Collection[Broker], broker: Broker) -> int:
    """Have the apps and instances that name a former broker name the present one.

    Args:
        replica: The records.
        clock: Time.
        former: Where the embedded broker was.
        broker: Where it is.

    Returns:
        How many records were changed.

    Raises:
        StorageUnavailable: The database refuses to write; nothing changed.
        DeadlineExceeded: It took too long.
    """
    now = clock.wall()
    apps = [app for app in replica.apps() if app.spec.broker in former]
    instances = [each for each in replica.instances_owned() if each.spec.broker in former]
    changed: list[Record] = [
        *(_moved_app(replica, app, broker, now) for app in apps),
        *(_moved_instance(replica, instance, broker, now) for instance in instances),
    ]
    if changed:
        replica.commit(changed, _COMMIT_TIMEOUT_S)
        logger.warning(
            "the embedded broker moved to %s; %d apps and instances moved with it",
            broker.masked_url,
            len(changed),
        )
    return len(changed)


def _moved_app(replica: Replica, app: App, broker: Broker, now: float) -> App:
    return replace(
        app,
        spec=_moved(app.spec, broker),
        stamp=replica.next_stamp(),
        version=app.version + 1,
        updated_at=now,
    )


def _moved_instance(replica: Replica, instance: Instance, broker: Broker, now: float) -> Instance:
    return replace(
        instance,
        spec=_moved(instance.spec, broker),
        stamp=replica.next_stamp(),
        version=instance.version + 1,
        updated_at=now,
    )


def _moved(spec: WorkerSpec, broker: Broker) -> WorkerSpec:
    return replace(spec, broker=broker)
