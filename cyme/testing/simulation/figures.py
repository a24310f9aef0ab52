"""What a run came to, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Figures:
    """What a run came to.

    Attributes:
        messages: Messages that were sent, by kind; a published one counts for every listener.
        sent_bytes: Their bytes, where they were weighed.
        messages_per_s_max: The most that one branch sent in one second.
        writes: Changes of ownership.
        calls: Calls between branches.
        effects: Those that were performed.
        acknowledged: Writes that clients were told to be done.
        orphaned_s_max: For how long an instance had nobody that claimed it.
    """

    messages: Counter[str] = field(default_factory=Counter)
    sent_bytes: int = 0
    messages_per_s_max: int = 0
    writes: int = 0
    calls: int = 0
    effects: int = 0
    acknowledged: int = 0
    orphaned_s_max: float = 0.0
