"""What can have come about: numbers that count what happens grow, but do not leap.

A number near the end of its range would be the last one: whoever has to count on from it says
what no other branch reads. So a leap is refused, wherever it comes from. The limits are far beyond
what any fault or any user comes to, and far too small to reach the end of the range by many leaps.
"""

from __future__ import annotations

from cyme.core.cluster.items import REASON_CHARS_MAX, InstanceNews, Item
from cyme.core.cluster.members import Statement
from cyme.core.model import Instance

#: An epoch may be so far ahead of what is known of an instance; no fault makes it grow faster.
EPOCH_JUMP_MAX = 100_000

#: The same for versions and generations of a record, boots and incarnations of a branch.
COUNT_JUMP_MAX = 2**24

#: Characters of a reason in news: more than is ever told, as a later version may tell more.
NEWS_REASON_CHARS_MAX = 4 * REASON_CHARS_MAX


def is_plausible(known: Item | None, item: Item) -> bool:
    """Tell whether an item can have come about, by what is known under its key."""
    match item:
        case InstanceNews():
            # Its numbers count with the record of its instance alone.
            return len(item.reason) <= NEWS_REASON_CHARS_MAX
        case Statement():
            return is_plausible_word(known if isinstance(known, Statement) else None, item)
        case Instance():
            before = known if isinstance(known, Instance) else None
            epoch, generation = (before.epoch, before.generation) if before is not None else (0, 0)
            if item.epoch > epoch + EPOCH_JUMP_MAX or item.generation > generation + COUNT_JUMP_MAX:
                return False
    version = 0 if known is None or isinstance(known, InstanceNews | Statement) else known.version
    return item.version <= version + COUNT_JUMP_MAX


def is_plausible_word(known: Statement | None, word: Statement) -> bool:
    """Tell whether a branch can have come to a life and an incarnation.

    Args:
        known: The word about it that counts, None if it is not known.
        word: What is said of it.
    """
    boot, incarnation = (0, 0) if known is None else (known.boot, known.incarnation)
    if known is not None and word.boot == boot:
        return word.incarnation <= incarnation + COUNT_JUMP_MAX
    return word.boot <= boot + COUNT_JUMP_MAX and word.incarnation <= COUNT_JUMP_MAX
