from __future__ import annotations

from cyme.core.events import Cursor, Event, EventFilter
from cyme.runtime import journal as limits
from cyme.runtime.journal import EVENTS_MAX, EVENTS_PER_INSTANCE_MAX, Journal
from cyme.testing import WALL_S, FakeClock


def test_numbers_and_dates_events() -> None:
    clock = FakeClock()
    journal = Journal(clock)
    journal.record("broker.lost", "it is away")
    clock.advance(5.0)
    event = journal.record("instance.started", "it answers", app="a", instance="w1", pid=7)
    assert event == Event(
        seq=2,
        at=WALL_S + 5.0,
        kind="instance.started",
        reason="it answers",
        app="a",
        instance="w1",
        life=int(WALL_S * 1000),
        data={"pid": 7},
    )


def test_tells_of_one_instance_or_of_all() -> None:
    journal = Journal(FakeClock())
    for name in ("w1", "w2", "w1"):
        journal.record("instance.started", "it answers", instance=name)
    assert [event.seq for event in journal.of_instance("w1")] == [1, 3]
    assert journal.of_instance("w9") == []
    assert [event.seq for event in journal.recent(2)] == [2, 3]
    assert [event.seq for event in journal.recent(9)] == [1, 2, 3]
    assert journal.recent(0) == []


def test_one_noisy_instance_pushes_out_its_own_past_only() -> None:
    journal = Journal(FakeClock())
    journal.record("instance.started", "it answers", instance="quiet")
    for _ in range(EVENTS_PER_INSTANCE_MAX + 50):
        journal.record("instance.failed", "again", instance="noisy")
    noisy = journal.of_instance("noisy")
    assert len(noisy) == EVENTS_PER_INSTANCE_MAX
    assert noisy[-1].seq == EVENTS_PER_INSTANCE_MAX + 51
    assert len(journal.of_instance("quiet")) == 1
    assert len(journal.recent(EVENTS_MAX)) == EVENTS_PER_INSTANCE_MAX + 1


def test_keeps_so_many_in_all() -> None:
    journal = Journal(FakeClock())
    journal.record("instance.started", "it answers", instance="once")
    journal.record("branch.started", "it was started")
    journal.record("instance.started", "it answers", instance="twice")
    for number in range(EVENTS_MAX):
        journal.record("instance.started", "it answers", instance=f"w{number % 100}")
        if number == EVENTS_MAX - 2:
            journal.record("instance.started", "again", instance="twice")
    kept = journal.recent(2 * EVENTS_MAX)
    assert len(kept) == EVENTS_MAX
    assert kept[0].seq == 5
    assert journal.of_instance("once") == []
    assert [event.reason for event in journal.of_instance("twice")] == ["again"]
    assert limits.EVENTS_PER_INSTANCE_MAX * 100 > EVENTS_MAX


def test_subscribers_hear_every_event_in_order_until_they_leave() -> None:
    journal = Journal(FakeClock())
    first: list[int] = []
    second: list[int] = []
    leave = journal.subscribe(lambda event: first.append(event.seq))
    journal.subscribe(lambda event: second.append(event.seq))
    journal.record("a.b", "because")
    leave()
    journal.record("a.b", "because")
    assert (first, second) == ([1], [1, 2])


def test_a_subscriber_may_leave_while_it_is_told() -> None:
    journal = Journal(FakeClock())
    heard: list[int] = []

    def once(event: Event) -> None:
        heard.append(event.seq)
        leave()

    leave = journal.subscribe(once)
    journal.subscribe(lambda event: heard.append(event.seq))
    journal.record("a.b", "because")
    journal.record("a.b", "because")
    assert heard == [1, 1, 2]


def test_a_reason_is_cut_where_it_is_too_long_to_be_passed_on() -> None:
    event = Journal(FakeClock()).record("a.b", "x" * 100_000)
    assert len(event.reason) == limits.REASON_CHARS_MAX


def test_finds_the_latest_of_what_is_wanted() -> None:
    journal = Journal(FakeClock(), "b1")
    for number in range(6):
        journal.record("a.b" if number % 2 else "a.c", "because", instance=f"w{number % 3}")
    assert [event.seq for event in journal.find(EventFilter(kinds=("a.b",)), 2)] == [4, 6]
    assert [event.seq for event in journal.find(EventFilter(instances=("w0",)), 9)] == [1, 4]
    both = EventFilter(instances=("w0", "w1"), kinds=("a.c",))
    assert [event.seq for event in journal.find(both, 9)] == [1, 5]


def test_pages_follow_each_other_without_a_gap_and_are_bounded() -> None:
    journal = Journal(FakeClock(), "b1")
    for number in range(limits.PAGE_EVENTS_MAX + 10):
        journal.record("a.b", f"{number}")
    first = journal.after(Cursor())
    assert len(first.events) == limits.PAGE_EVENTS_MAX
    assert first.cursor == first.events[-1].cursor
    second = journal.after(first.cursor)
    assert [event.seq for event in second.events] == list(
        range(limits.PAGE_EVENTS_MAX + 1, limits.PAGE_EVENTS_MAX + 11)
    )
    assert second.cursor == journal.cursor
    assert journal.after(second.cursor).events == ()
    for _ in range(200):
        journal.record("a.b", "x" * limits.REASON_CHARS_MAX)
    chars = sum(len(event.reason) for event in journal.after(second.cursor).events)
    assert limits.PAGE_CHARS_MAX / 2 < chars <= limits.PAGE_CHARS_MAX


def test_one_event_is_a_page_whatever_its_size() -> None:
    journal = Journal(FakeClock(), "b1")
    journal.record("a.b", "because", names="x" * 2 * limits.PAGE_CHARS_MAX)
    journal.record("a.b", "because")
    page = journal.after(Cursor())
    assert [event.seq for event in page.events] == [1]
    assert [event.seq for event in journal.after(page.cursor).events] == [2]


def test_finds_the_place_of_a_moment() -> None:
    clock = FakeClock()
    journal = Journal(clock, "b1")
    assert journal.before(0.0) == journal.cursor
    for number in range(3):
        clock.advance(10.0)
        journal.record("a.b", f"{number}")
    start = clock.wall() - 20.0
    assert len(journal.after(journal.before(start)).events) == 3
    assert len(journal.after(journal.before(start + 0.1)).events) == 2
    assert journal.before(clock.wall() + 1.0) == journal.cursor
