from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import gevent
import pytest
from gevent.event import Event

from cyme.core.branches import BranchState
from cyme.core.model import BranchId, Broker, Instance
from cyme.errors import (
    Conflict,
    DeadlineExceeded,
    Forbidden,
    NotFound,
    OwnerUnreachable,
    TooLarge,
    Unavailable,
    WorkerStartFailed,
)
from cyme.runtime.service import Written, room
from tests.runtime.service.house import ADMIN, OPERATOR, VIEWER
from tests.runtime.service.town import Town
from tests.waiting import eventually

T = 5.0


@pytest.fixture
def town() -> Iterator[Town]:
    """Three branches; b1 has the instance w1."""
    town = Town(3)
    put(town, "b1", "w1")
    town.gossip()
    yield town
    town.close()


def put(town: Town, branch: str, name: str, *, pinned: bool = False, **changes: object) -> None:
    """Create an instance on a branch."""
    house = town[branch]
    app = house.replica.app("shop") or house.service._implied_app("shop")
    house.service.put_instance_here(
        app,
        name,
        changes,
        context=(),
        pinned=pinned,
        caller=ADMIN,
        if_match=None,
        timeout_s=T,
    )


def move(
    town: Town, name: str = "w1", branch: str | None = None, *, asked: str = "b1"
) -> Written[Instance]:
    return town[asked].service.move_instance(
        name, "shop", branch=branch, caller=OPERATOR, timeout_s=T
    )


@pytest.mark.parametrize("asked", ["b1", "b2", "b3"])
def test_an_instance_moves_wherever_that_is_asked(town: Town, asked: str) -> None:
    written = move(town, branch="b2", asked=asked)
    assert written.changed
    record = written.record
    assert (record.owner, record.home, record.epoch, record.pinned) == ("b2", "b2", 2, False)
    assert town["b2"].members.taken == ["w1"]
    assert town["b1"].service.instance("w1").owner == "b2"
    assert town.owner("w1") == "b2"


def test_what_happened_is_told_on_both_sides(town: Town) -> None:
    move(town, branch="b2")
    assert town["b1"].last_event().reason == "handed over to branch 'b2' by otto"
    assert town["b2"].last_event().reason == "move from branch 'b1' to here asked by otto"
    for _ in ("b3 has not heard, and asks b1", "b3 has heard, and asks b2"):
        told = town["b3"].service.history("shop", "w1", timeout_s=T)
        assert [(event.branch, event.kind) for event in told] == [
            ("b1", "instance.created"),
            ("b1", "instance.handed-over"),
            ("b2", "instance.move-asked"),
        ]
        town.gossip()


def test_without_a_branch_it_goes_where_it_fits(town: Town) -> None:
    town.change("b2", drained=True)
    assert move(town).record.owner == "b3"
    town.gossip()
    town.change("b1", state=BranchState.SUSPECT)
    with pytest.raises(Conflict, match="All branches are drained"):
        move(town)
    town.change("b2", state=BranchState.LEFT)
    with pytest.raises(Conflict, match="no other living branch"):
        move(town)


def test_what_is_there_already_does_not_move(town: Town) -> None:
    written = move(town, branch="b1")
    assert (written.changed, written.record.epoch) == (False, 1)
    assert town.asked == []


def test_a_pinned_instance_moves_only_where_it_is_told_to(town: Town) -> None:
    put(town, "b1", "w2", pinned=True)
    with pytest.raises(Conflict, match="is pinned to branch 'b1'"):
        move(town, "w2")
    record = move(town, "w2", "b3").record
    assert (record.owner, record.home, record.pinned) == ("b3", "b3", True)


def pin(town: Town, asked: str, pinned: bool) -> Instance:
    """Pin the instance w1 where it is, or remove its pin."""
    service = town[asked].service
    return service.put_instance(
        "shop", "w1", {}, pinned=pinned, caller=OPERATOR, timeout_s=T
    ).record


def test_a_pin_is_removed_by_its_owner_whoever_is_asked(town: Town) -> None:
    assert pin(town, "b2", pinned=True).pinned
    town.gossip()
    with pytest.raises(Conflict, match="is pinned to branch 'b1'"):
        move(town)
    town.asked.clear()
    record = pin(town, "b3", pinned=False)
    assert (record.pinned, record.owner, record.version) == (False, "b1", 3)
    assert town.asked == [("b1", "put_instance_here")]
    assert town["b1"].last_event().reason == "pin removed by otto"
    town.gossip()
    assert not any(house.service.instance("w1").pinned for house in town.houses.values())
    assert move(town, asked="b2").record.owner in {"b2", "b3"}


