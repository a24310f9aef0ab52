"""Names of apps, instances, queues and branches.

A name becomes a directory, a node name and a routing key, so it is checked once, here, before
it goes anywhere.
"""

from __future__ import annotations

import re

from cyme.errors import InvalidRequest

NAME_CHARS_MAX = 128

#: Top-level paths of the HTTP API, which no app may take.
RESERVED_APP_NAMES = frozenset(
    {
        "admin",
        "branches",
        "cluster",
        "events",
        "healthz",
        "instances",
        "metrics",
        "openapi.json",
        "ping",
        "queues",
        "readyz",
        "static",
    }
)

#: Every instance consumes from a queue of its own, reached by this prefix and its name.
DIRECT_QUEUE_PREFIX = "dq."

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\Z")


def check_name(kind: str, name: str) -> str:
    """Return ``name`` if it is a name that Cyme accepts.

    Args:
        kind: What the name is of (``app``, ``instance``, ``queue``, ``branch``), for the message.
        name: 1 to 128 characters of ASCII letters, digits, ``.``, ``_`` and ``-``, the first
            neither ``.`` nor ``-``.

    Raises:
        InvalidRequest: The name is not of that form, or is reserved.
    """
    if not name:
        raise InvalidRequest.of("name", f"the name of {_article(kind)} is empty")
    if len(name) > NAME_CHARS_MAX:
        raise InvalidRequest.of(
            "name",
            f"the name of {_article(kind)} has {len(name)} characters; "
            f"at most {NAME_CHARS_MAX} are allowed",
        )
    if _NAME.match(name) is None:
        raise InvalidRequest.of(
            "name",
            f"{name!r} is not a name for {_article(kind)}: use letters, digits, '.', '_' and '-', "
            "and begin with a letter, a digit or '_'",
        )
    if kind == "app" and name in RESERVED_APP_NAMES:
        raise InvalidRequest.of("name", f"{name!r} is reserved; choose another name for the app")
    if kind == "queue" and name.startswith(DIRECT_QUEUE_PREFIX):
        raise InvalidRequest.of(
            "name",
            f"{name!r} begins with {DIRECT_QUEUE_PREFIX!r}, which is kept for the direct queues "
            "of instances; choose another name for the queue",
        )
    return name


def direct_queue(instance: str) -> str:
    """Return the name of the queue that only ``instance`` consumes from."""
    return DIRECT_QUEUE_PREFIX + instance


def node_name(instance: str, branch: str) -> str:
    """Return the Celery node name of ``instance`` as run by ``branch``.

    The branch is part of it because two workers of one instance live side by side during a
    hand-over, and RabbitMQ ends the second worker of one node name.
    """
    return f"{instance}@{branch}"


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
