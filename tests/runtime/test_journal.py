from __future__ import annotations

from cyme.core.events import Event
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
