"""Events: every decision and every change of state, with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    Attributes:
        seq: Grows by one with every event of this branch since it started, from 1.
        at: Seconds since 1970, UTC.
        kind: What happened, as ``noun.deed``: ``instance.restarted``, ``broker.lost``.
        reason: Why, in words for an operator.
        app: The app it concerns, or None.
        instance: The instance it concerns, or None.
        data: Further facts, JSON types; never a secret.
    """

    seq: int
    at: float
    kind: str
    reason: str
    app: str | None = None
    instance: str | None = None
    data: Mapping[str, object] = field(default_factory=dict)