def lend(town: Town, owner: str) -> None:
    """Have a branch run w1 for its home, as after a claim."""
    before = town["b1"].service.instance("w1")
    lent = replace(before, owner=BranchId(owner), epoch=before.epoch + 1)
    town[owner].replica.commit([lent], T)
    town.gossip()


def test_what_runs_away_from_its_home_is_pinned_where_it_runs(town: Town) -> None:
    lend(town, "b2")
    record = pin(town, "b1", pinned=True)
    assert (record.owner, record.home, record.epoch, record.pinned) == ("b2", "b2", 3, True)
    town.gossip()
    for house in town.houses.values():
        assert house.service.instance("w1") == record


def test_a_pin_that_came_as_another_branch_took_it_holds_it_there_when_it_is_set_again(
    town: Town,
) -> None:
    pin(town, "b1", pinned=True)
    lend(town, "b2")
    record = pin(town, "b1", pinned=True)
    assert (record.owner, record.home, record.pinned) == ("b2", "b2", True)
    assert town["b2"].last_event().reason == "pinned to branch 'b2' by otto"


def test_a_pin_that_is_removed_leaves_the_home_as_it_is(town: Town) -> None:
    lend(town, "b2")
    record = pin(town, "b1", pinned=False)
    assert (record.owner, record.home, record.epoch) == ("b2", "b1", 2)


def test_who_does_not_know_what_it_owns_pins_nothing_away_from_its_home(town: Town) -> None:
    lend(town, "b2")
    town["b2"].members.fenced = True
    with pytest.raises(Unavailable, match="asks the others what it owns"):
        pin(town, "b1", pinned=True)
    town["b2"].members.fenced = False
    assert pin(town, "b1", pinned=True).home == "b2"


def test_a_drained_branch_lets_go_of_what_lost_its_pin(town: Town) -> None:
    pin(town, "b1", pinned=True)
    town.gossip()
    town.change("b1", drained=True)
    assert town["b1"].service.drain_and_wait(0.0) == {"w1": "it is pinned to branch 'b1'"}
    pin(town, "b1", pinned=False)
    assert town["b1"].service.drain_and_wait(T) == {}
    assert town.owner("w1") in {"b2", "b3"}


def test_who_may_not_write_moves_nothing(town: Town) -> None:
    with pytest.raises(Forbidden):
        town["b1"].service.move_instance("w1", branch="b2", caller=VIEWER, timeout_s=T)
    with pytest.raises(NotFound):
        move(town, "w9", "b2")
    with pytest.raises(NotFound):
        move(town, branch="b9")


@pytest.mark.parametrize(
    ("changes", "error", "why"),
    [
        ({"state": BranchState.FAILED}, Conflict, "'b2' is not alive, but failed"),
        ({"state": BranchState.SUSPECT}, Conflict, "'b2' is not alive, but suspect"),
        ({"drained": True}, Conflict, "'b2' is drained"),
        ({"instances_max": 0}, TooLarge, "'b2' is full"),
        ({"labels": (("zone", "b"),)}, Conflict, "'b2' lacks the label zone=a"),
    ],
)
@pytest.mark.parametrize("noticed_by", ["b1", "b2"])
def test_a_branch_that_is_not_fit_takes_nothing(
    town: Town,
    changes: dict[str, object],
    error: type[Exception],
    why: str,
    noticed_by: str,
) -> None:
    for branch in ("b1", "b2", "b3"):
        town.change(branch, labels=(("zone", "a"),))
    put(town, "b1", "w2", labels={"zone": "a"})
    town[noticed_by].members.change("b2", **changes)
    with pytest.raises(error, match=why):
        move(town, "w2", "b2")
    assert town["b2"].members.taken == []
    assert town.owner("w2") == "b1"


def test_the_labels_of_the_app_count_too(town: Town) -> None:
    town["b1"].service.put_app("shop", {"labels": "gpu=1"}, caller=ADMIN, timeout_s=T)
    town.change("b3", labels=(("gpu", "1"),))
    assert move(town).record.owner == "b3"


