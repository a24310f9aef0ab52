"""What happens in a cluster: events, and rows of screens that changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cyme.client.errors import BadReply
from cyme.client.info import Info
from cyme.client.sse import Frame


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        id: Where it stands in the stream, opaque; a stream can go on after it.
        seq: Its number on the branch that tells it.
        at: When.
        kind: ``instance.running``, ``app.created``, ``task.succeeded``, ...
        reason: Why, in words.
        app: The app, None if it is about none.
        instance: The instance, None if it is about none.
        branch: The branch where it happened; None where it was not told.
        data: What else there is to know; ``by`` is who did it.
    """

    id: str
    seq: int
    at: datetime
    kind: str
    reason: str
    app: str | None
    instance: str | None
    branch: str | None
    data: Info

    @classmethod
    def of(cls, members: Mapping[str, Any], frame_id: str = "") -> Event:
        """Make an event from its representation.

        Raises:
            BadReply: It is none.
        """
        try:
            return cls(
                id=str(members.get("id", frame_id)),
                seq=int(members.get("seq") or 0),
                at=datetime.fromisoformat(members["at"]),
                kind=str(members["kind"]),
                reason=str(members.get("reason", "")),
                app=members.get("app"),
                instance=members.get("instance"),
                branch=members.get("branch"),
                data=Info(members.get("data") or {}),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise BadReply(f"The branch told an event that is none ({exc}).") from exc


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a screen as it is now.

    Attributes:
        kind: ``instance``, ``instance-gone``, ``branch``, ``app``, ``app-gone``, ``queue``,
            ``queue-gone``, ``vitals``, ``hello`` or ``dropped``.
        data: Its representation.
    """

    kind: str
    data: Info


def event_in(frame: Frame) -> Event:
    """Return the event that a frame of a stream holds.

    Raises:
        BadReply: It holds none.
    """
    return Event.of(_members(frame), frame.id)


def row_in(frame: Frame) -> Row:
    """Return the row that a frame of a stream holds.

    Raises:
        BadReply: It holds none.
    """
    return Row(frame.event, Info(_members(frame)))


def _members(frame: Frame) -> Mapping[str, Any]:
    try:
        members = json.loads(frame.data)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise BadReply("The branch told an event that is no JSON object.")
    return members
