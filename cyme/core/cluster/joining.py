"""How a branch comes into the cluster: whom it greets, and how it makes sure to be the only one.

Laws:

* Whoever the user named is greeted again and again: it may come up later, or under another
  address.
* Whoever was known in the last life is greeted until it turns up as a member, so that a cluster
  that was down as a whole finds itself again.
* Only the answer to a greeting ends the start early, so until then members are greeted, too: they
  may have turned up by pings of their own.
* Where others hold a branch of the same id to be alive elsewhere, that one is asked first. If it
  answers, this branch has no business here. If it does not, it was this branch's last life; and so
  it was if its address is that of this branch now.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice

from cyme.core.cluster.members import Statement

#: The start is over after so long even if nobody answered, in seconds.
JOIN_S = 3.0

#: The same where there is nobody to greet but whom the beacon may find.
JOIN_ALONE_S = 0.7

#: Greetings are repeated so often while the branch starts, and later, in seconds.
GREET_S = 1.0
GREET_AGAIN_S = 10.0

#: Whoever may have this branch's id has so long to answer, in seconds.
CHECK_S = 1.5

#: Addresses of former members that are tried at most, and so many at a time: each takes a
#: connection, of which a branch has few, and is to stand before the next one needs its place.
KNOWN_MAX = 2_000
GREETED_MAX = 24


class Joining:
    """The way in.

    Args:
        joins: Endpoints that the user named.
        known: Endpoints of members of the last life.
    """

    def __init__(self, joins: Sequence[str], known: Sequence[str]) -> None:
        self._joins = list(dict.fromkeys(joins))
        self._known = dict.fromkeys(known[:KNOWN_MAX])
        self._greet_at = float("-inf")
        self._ends_at = float("inf")
        self._check_ends: float | None = None
        self.joined = False
        self.checked = False
        self.rival: Statement | None = None

    @property
    def known(self) -> Collection[str]:
        """Endpoints of former members that have not turned up yet."""
        return self._known

    @property
    def checking(self) -> bool:
        """Whether a rival is being asked right now."""
        return self._check_ends is not None

    def start(self, now: float) -> None:
        """Begin to count the time."""
        waits = self._joins or self._known
        self._ends_at = now + (JOIN_S if waits else JOIN_ALONE_S)

    def is_due(self, now: float) -> bool:
        """Tell whether it is time to greet."""
        return now >= self._greet_at

    def greetings(self, now: float, present: Sequence[str]) -> list[str]:
        """Return whom to greet now.

        Args:
            now: Monotonic seconds.
            present: Endpoints of members that take part.
        """
        for endpoint in present:
            self._known.pop(endpoint, None)
        self._greet_at = now + (GREET_AGAIN_S if self.joined else GREET_S)
        in_turn = list(islice(self._known, GREETED_MAX))
        for endpoint in in_turn:
            self._known[endpoint] = self._known.pop(endpoint)  # it is the last one now
        members = () if self.joined else present[:GREETED_MAX]
        return list(dict.fromkeys([*self._joins, *in_turn, *members]))

    def contest(self, now: float, rival: Statement, *, gone: bool = False) -> bool:
        """Take note of a branch of the same id; tell whether it is to be asked now.

        Every life is asked once, but one that is known to be gone.
        """
        if self.checking or (self.rival is not None and self.rival.life == rival.life):
            return False
        self.rival = rival
        self._check_ends = now if gone else now + CHECK_S
        self._ends_at = max(self._ends_at, self._check_ends + GREET_S)
        return not gone

    def check_is_over(self, now: float) -> bool:
        """Tell, once, that the rival has not answered in its time."""
        if self._check_ends is None or now < self._check_ends:
            return False
        self._check_ends = None
        self.checked = True
        self._greet_at = now
        return True

    def is_over(self, now: float) -> bool:
        """Tell whether the start has taken long enough."""
        return not self.joined and not self.checking and now >= self._ends_at
