"""Frames of an event stream, as the HTML standard writes them (section 9.2)."""

from __future__ import annotations

import msgspec

from cyme.api.representations.events import event_reply
from cyme.core.events import Event

#: Clients connect again so soon after their connection broke, in milliseconds.
RETRY_MS = 2000

HEARTBEAT = b":\n\n"

_encode = msgspec.json.Encoder().encode


def event_frame(event: Event) -> bytes:
    """Return the frame of an event.

    What is told of tasks has no id here: it is not kept, so nobody can go on from there.
    """
    data = b"data: " + _encode(event_reply(event)) + b"\n\n"
    return data if event.is_of_task else b"id: " + event.id.encode() + b"\n" + data


def named_frame(name: str, body: object) -> bytes:
    """Return the frame of something that is no event, by which clients tell it apart.

    Args:
        name: What it is.
        body: What it says, JSON types or a ``msgspec.Struct``.
    """
    return b"event: " + name.encode() + b"\ndata: " + _encode(body) + b"\n\n"


def hello_frame(branch: str, version: str, at: object) -> bytes:
    """Return the first frame of every stream."""
    hello = named_frame("hello", {"branch": branch, "version": version, "at": at})
    return b"retry: %d\n" % RETRY_MS + hello


def dropped_frame(count: int) -> bytes:
    """Return the frame that tells that so many frames were left out."""
    return named_frame("dropped", {"count": count})
