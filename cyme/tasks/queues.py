"""Queues that a worker's command line cannot declare: with an exchange, a key, options."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from typing import Any

from celery.signals import celeryd_after_setup
from kombu import Queue
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

#: Queues to consume from beside those of ``-Q``: a JSON list of declarations.
QUEUES_VARIABLE = "CYME_QUEUES"
#: How long a broker may take to be connected to before a declaration is tried out, in seconds.
TRIAL_S = 5


@celeryd_after_setup.connect  # type: ignore[untyped-decorator]
def consume_declared(instance: Any, **_: object) -> None:
    """Have a starting worker consume from the queues of ``CYME_QUEUES``.

    A declaration that cannot be used is logged and left out: it shall not cost the worker.
    """
    try:
        declarations = json.loads(os.environ.get(QUEUES_VARIABLE) or "[]")
    except ValueError:
        logger.exception("%s is not JSON; its queues are left out", QUEUES_VARIABLE)
        return
    for declaration in declarations:
        try:
            queue = declared_queue(declaration)
            _try_out(queue, instance.app)
            instance.app.amqp.queues.select_add(queue)
        except Exception:  # whatever is wrong with one queue, the others work
            logger.exception("the queue %r cannot be declared and is left out", declaration)


def declared_queue(declaration: Mapping[str, Any]) -> Queue:
    """Return the queue that a declaration describes.

    Args:
        declaration: ``name``, ``exchange``, ``exchange_type``, ``routing_key`` and ``options``,
            which are those of ``kombu.compat.entry_to_queue``; what is None has its default.
    """
    name = declaration["name"]
    return Queue.from_dict(
        name,
        **{
            **(declaration.get("options") or {}),
            "exchange": declaration.get("exchange") or name,
            "exchange_type": declaration.get("exchange_type") or "direct",
            "routing_key": declaration.get("routing_key") or name,
        },
    )


def _try_out(queue: Queue, current: Any) -> None:
    """Declare a queue on a connection of its own: a refusal would cost the worker its own.

    A broker that is away cannot be asked; the worker waits for it and declares the queue then.
    """
    with current.connection_for_read(connect_timeout=TRIAL_S) as connection:
        if connection.transport.driver_type != "amqp":
            return
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        except OperationalError:
            logger.warning("the broker is away, so the queue %s was not tried out", queue.name)
            return
        queue(connection.channel()).declare()
