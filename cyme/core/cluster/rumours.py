"""Spreading news: what waits to be told, what was told, and what was missed of others.

News goes out in numbered messages, at once where nothing went out lately and every ``FLUSH_S``
where much does. Whoever sees a rumour for the first time passes it on, once. The latest messages
are kept for those who missed some: a subscriber that stalls loses messages without being told,
which the numbers tell it (the Clone pattern of the ZeroMQ Guide, chapter 5).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from cyme.core.cluster.items import Item, Key, key_of, weight_of
from cyme.core.cluster.messages import RUMOURS_MAX, Missed, Rumour, Rumours, Sender
from cyme.core.model import BranchId

FLUSH_S = 0.1

#: Estimated bytes of one message at most.
MESSAGE_BYTES_MAX = 64 * 1024

#: News of one's own, and rumours of others, that wait to go out. What is too much is left to
#: repair.
WAITING_MAX = 10_000

#: The same by estimated bytes of rumours of others, which others may make large.
WAITING_BYTES_MAX = 4 * 1024 * 1024

#: Messages kept for those who missed them, and their estimated bytes together.
KEPT_MAX = 4_096
KEPT_BYTES_MAX = 4 * 1024 * 1024

#: Rumours that are remembered so that they are passed on once.
SEEN_MAX = 50_000

#: Branches whose numbers are followed.
HEADS_MAX = 10_000

#: Messages that are asked for again at a time, and sent again at a time.
MISSED_MAX = 200

#: A publisher is asked so often for what was missed, in seconds, and so many times.
ASK_PERIOD_S = 1.0
ASKS_MAX = 3


class Outbox:
    """What this branch tells.

    Args:
        me: The branch.
        boot: Which of its lives.
        size_of: Estimates the bytes that an item takes in a message.
    """

    def __init__(self, me: BranchId, boot: int, size_of: Callable[[Item], int] = weight_of) -> None:
        self._me = me
        self._boot = boot
        self._size_of = size_of
        self._told = 0
        self._news: OrderedDict[Key, Item] = OrderedDict()
        self._passed_on: deque[tuple[Rumour, int]] = deque()
        self._passed_on_bytes = 0
        self._kept: OrderedDict[int, tuple[Rumours, int]] = OrderedDict()
        self._kept_bytes = 0
        self._flushed_at = float("-inf")
        self.head = 0  # the number of the latest message

    def tell(self, item: Item) -> None:
        """Have news told; it replaces older news of the same thing that still waits."""
        key = key_of(item)
        if key in self._news or len(self._news) < WAITING_MAX:
            self._news[key] = item

    def pass_on(self, rumour: Rumour) -> None:
        """Have a rumour of another branch passed on; where too many wait, the oldest is not."""
        size = self._size_of(rumour.item)
        self._passed_on.append((rumour, size))
        self._passed_on_bytes += size
        while len(self._passed_on) > WAITING_MAX or self._passed_on_bytes > WAITING_BYTES_MAX:
            self._next_passed_on()

    @property
    def waits(self) -> bool:
        """Whether anything waits to go out."""
        return bool(self._news or self._passed_on)

    def due(self, now: float) -> bool:
        """Tell whether a message is to go out."""
        return self.waits and now >= self._flushed_at + FLUSH_S

    def flush(self, now: float, sender: Sender) -> Rumours:
        """Return the next message; what does not fit in it waits for the one after."""
        self._flushed_at = now
        self.head += 1
        rumours, size = self._take()
        message = Rumours(sender=sender, number=self.head, rumours=tuple(rumours))
        self._kept[self.head] = message, size
        self._kept_bytes += size
        while len(self._kept) > KEPT_MAX or self._kept_bytes > KEPT_BYTES_MAX:
            _, (_, spared) = self._kept.popitem(last=False)
            self._kept_bytes -= spared
        return message

    def again(self, first: int, last: int) -> list[Rumours]:
        """Return messages that somebody missed, as far as they are kept."""
        numbers = range(max(first, self.head - len(self._kept) + 1), min(last, self.head) + 1)
        return [self._kept[number][0] for number in numbers[:MISSED_MAX]]

    def _take(self) -> tuple[list[Rumour], int]:
        """Take what fits into a message, in turn of others and of one's own; with its size.

        So a flood of others holds up no news of this branch.
        """
        taken: list[Rumour] = []
        size = 0
        while len(taken) < RUMOURS_MAX and self.waits:
            is_turn_of_others = not self._news or len(taken) % 2 == 0
            passes_on = bool(self._passed_on) and is_turn_of_others
            rumour, more = self._passed_on[0] if passes_on else self._next_news()
            if taken and size + more > MESSAGE_BYTES_MAX:
                break
            if passes_on:
                self._next_passed_on()
            else:
                self._news.popitem(last=False)
                self._told += 1
            taken.append(rumour)
            size += more
        return taken, size

    def _next_passed_on(self) -> None:
        _, size = self._passed_on.popleft()
        self._passed_on_bytes -= size

    def _next_news(self) -> tuple[Rumour, int]:
        item = next(iter(self._news.values()))
        return Rumour(self._me, self._boot, self._told + 1, item), self._size_of(item)


@dataclass(slots=True)
class _Head:
    """How far the messages of one publisher were received.

    Attributes:
        boot: The life of the publisher.
        number: All up to this number were received, or are left to repair.
        ahead: Numbers beyond it that were received.
        asked_at: When the publisher was asked last for what was missed.
        asks: How often it was asked for the same.
    """

    boot: int
    number: int
    ahead: set[int]
    asked_at: float = float("-inf")
    asks: int = 0

    def close_up(self) -> None:
        """Move on over what was received ahead."""
        while self.number + 1 in self.ahead:
            self.number += 1
            self.ahead.remove(self.number)
            self.asks = 0

    def skip_to(self, number: int) -> None:
        """Wait no more for what comes up to a number."""
        if number > self.number:
            self.number, self.asks = number, 0
            self.ahead = {ahead for ahead in self.ahead if ahead > number}
            self.close_up()


class Inbox:
    """What this branch was told."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[BranchId, int, int], None] = OrderedDict()
        self._heads: OrderedDict[BranchId, _Head] = OrderedDict()

    def is_first_sight(self, rumour: Rumour) -> bool:
        """Tell whether a rumour was never seen, and remember that it was."""
        name = (rumour.origin, rumour.boot, rumour.number)
        if name in self._seen:
            return False
        self._seen[name] = None
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)
        return True

    def received(self, message: Rumours) -> None:
        """Take note that a message of a publisher was received."""
        head = self._head(message.sender, message.number - 1)
        if message.number > head.number and len(head.ahead) < KEPT_MAX:
            head.ahead.add(message.number)
        head.close_up()

    def missed(self, now: float, sender: Sender, number: int, me: Sender) -> Missed | None:
        """Return what to ask of a publisher that has come to ``number``, None if nothing.

        What is too far back to be kept, or was asked for in vain, is given up: the digests tell
        what was in it.
        """
        head = self._head(sender, number)
        head.skip_to(number - KEPT_MAX)
        if head.number >= number or now < head.asked_at + ASK_PERIOD_S:
            return None
        first = head.number + 1
        last = min([number, first + MISSED_MAX - 1, *(ahead - 1 for ahead in head.ahead)])
        if head.asks == ASKS_MAX:
            head.skip_to(last)
            return None
        head.asked_at = now
        head.asks += 1
        return Missed(sender=me, first=first, last=last)

    def _head(self, sender: Sender, number: int) -> _Head:
        """Return the head of a publisher; who is new begins at ``number``."""
        head = self._heads.get(sender.branch)
        if head is None or head.boot != sender.boot:
            head = self._heads[sender.branch] = _Head(sender.boot, max(0, number), set())
            if len(self._heads) > HEADS_MAX:
                self._heads.popitem(last=False)
        return head