def test_the_branch_that_takes_it_learns_of_its_app_and_queues(town: Town) -> None:
    town["b1"].declare("tasks")
    town["b1"].service.add_consumer("shop", "w1", "tasks", caller=OPERATOR, timeout_s=T)
    move(town, branch="b2")
    assert town["b2"].service.queue("shop", "tasks")
    assert town["b2"].service.consumers("shop", "w1") == ["tasks"]


def test_a_broker_too_many_is_not_taken_along(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    put(town, "b1", "w2", broker=Broker("amqp://h1//"))
    put(town, "b2", "w3", broker=Broker("amqp://h2//"))
    monkeypatch.setattr(room, "BROKERS_MAX", 2)
    with pytest.raises(TooLarge, match="2 brokers already"):
        move(town, "w2", "b2")


def test_a_worker_that_does_not_start_there_stays_here(town: Town) -> None:
    town["b2"].members.failure = WorkerStartFailed("There is no such interpreter.")
    with pytest.raises(WorkerStartFailed, match="no such interpreter"):
        move(town, branch="b2", asked="b3")
    assert town.owner("w1") == "b1"
    event = town["b1"].last_event()
    assert event.kind == "instance.not-moved"
    assert event.reason == "not moved to branch 'b2' (There is no such interpreter.) by otto"


def test_a_move_can_be_tried_again_however_it_ended(town: Town) -> None:
    town["b2"].members.failure = DeadlineExceeded("It goes on.")
    with pytest.raises(DeadlineExceeded):
        move(town, branch="b2")
    # It did go on, and b1 has not heard of it.
    town["b2"].members.failure = None
    town["b2"].members.take(town["b2"].service.instance("w1"), timeout_s=T)
    assert move(town, branch="b2").record.epoch == 2
    assert town["b2"].members.taken == ["w1"]
    assert town.asked == [("b2", "take_here")] * 2


def test_an_instance_moves_once_at_a_time(town: Town) -> None:
    opened = Event()
    town["b2"].members.before_take = lambda: opened.wait(30.0)
    first = gevent.spawn(move, town, branch="b2")
    eventually(lambda: ("b2", "take_here") in town.asked)
    with pytest.raises(Conflict, match="is being moved already"):
        move(town, branch="b3")
    opened.set()
    assert first.get(timeout=T).record.owner == "b2"
    assert move(town, branch="b3", asked="b2").record.owner == "b3"


def test_no_more_are_taken_over_at_a_time_than_there_is_room_for(town: Town) -> None:
    put(town, "b1", "w2")
    town.change("b2", instances_max=1)
    opened = Event()
    town["b2"].members.before_take = lambda: opened.wait(30.0)
    first = gevent.spawn(move, town, "w1", "b2")
    eventually(lambda: ("b2", "take_here") in town.asked)
    with pytest.raises(TooLarge, match="'b2' is full"):
        move(town, "w2", "b2")
    with pytest.raises(TooLarge, match="'b2' has 1 instances already"):
        put(town, "b2", "w3")
    opened.set()
    assert first.get(timeout=T).changed


@pytest.mark.parametrize("fenced", ["b1", "b2"])
def test_a_branch_that_does_not_know_what_it_owns_moves_and_takes_nothing(
    town: Town, fenced: str
) -> None:
    town[fenced].members.fenced = True
    with pytest.raises(Unavailable, match=f"'{fenced}' has just started, or stood still"):
        move(town, branch="b2")
    assert town.owner("w1") == "b1"


def test_a_branch_that_cannot_be_asked_takes_nothing(town: Town) -> None:
    town.cut.add("b2")
    with pytest.raises(OwnerUnreachable):
        move(town, branch="b2")
    assert town["b1"].last_event().kind == "instance.not-moved"


def test_an_instance_that_moved_meanwhile_is_asked_for_where_it_is(town: Town) -> None:
    taken = town["b3"].members.take(town["b1"].service.instance("w1"), timeout_s=T)
    town["b2"].replica.absorb([taken], T)
    # b1 still takes itself for the owner; b2, which is to take it, knows better.
    assert move(town, branch="b2").record.owner == "b2"
    assert town.asked == [("b2", "take_here"), ("b3", "move_instance_here"), ("b2", "take_here")]
    assert town.owner("w1") == "b2"
    assert town["b2"].service.instance("w1").epoch == 3
