from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from cyme.core.branches import BranchState
from cyme.core.collectors import broker_key
from cyme.core.model import Broker
from cyme.core.task_events import TaskDeed, WorkerEvent
from cyme.runtime.telemetry import collecting
from cyme.testing import WALL_S
from tests.runtime.service.house import ADMIN, BROKER, House
from tests.runtime.service.town import Town
from tests.runtime.telemetry.telling import collector, gone, judge, judged, told
from tests.waiting import eventually

BROKER_KEY = broker_key(BROKER)
OTHER = Broker("amqp://guest:guest@other//")


@pytest.fixture
def town() -> Iterator[Town]:
    town = Town(3)
    town["b1"].declare("q")
    with judged(town):
        yield town


def test_one_branch_alone_listens_to_a_broker(town: Town) -> None:
    listening, _ = collector(town)
    for house in town.houses.values():
        judge(house)
        assert house.service.telemetry.collecting.collectors() == {listening.replica.branch_id}
        assert house.service.telemetry.collecting.collector(BROKER) == listening.replica.branch_id
    assert listening.listeners.log == [("start", BROKER.url)]


def test_a_branch_with_instances_on_a_broker_listens_to_it(town: Town) -> None:
    for branch in ("b1", "b2", "b3"):
        record = town["b1"].service.put_instance
        record("shop", f"w-{branch}", {"broker": OTHER}, branch=branch, caller=ADMIN, timeout_s=5.0)
        town.gossip()
    town["b1"].give_away("w-b2", "b3")
    town.gossip()
    town["b1"].service.delete_instance("w-b1", caller=ADMIN, timeout_s=5.0)
    town.gossip()
    judge(*town.houses.values())
    assert OTHER.url in town["b3"].listeners.listening


def test_another_branch_takes_over_when_the_collector_is_gone(town: Town) -> None:
    first, _ = collector(town)
    gone(town, first)
    others = [house for house in town.houses.values() if house is not first]
    judge(*others)
    assert sum(BROKER.url in house.listeners.listening for house in others) == 1


def test_who_hands_on_listens_no_more_and_keeps_what_it_knows(town: Town) -> None:
    first, other = collector(town)
    first.listeners.tell(BROKER, told(TaskDeed.STARTED))
    town.change(first.replica.branch_id, state=BranchState.LEAVING)
    judge(*town.houses.values())
    eventually(lambda: not first.listeners.listening)
    (ledger,) = first.service.telemetry.ledgers().values()
    assert ledger.events == 1
    assert first.replica.branch_id in other.service.telemetry.sources()
    judge(first)
    assert first.listeners.log[-1] == ("stop", BROKER.url)
    assert not first.service.telemetry.listening()
    assert other.service.telemetry.listening() == {BROKER_KEY}

    town.change(first.replica.branch_id, state=BranchState.ALIVE)
    judge(*town.houses.values())
    assert BROKER.url in first.listeners.listening
    assert first.service.telemetry.listening() == {BROKER_KEY}
    assert first.service.telemetry.ledgers() == {BROKER_KEY: ledger}


def test_how_busy_workers_are_is_told_by_who_listens_to_them_alone(town: Town) -> None:
    first, other = collector(town)
    first.listeners.tell(BROKER, WorkerEvent("w1@b1", WALL_S, True, active=7))
    assert first.service.vitals_share_here(timeout_s=WALL_S).busy == {"w1@b1": 7}
    town.change(first.replica.branch_id, state=BranchState.LEAVING)
    judge(*town.houses.values())
    other.listeners.tell(BROKER, WorkerEvent("w1@b1", WALL_S, True, active=1))

    assert not first.service.vitals_share_here(timeout_s=WALL_S).busy
    assert other.service.vitals_share_here(timeout_s=WALL_S).busy == {"w1@b1": 1}


def test_what_nobody_collects_any_more_is_forgotten_after_an_hour(town: Town) -> None:
    first, other = collector(town)
    town.change(first.replica.branch_id, state=BranchState.LEAVING)
    judge(*town.houses.values())
    first.clock.advance(collecting.KEPT_S / 2)
    judge(first)
    assert first.service.telemetry.ledgers()
    for house in (first, other):
        house.clock.advance(collecting.KEPT_S)
        judge(house)
    assert not first.service.telemetry.ledgers()
    assert first.replica.branch_id not in other.service.telemetry.sources()


