"""The Python client: a cluster as objects, over the HTTP API of any of its branches.

    >>> from cyme import Client
    >>> client = Client("http://127.0.0.1:8000")
    >>> app = client.add("foo")
    >>> worker = app.instances.add("w1", queues=[app.queues.add("tasks")])

It needs the standard library alone, so that whatever uses it stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyme.client.apps import App, Apps
    from cyme.client.branches import Branch, Move, Token, Tokens
    from cyme.client.client import Client
    from cyme.client.errors import (
        BadReply,
        BrokerRefused,
        ClientError,
        Conflict,
        ConnectionFailed,
        Fault,
        Forbidden,
        InvalidRequest,
        Misdirected,
        NotAuthenticated,
        NotFound,
        NotSupported,
        PreconditionFailed,
        ServerFailed,
        TaskPending,
        Timeout,
        TooLarge,
        Unavailable,
    )
    from cyme.client.events import Event, Row
    from cyme.client.info import Info, plain
    from cyme.client.instances import Instance, Instances
    from cyme.client.logs import LogStream
    from cyme.client.messages import Reply, Request, Transport
    from cyme.client.queues import Consumers, Queue, Queues
    from cyme.client.streams import EventStream
    from cyme.client.tasks import Task, TaskResult

__all__ = [
    "Client",
    "App", "Apps", "Instance", "Instances", "Queue", "Queues", "Consumers",
    "Branch", "Move", "Token", "Tokens", "Task", "TaskResult",
    "Event", "EventStream", "Row", "LogStream", "Info", "plain",
    "Reply", "Request", "Transport",
    "ClientError", "BadReply", "BrokerRefused", "Conflict", "ConnectionFailed", "Fault",
    "Forbidden", "InvalidRequest", "Misdirected", "NotAuthenticated", "NotFound",
    "NotSupported", "PreconditionFailed", "ServerFailed", "TaskPending", "Timeout", "TooLarge",
    "Unavailable",
]  # fmt: skip

#: Where each of them is: a program loads what it uses, and the command must answer at once.
_MODULES = {
    "apps": ("App", "Apps"),
    "branches": ("Branch", "Move", "Token", "Tokens"),
    "client": ("Client",),
    "errors": (
        "BadReply",
        "BrokerRefused",
        "ClientError",
        "Conflict",
        "ConnectionFailed",
        "Fault",
        "Forbidden",
        "InvalidRequest",
        "Misdirected",
        "NotAuthenticated",
        "NotFound",
        "NotSupported",
        "PreconditionFailed",
        "ServerFailed",
        "TaskPending",
        "Timeout",
        "TooLarge",
        "Unavailable",
    ),
    "events": ("Event", "Row"),
    "info": ("Info", "plain"),
    "instances": ("Instance", "Instances"),
    "logs": ("LogStream",),
    "messages": ("Reply", "Request", "Transport"),
    "queues": ("Consumers", "Queue", "Queues"),
    "streams": ("EventStream",),
    "tasks": ("Task", "TaskResult"),
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load what is asked for."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return what there is, loaded or not."""
    return sorted({*globals(), *__all__})
