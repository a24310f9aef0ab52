"""How everything does, gathered from all branches."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import gevent
import pytest

from cyme.core.alerts import Alert, AlertKind
from cyme.core.branches import BranchState
from cyme.core.vitals import InstanceVitals, QueueVitals
from cyme.errors import BrokerUnavailable, Conflict, Forbidden, NotFound
from tests.runtime.service.house import ADMIN, BROKER, OPERATOR, VIEWER, House
from tests.runtime.service.town import Town

T = 5.0
ROW = QueueVitals(app="shop", name="mails", broker=BROKER.masked_url, depth=3)


@pytest.fixture
def town() -> Iterator[Town]:
    town = Town(3)
    town["b1"].declare("mails")
    town.gossip()
    for name, owner in (("w1", "b1"), ("w2", "b2"), ("w3", "b3")):
        record = town["b1"].put(name)
        if record.owner != owner:
            town["b1"].give_away(name, owner)
    town.gossip()
    for name, owner in (("w1", "b1"), ("w2", "b2"), ("w3", "b3")):
        vitals = InstanceVitals(name=name, cpu=0.5, memory_bytes=10, processes=2, uptime_s=7.0)
        town[owner].supervisor.told = [vitals]
    town["b2"].watching.told = (ROW,)
    yield town
    town.close()


def test_all_branches_tell_in_one_call_each(town: Town) -> None:
    town.asked.clear()
    vitals = town["b1"].service.cluster_vitals()

    assert sorted(town.asked) == [("b2", "vitals_share_here"), ("b3", "vitals_share_here")]
    assert sorted(vitals.instances) == ["w1", "w2", "w3"]
    assert vitals.instances["w3"].cpu == 0.5
    assert vitals.queues == (ROW,)
    assert sorted(vitals.branches) == ["b1", "b2", "b3"]
    assert vitals.branches["b2"].memory_bytes == 90_000_000
    assert vitals.missing == ()


def test_who_cannot_be_asked_is_named_and_left_out(town: Town) -> None:
    town.cut.add("b2")
    town.slow.add("b3")
    vitals = town["b1"].service.cluster_vitals()

    assert vitals.missing == ("b2", "b3")
    assert list(vitals.instances) == ["w1"]
    assert vitals.queues == ()


def test_who_has_failed_is_not_asked(town: Town) -> None:
    town.change("b3", state=BranchState.FAILED)
    town.asked.clear()
    vitals = town["b1"].service.cluster_vitals()

    assert town.asked == [("b2", "vitals_share_here")]
    assert vitals.missing == ()


def test_who_answers_too_late_is_left_out(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cyme.runtime.service.vitals.GATHER_S", 0.2)
    carry = town.carry

    def slowly(branch: str, call: str, arguments: object) -> object:
        gevent.sleep(60.0 if branch == "b2" else 0.0)
        return carry(branch, call, arguments)  # type: ignore[arg-type]

    town["b1"].members.answer = slowly
    with gevent.Timeout(20.0):
        vitals = town["b1"].service.cluster_vitals()
    assert vitals.missing == ("b2",)
    assert sorted(vitals.instances) == ["w1", "w3"]


def test_it_is_gathered_once_for_all_who_ask_at_about_the_same_time(town: Town) -> None:
    house = town["b1"]
    town.asked.clear()
    told = [gevent.spawn(house.service.cluster_vitals) for _ in range(10)]
    gevent.joinall(told, timeout=T)

    assert len({id(each.value) for each in told}) == 1
    assert len(town.asked) == 2
    house.clock.advance(2.1)
    house.service.cluster_vitals()
    assert len(town.asked) == 4


def test_slots_that_a_worker_did_not_tell_are_those_that_it_was_started_with(town: Town) -> None:
    house = town["b1"]
    house.put("w1", max_concurrency=4)
    assert house.service.cluster_vitals().instances["w1"].slots == 4
    house.clock.advance(3.0)
    house.supervisor.told = [InstanceVitals(name="w1", processes=1, slots=7)]
    assert house.service.cluster_vitals().instances["w1"].slots == 7
    house.clock.advance(3.0)
    house.supervisor.told = [InstanceVitals(name="w1")]
    assert house.service.cluster_vitals().instances["w1"].slots is None


# --- one queue --------------------------------------------------------------------------------


def collector(town: Town) -> House:
    """Return the branch that watches the broker: the one whose depths are told."""
    for number, house in enumerate(town.houses.values(), start=1):
        house.watching.depths["mails"] = number * 1000
    depth = town["b1"].service.queue_vitals("shop", "mails", timeout_s=T).depth
    assert depth is not None
    return town[f"b{depth // 1000}"]


def test_any_branch_asks_the_collector_of_the_broker(town: Town) -> None:
    depths = {
        house.service.queue_vitals("shop", "mails", timeout_s=T).depth
        for house in town.houses.values()
        if collector(town)
    }
    assert len(depths) == 1


def test_a_queue_is_purged_by_the_collector_and_told_with_who_did_it(town: Town) -> None:
    house = collector(town)
    house.watching.depths["mails"] = 5
    other = next(each for each in town.houses.values() if each is not house)
    count = other.service.purge_queue("shop", "mails", expect=5, caller=OPERATOR, timeout_s=T)

    assert count == 5
    event = house.last_event()
    assert (event.kind, event.app) == ("queue.purged", "shop")
    assert event.data["count"] == 5
    assert event.data["by"] == "otto"


def test_a_queue_that_has_grown_is_not_purged(town: Town) -> None:
    house = collector(town)
    house.watching.depths["mails"] = 111
    purge = town["b1"].service.purge_queue
    with pytest.raises(Conflict):
        purge("shop", "mails", expect=5, caller=OPERATOR, timeout_s=T)
    house.watching.depths["mails"] = 110
    assert purge("shop", "mails", expect=5, caller=OPERATOR, timeout_s=T) == 110


def test_a_viewer_purges_nothing(town: Town) -> None:
    with pytest.raises(Forbidden):
        town["b1"].service.purge_queue("shop", "mails", expect=5, caller=VIEWER, timeout_s=T)


def test_only_queues_that_are_known_are_asked_after(town: Town) -> None:
    service = town["b1"].service
    for app, queue in (("shop", "nothing"), ("nobody", "mails")):
        with pytest.raises(NotFound):
            service.queue_vitals(app, queue, timeout_s=T)
        with pytest.raises(NotFound):
            service.purge_queue(app, queue, expect=0, caller=ADMIN, timeout_s=T)
    assert service.queue_vitals("shop", "dq.w2", timeout_s=T).name == "dq.w2"


def test_who_asks_hears_that_the_broker_is_away(town: Town) -> None:
    collector(town).watching.failure = BrokerUnavailable("The broker cannot be reached.")
    with pytest.raises(BrokerUnavailable):
        town["b1"].service.queue_vitals("shop", "mails", timeout_s=T)


# --- for metrics ------------------------------------------------------------------------------


def test_figures_are_of_what_is_ones_own_and_nobody_is_asked(town: Town) -> None:
    town.asked.clear()
    town["b2"].supervisor.runs("w2")
    figures = town["b2"].service.figures()

    assert figures.states == {"running": 1}
    assert [(app, each.name) for app, each in figures.workers] == [("shop", "w2")]
    assert figures.queues == (ROW,)
    assert figures.members == {"alive": 3}
    assert figures.alerts == {}
    assert town.asked == []
    assert town["b2"].watching.asked == 0


def test_what_somebody_should_look_at_is_told_once_the_oldest_first(town: Town) -> None:
    def alert(subject: str, since: float, branch: str) -> Alert:
        return Alert(
            id=f"{branch} {subject}",
            kind=AlertKind.QUEUE_DEEP,
            subject=subject,
            app="shop",
            reason="too many wait",
            since=since,
        )

    told = {
        "b1": (alert("new", 9.0, "b1"), alert("both", 5.0, "b1")),
        "b2": (alert("both", 4.0, "b2"), alert("old", 1.0, "b2")),
    }
    for branch, alerts in told.items():
        town[branch].service._alerts = functools.partial(tuple, alerts)
    seen = town["b1"].service.cluster_vitals().alerts
    assert [(each.subject, each.id) for each in seen] == [
        ("old", "b2 old"),
        ("both", "b2 both"),
        ("new", "b1 new"),
    ]
