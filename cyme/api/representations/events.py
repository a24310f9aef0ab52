"""Replies about what happened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from cyme.api.figures import moment
from cyme.core.events import Event


class EventReply(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, and the branch that tells it."""

    id: str
    seq: int
    at: datetime
    kind: str
    reason: str
    app: str | None
    instance: str | None
    branch: str
    data: Mapping[str, Any]


def event_reply(event: Event) -> EventReply:
    """Return an event."""
    return EventReply(
        id=event.id,
        seq=event.seq,
        at=moment(event.at),
        kind=event.kind,
        reason=event.reason,
        app=event.app,
        instance=event.instance,
        branch=event.branch,
        data=event.data,
    )
