"""What messages say: in words for the transcript, and as items for the rules."""

from __future__ import annotations

from collections.abc import Iterable

from cyme.core.cluster.items import Item, key_of
from cyme.core.cluster.members import Statement
from cyme.core.cluster.messages import (
    Items,
    Message,
    Ping,
    PingRequest,
    Pong,
    Rumours,
    Welcome,
)
from cyme.core.model import Instance


def told(message: Message) -> str:
    """Return what a message says in a few words."""
    match message:
        case Rumours():
            rumours = ", ".join(_named(rumour.item) for rumour in message.rumours)
            return f"number {message.number}: {rumours}"
        case Items():
            return ", ".join(map(_named, message.items)) + f"; wants {len(message.wanted)}"
        case Ping() | Pong() | PingRequest() if message.about is not None:
            return _named(message.about)
        case Welcome():
            return ("admitted; " if message.admitted else "refused; ") + ", ".join(
                map(_named, message.statements)
            )
    return ""


def _named(item: Item) -> str:
    match item:
        case Statement():
            return (
                f"{item.branch} {item.state} (boot {item.boot}, incarnation {item.incarnation}, "
                f"by {item.by})"
            )
        case Instance():
            return f"{item.name} of {item.owner} at epoch {item.epoch}"
    return "/".join(key_of(item))


def items_of(message: Message) -> Iterable[Item]:
    """Return the items that a message carries."""
    match message:
        case Rumours():
            return [rumour.item for rumour in message.rumours]
        case Items():
            return message.items
        case Welcome():
            return message.statements
        case Ping() | Pong() | PingRequest():
            return () if message.about is None else (message.about,)
    return ()
