"""What happens anywhere reaches whoever listens anywhere: once, in order, and bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import gevent
import pytest

from cyme.core.branches import BranchState
from cyme.core.events import EVERYTHING, Cursor, Event, EventFilter
from cyme.runtime.feed import Feed, feed, pulling, subscription
from tests.runtime.service.town import Town
from tests.waiting import eventually

T = 5.0


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "LOOK_S", 0.02)
    monkeypatch.setattr(pulling, "RETRY_S_FIRST", 0.02)
    monkeypatch.setattr(pulling, "RETRY_S_MAX", 0.05)
    monkeypatch.setattr(pulling, "TURN_S", 0.02)


@pytest.fixture
def town() -> Iterator[Town]:
    town = Town(3)
    yield town
    town.close()


class Listening:
    """Listens at a branch and remembers what it heard."""

    def __init__(
        self, town: Town, wanted: EventFilter = EVERYTHING, *, at: str = "b1", tasks: bool = False
    ) -> None:
        self._town = town
        self.feed: Feed = town[at].service.feed
        self.subscription = self.feed.subscribe(wanted, tasks=tasks)
        self._marks = self.feed.subscribe(EventFilter(kinds=("mark.set",)))
        self.events: list[Event] = []
        self.lost = 0

    @property
    def heard(self) -> list[str]:
        """What was heard so far: the branch and the reason."""
        arrivals, lost = self.subscription.take()
        self.events += [event for _, event in arrivals if event.kind != "mark.set"]
        self.lost += lost
        return [f"{event.branch}: {event.reason}" for event in self.events]

    def hears(self, *told: str) -> None:
        """Check that this is heard, in whatever order, and nothing else."""
        awaited = set(self._town.houses)
        for house in self._town.houses.values():
            house.journal.record("mark.set", "all before it has come when this comes")

        def have_come() -> bool:
            awaited.difference_update(event.branch for _, event in self._marks.take()[0])
            return not awaited

        eventually(have_come)
        assert sorted(self.heard) == sorted(told)

    def close(self) -> None:
        self.subscription.close()
        self._marks.close()


def tell(town: Town, branch: str, *reasons: str) -> None:
    for reason in reasons:
        town[branch].journal.record("instance.started", reason, app="shop", instance="w1")


def calls(town: Town, name: str) -> list[str]:
    return [branch for branch, call in town.asked if call == name]


def test_what_happens_on_any_branch_is_heard_once(town: Town) -> None:
    tell(town, "b2", "before anybody listened")
    town["b1"].clock.advance(60.0)
    town["b2"].clock.advance(60.0)
    first, second = Listening(town), Listening(town)
    for round_ in range(3):
        for branch in town.houses:
            tell(town, branch, f"{round_}")
        told = [f"{branch}: {each}" for branch in town.houses for each in range(round_ + 1)]
        first.hears(*told)
        second.hears(*told)
    for branch in town.houses:
        of_branch = [event.reason for event in first.events if event.branch == branch]
        assert of_branch == ["0", "1", "2"]


def test_how_a_branch_sees_others_is_taken_from_here_alone(town: Town) -> None:
    listening = Listening(town)
    for house in town.houses.values():
        house.journal.record("branch.failed", "branch 'b9' has failed", branch="b9")
        house.journal.record("branch.stalled", "this branch stood still")
    listening.hears(
        "b1: branch 'b9' has failed", *(f"{each}: this branch stood still" for each in town.houses)
    )


def test_nobody_is_asked_while_nobody_listens(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "LINGER_S", 0.05)
    tell(town, "b2", "unheard")
    assert town.asked == []
    listening = Listening(town)
    eventually(lambda: set(calls(town, "events_here")) == {"b2", "b3"})
    assert listening.feed.followed == {"b1", "b2", "b3"}
    position = listening.feed.position
    listening.close()
    eventually(lambda: not listening.feed.followed)
    town.asked.clear()
    tell(town, "b2", "unheard")
    tell(town, "b1", "unheard")
    assert town.asked == []
    assert listening.feed.position == position


def test_who_listens_again_soon_has_missed_nothing(town: Town) -> None:
    listening = Listening(town)
    tell(town, "b2", "first")
    listening.hears("b2: first")
    position = listening.feed.position
    listening.close()
    tell(town, "b2", "in between")
    tell(town, "b1", "in between")
    eventually(lambda: listening.feed.position == position + 2)
    again = Listening(town)
    missed, forgotten = again.feed.after(position, EVERYTHING)
    assert sorted(arrival.event.branch for arrival in missed) == ["b1", "b2"]
    assert forgotten == 0


def test_nothing_is_lost_while_a_branch_cannot_be_asked(town: Town) -> None:
    listening = Listening(town)
    tell(town, "b2", "1")
    listening.hears("b2: 1")
    town.cut.add("b2")
    tell(town, "b2", "2", "3")
    asked = len(town.asked)
    eventually(lambda: town.asked[asked:].count(("b2", "events_here")) > 1)
    town.cut.clear()
    tell(town, "b2", "4")
    listening.hears("b2: 1", "b2: 2", "b2: 3", "b2: 4")


def test_a_branch_that_failed_is_left_alone_and_heard_to_the_end_when_it_is_back(
    town: Town,
) -> None:
    listening = Listening(town)
    tell(town, "b2", "1")
    listening.hears("b2: 1")
    town.change("b2", state=BranchState.FAILED)
    eventually(lambda: listening.feed.followed == {"b1", "b3"})
    tell(town, "b2", "2")
    town.change("b2", state=BranchState.ALIVE)
    tell(town, "b2", "3")
    listening.hears("b2: 1", "b2: 2", "b2: 3")


def test_more_branches_than_calls_take_turns(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "WAITING_CALLS_MAX", 1)
    listening = Listening(town)
    eventually(lambda: len(calls(town, "events_here")) > 6)
    tell(town, "b2", "one")
    tell(town, "b3", "two")
    listening.hears("b2: one", "b3: two")


def test_only_what_is_wanted_is_heard(town: Town) -> None:
    listening = Listening(town, EventFilter(kinds=("instance.*",), branches=("b2",)))
    tell(town, "b1", "of another branch")
    town["b2"].journal.record("broker.lost", "of another kind")
    tell(town, "b2", "wanted")
    listening.hears("b2: wanted")


def test_a_listener_that_does_not_look_loses_the_oldest_and_is_told(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "WAITING_MAX", 3)
    listening = Listening(town)
    tell(town, "b1", *"abcde")
    assert listening.heard == ["b1: c", "b1: d", "b1: e"]
    assert listening.lost == 2
    tell(town, "b1", "f")
    assert listening.heard[3:] == ["b1: f"]
    assert listening.lost == 2


def test_what_is_remembered_is_bounded_and_what_is_forgotten_is_counted(town: Town) -> None:
    listening = Listening(town)
    tell(town, "b1", *(f"{number}" for number in range(feed.REMEMBERED_MAX + 10)))
    following, forgotten = listening.feed.after(4, EVERYTHING)
    assert (len(following), forgotten) == (feed.REMEMBERED_MAX, 6)
    assert listening.feed.after(listening.feed.position, EVERYTHING) == ([], 0)
    last = listening.feed.after(listening.feed.position - 1, EVERYTHING)[0][0].event
    assert listening.feed.position_of("b1", last.cursor) == listening.feed.position
    assert listening.feed.position_of("b1", Cursor(1, 1)) is None


# --- the past ------------------------------------------------------------------------------------


def test_the_past_is_that_of_all_branches_in_order(town: Town) -> None:
    for number, branch in enumerate(("b2", "b1", "b3", "b2")):
        for house in town.houses.values():
            house.clock.advance(1.0)
        tell(town, branch, f"{number}")
    past = town["b1"].service.feed.history(EVERYTHING, 10, timeout_s=T)
    assert [f"{event.branch}: {event.reason}" for event in past.events] == [
        "b2: 0",
        "b1: 1",
        "b3: 2",
        "b2: 3",
    ]
    assert past.cursors.keys() == {"b1", "b2", "b3"}
    assert past.cursors["b2"] == past.events[-1].cursor
    latest = town["b1"].service.feed.history(EVERYTHING, 2, timeout_s=T).events
    assert latest == past.events[-2:]
    assert town["b1"].service.feed.history(EVERYTHING, 0, timeout_s=T).events == ()


def test_the_past_of_a_branch_that_cannot_be_asked_is_left_out(town: Town) -> None:
    for branch in town.houses:
        tell(town, branch, "it happened")
    town.cut.add("b2")
    town.change("b3", state=BranchState.FAILED)
    town.asked.clear()
    past = town["b1"].service.feed.history(EVERYTHING, 10, timeout_s=T)
    assert [event.branch for event in past.events] == ["b1"]
    assert calls(town, "find_events_here") == ["b2"]


def test_the_past_fits_what_one_branch_tells_another(town: Town) -> None:
    house = town["b2"]
    for _ in range(900):
        house.journal.record("a.b", "x" * 3_000, notes="y" * 500)
    past = town["b1"].service.feed.history(EVERYTHING, 1_000, timeout_s=T)
    assert past.events
    assert past.events[-1].seq == 900, "the latest of them"
    listening = Listening(town)
    house.clock.advance(1.0)
    for _ in range(900):
        house.journal.record("a.b", "x" * 3_000, notes="y" * 500)
    eventually(lambda: len(listening.heard) >= 900)


def test_a_branch_whose_clock_was_set_back_keeps_its_order(town: Town) -> None:
    house = town["b2"]
    tell(town, "b2", "first")
    house.clock._wall_s -= 100.0
    tell(town, "b2", "second")
    past = town["b1"].service.feed.history(EVERYTHING, 10, timeout_s=T)
    assert [event.reason for event in past.events] == ["first", "second"]


# --- tasks ---------------------------------------------------------------------------------------


def of_task(number: int) -> Event:
    return Event(seq=number, at=1.0, kind="task.started", reason="", branch="b1", app="shop")


def test_what_is_told_of_tasks_reaches_those_who_want_it_and_is_not_kept(town: Town) -> None:
    events: Feed = town["b1"].service.feed
    assert not events.wants_tasks
    events.put_task_events([of_task(1)])
    plain = Listening(town)
    curious = Listening(town, EventFilter(apps=("shop",)), tasks=True)
    assert events.wants_tasks
    tell(town, "b1", "it answers")
    events.put_task_events([of_task(2), of_task(3)])
    assert len(plain.heard) == 1
    assert len(curious.heard) == 3
    assert [event.kind for event in curious.events] == ["instance.started", *["task.started"] * 2]
    assert [arrival.event.kind for arrival in events.after(0, EVERYTHING)[0]] == [
        "instance.started"
    ]
    curious.close()
    assert not events.wants_tasks


def test_who_waits_until_tasks_are_wanted_goes_on_when_somebody_wants_them(town: Town) -> None:
    events: Feed = town["b1"].service.feed
    waiting = gevent.spawn(events.wait_until_tasks_are_wanted)
    Listening(town)
    eventually(lambda: events._tasks_wanted.linkcount() == 1)
    first, second = Listening(town, tasks=True), Listening(town, tasks=True)
    waiting.join(T)
    assert waiting.successful()
    first.close()
    assert events.wants_tasks
    second.close()
    assert not events.wants_tasks


def test_what_is_of_no_task_does_not_come_as_one(town: Town) -> None:
    curious = Listening(town, tasks=True)
    forged = replace(of_task(1), kind="token.created", branch="b2")
    town["b1"].service.feed.put_task_events([forged, of_task(2)])
    assert len(curious.heard) == 1
    assert curious.events[0].kind == "task.started"


def test_tasks_are_told_at_a_bounded_rate_and_the_rest_is_counted(town: Town) -> None:
    house = town["b1"]
    curious = Listening(town, tasks=True)
    house.service.feed.put_task_events(map(of_task, range(feed.TASKS_AT_ONCE_MAX + 100)))
    assert len(curious.heard) == feed.TASKS_AT_ONCE_MAX
    assert curious.lost == 100
    house.clock.advance(0.1)
    house.service.feed.put_task_events(map(of_task, range(100)), left_out=7)
    assert len(curious.heard) == feed.TASKS_AT_ONCE_MAX + feed.TASKS_PER_S_MAX * 0.1
    assert curious.lost == 100 + 50 + 7