def test_brokers_that_come_and_go_leave_a_bounded_number_of_ledgers(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "LEDGERS_MAX", 3)
    house.members.change("b2", state=BranchState.FAILED)
    for number in range(6):
        broker = Broker(f"redis://127.0.0.1:6379/{number}")
        house.service.put_app("brief", {"broker": broker}, caller=ADMIN, timeout_s=5.0)
        judge(house)
        house.clock.advance(1.0)
    assert house.service.telemetry.ledgers().keys() == {
        f"redis://127.0.0.1:6379/{number}" for number in (3, 4, 5)
    }


def test_workers_that_were_silent_for_an_hour_are_forgotten(town: Town) -> None:
    first, _ = collector(town)
    first.listeners.tell(BROKER, WorkerEvent("w1@b1", WALL_S, True))
    (ledger,) = first.service.telemetry.ledgers().values()
    assert ledger.workers(WALL_S)
    first.clock.advance(2 * 3600)
    judge(first)
    assert not ledger.workers(WALL_S)


def test_a_broker_that_is_reached_in_another_way_is_listened_to_in_that_way(town: Town) -> None:
    first, _ = collector(town)
    first.listeners.tell(BROKER, told(TaskDeed.STARTED))
    anew = Broker(BROKER.url.replace("hush", "aaah"))
    town["b1"].service.put_app("shop", {"broker": anew}, caller=ADMIN, timeout_s=5.0)
    town.gossip()
    judge(*town.houses.values())
    eventually(lambda: list(first.listeners.listening) == [anew.url])
    (ledger,) = first.service.telemetry.ledgers().values()
    assert ledger.events == 1


def test_a_branch_listens_to_so_many_brokers_at_most(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "LISTENERS_MAX", 3)
    house.members.change("b2", state=BranchState.FAILED)
    for number in range(9):
        broker = Broker(f"redis://r{number}:6379/0")
        house.service.put_app(f"a{number}", {"broker": broker}, caller=ADMIN, timeout_s=5.0)
    judge(house)
    assert len(house.listeners.listening) == 3


def test_what_a_listener_tells_of_itself_is_counted(town: Town) -> None:
    first, _ = collector(town)
    sink = first.listeners.listening[BROKER.url]
    sink.on_shed(7)
    sink.on_unreadable(2)
    sink.on_lost("away")
    sink.on_lost("still away")
    sink.on_connected()
    sink.on_lost("away")
    totals = first.service.task_totals_here(timeout_s=1.0)
    assert (totals.shed, totals.unreadable, totals.interruptions) == (7, 2, 2)


def test_it_is_judged_again_and_again_whatever_goes_wrong(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "JUDGE_S", 0.01)
    house.members.change("b2", state=BranchState.FAILED)
    telemetry = house.service.telemetry
    failures = [RuntimeError("odd")]
    judge_really = telemetry.collecting.judge

    def judge_or_fail() -> None:
        if failures:
            raise failures.pop()
        judge_really()

    monkeypatch.setattr(telemetry.collecting, "judge", judge_or_fail)
    telemetry.start()
    house.declare("q")
    eventually(lambda: house.listeners.listening)
    telemetry.stop(1.0)
    assert not house.listeners.listening
    gevent.sleep(0)
    assert house.listeners.log == [("start", BROKER.url), ("stop", BROKER.url)]


def test_a_broker_that_comes_into_use_is_listened_to_before_its_worker_has_started(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "JUDGE_S", 60.0)
    house = town["b1"]
    house.service.telemetry.collecting.start()
    try:
        for name, broker in (("w1", OTHER), ("w2", Broker("amqp://guest:guest@another//"))):
            house.service.put_instance(
                "shop", name, {"broker": broker}, branch="b1", caller=ADMIN, timeout_s=5.0
            )
            eventually(lambda url=broker.url: url in house.listeners.listening, 5.0)  # type: ignore[misc]
    finally:
        house.service.telemetry.collecting.stop(1.0)
