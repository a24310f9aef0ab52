"""The past of the whole cluster: every branch is asked for what it remembers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cyme.core.branches import BranchState
from cyme.core.events import Cursor, Event, EventFilter, Page
from cyme.core.model import BranchId
from cyme.core.ports import Members
from cyme.errors import CymeError
from cyme.runtime.at_once import for_all

logger = logging.getLogger(__name__)

#: So many branches are asked at a time.
ASKED_AT_ONCE_MAX = 16

#: A branch has so long to answer; what it knows is left out else.
ANSWER_S_MAX = 3.0

_ABSENT = frozenset({BranchState.FAILED, BranchState.LEFT})


@dataclass(frozen=True, slots=True)
class History:
    """What happened, the oldest event first.

    Attributes:
        events: The events.
        cursors: How far each branch was looked at, for those that answered.
    """

    events: tuple[Event, ...]
    cursors: dict[str, Cursor]


def ask_all(
    members: Members,
    here: str,
    find_here: Callable[[EventFilter, int], Page],
    wanted: EventFilter,
    limit: int,
    *,
    timeout_s: float,
) -> History:
    """Return the latest events that are wanted, of all branches that can be asked.

    Args:
        members: The branches.
        here: This branch.
        find_here: Returns those of this branch.
        wanted: Which events.
        limit: How many at most.
        timeout_s: How long it may take, in seconds.
    """
    pages: dict[str, Page] = {}

    def ask(branch: BranchId) -> None:
        try:
            page = members.forward(
                branch,
                "find_events_here",
                {"wanted": wanted, "limit": limit},
                timeout_s=min(timeout_s, ANSWER_S_MAX),
            )
        except CymeError as exc:
            logger.info("the events of branch %s are left out: %s", branch, exc.detail)
            return
        assert isinstance(page, Page)
        pages[branch] = page

    others = [branch for branch in members.ids() if branch != here and _is_there(members, branch)]
    for_all(others, ask, at_once_max=ASKED_AT_ONCE_MAX, timeout_s=timeout_s)
    pages[here] = find_here(wanted, limit)
    events = in_order([event for page in pages.values() for event in page.events])
    return History(
        tuple(events[-limit:] if limit else ()),
        {branch: page.cursor for branch, page in pages.items()},
    )


def in_order(events: Sequence[Event]) -> list[Event]:
    """Return events the oldest first; those of one branch stay in the order in which it has them.

    Clocks differ, and one may have been set back, so times alone would not do for that.
    """
    latest: dict[str, float] = {}
    keyed: list[tuple[float, str, Cursor, Event]] = []
    for event in sorted(events, key=lambda each: (each.branch, each.cursor)):
        moment = max(event.at, latest.get(event.branch, event.at))
        latest[event.branch] = moment
        keyed.append((moment, event.branch, event.cursor, event))
    keyed.sort(key=lambda each: each[:3])
    return [event for *_, event in keyed]


def _is_there(members: Members, branch: BranchId) -> bool:
    info = members.info(branch)
    return info is not None and info.state not in _ABSENT
