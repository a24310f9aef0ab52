from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event

from cyme.core.access import Caller, Role
from cyme.core.branches import BranchState
from cyme.core.placement import Move
from cyme.errors import (
    Conflict,
    Forbidden,
    NotFound,
    Overloaded,
    OwnerUnreachable,
    WorkerStartFailed,
)
from cyme.runtime.service import draining
from tests.runtime.service.house import OPERATOR, VIEWER
from tests.runtime.service.test_moves import put
from tests.runtime.service.town import Town
from tests.waiting import eventually

T = 5.0


@pytest.fixture
def town() -> Iterator[Town]:
    """Three branches; b1 has six instances."""
    town = Town(3)
    for number in range(6):
        put(town, "b1", f"w{number}")
    town.gossip()
    yield town
    town.close()


def drain(town: Town, branch: str = "b1", *, asked: str = "b1") -> list[tuple[str, str | None]]:
    moves = town[asked].service.drain_branch(branch, caller=OPERATOR, timeout_s=T)
    return [(move.instance, move.target) for move in moves]


def owned(town: Town, branch: str) -> list[str]:
    return [instance.name for instance in town[branch].replica.instances_owned()]


# --- draining ------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["b1", "b2"])
def test_a_drained_branch_gives_all_its_instances_away(town: Town, asked: str) -> None:
    moves = drain(town, asked=asked)
    assert [name for name, _ in moves] == [f"w{number}" for number in range(6)]
    assert {target for _, target in moves} == {"b2", "b3"}
    eventually(lambda: owned(town, "b1") == [])
    assert len(owned(town, "b2")) == len(owned(town, "b3")) == 3
    eventually(lambda: town["b1"].last_event().kind == "branch.emptied")
    kinds = [event.kind for event in town["b1"].journal.recent(99)]
    assert (kinds.count("branch.drained"), kinds.count("instance.handed-over")) == (1, 6)


def test_a_drained_branch_is_empty_only_when_its_workers_have_ended(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    ended: list[bool] = []

    def wait_gone(name: str, timeout_s: float) -> bool:
        gevent.sleep(0.001)
        assert timeout_s > 0
        asked.append(name)
        return bool(ended)

    monkeypatch.setattr(town["b1"].supervisor, "wait_gone", wait_gone)
    drain(town)
    eventually(lambda: len(asked) > 3)
    kinds = town["b1"].journal.recent
    assert "branch.emptied" not in [event.kind for event in kinds(99)]
    ended.append(True)
    eventually(lambda: town["b1"].last_event().kind == "branch.emptied")
    assert {f"w{number}" for number in range(6)} <= set(asked)


def test_a_few_leave_at_a_time(town: Town) -> None:
    opened, under_way = Event(), [0, 0]

    def take() -> None:
        under_way[0] += 1
        under_way[1] = max(under_way)
        opened.wait(30.0)
        under_way[0] -= 1

    for branch in ("b2", "b3"):
        town[branch].members.before_take = take
    drain(town)
    eventually(lambda: under_way[0] == draining.DRAINED_AT_ONCE)
    opened.set()
    eventually(lambda: owned(town, "b1") == [])
    assert under_way[1] == draining.DRAINED_AT_ONCE


def test_a_drained_branch_takes_nothing(town: Town) -> None:
    drain(town, "b2")
    assert town["b2"].service.branch("b2").drained
    with pytest.raises(Conflict, match="'b2' is drained"):
        put(town, "b2", "w9")
    with pytest.raises(Conflict, match="'b2' is drained"):
        town["b1"].service.move_instance("w1", branch="b2", caller=OPERATOR, timeout_s=T)


def test_what_cannot_leave_is_told_with_the_reason(town: Town) -> None:
    put(town, "b1", "p", pinned=True)
    moves = town["b2"].service.drain_branch("b1", caller=OPERATOR, timeout_s=T)
    stays = {move.instance: move.reason for move in moves if move.target is None}
    assert stays == {"p": "it is pinned to branch 'b1'"}
    eventually(lambda: owned(town, "b1") == ["p"])


def test_what_did_not_leave_is_tried_again(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "DRAIN_RETRY_S", 0.05)
    for branch in ("b2", "b3"):
        town[branch].members.failure = WorkerStartFailed("no")
    drain(town)
    eventually(lambda: town["b1"].last_event().kind == "instance.not-moved")
    for branch in ("b2", "b3"):
        town[branch].members.failure = None
    eventually(lambda: owned(town, "b1") == [])


def test_asking_again_tries_again_at_once(town: Town) -> None:
    for branch in ("b2", "b3"):
        town[branch].members.failure = WorkerStartFailed("no")
    drain(town)
    kinds = town["b1"].journal.recent
    eventually(lambda: [e.kind for e in kinds(99)].count("instance.not-moved") == 6)
    for branch in ("b2", "b3"):
        town[branch].members.failure = None
    assert len(drain(town)) == 6
    eventually(lambda: owned(town, "b1") == [])
    assert [event.kind for event in kinds(99)].count("branch.drained") == 1


def test_an_undrained_branch_keeps_what_has_not_left(town: Town) -> None:
    opened = Event()
    for branch in ("b2", "b3"):
        town[branch].members.before_take = lambda: opened.wait(30.0)
    drain(town)
    eventually(lambda: len(town["b1"].service._moving) == draining.DRAINED_AT_ONCE)
    town["b2"].service.undrain_branch("b1", caller=OPERATOR, timeout_s=T)
    opened.set()
    eventually(lambda: not town["b1"].service._is_emptying)
    assert len(owned(town, "b1")) == 2
    assert town["b1"].service.branch("b1").drained is False
    assert town["b1"].last_event().kind in {"branch.undrained", "instance.handed-over"}
    town["b2"].service.undrain_branch("b1", caller=OPERATOR, timeout_s=T)
    kinds = [event.kind for event in town["b1"].journal.recent(99)]
    assert kinds.count("branch.undrained") == 1


def test_a_branch_that_restarts_drained_goes_on(town: Town) -> None:
    town.change("b1", drained=True)
    town["b1"].service.resume_draining()
    eventually(lambda: owned(town, "b1") == [])
    town["b2"].service.resume_draining()
    assert len(owned(town, "b2") + owned(town, "b3")) == 6


def test_draining_ends_with_the_branch(town: Town) -> None:
    for branch in ("b2", "b3"):
        town[branch].members.failure = WorkerStartFailed("no")
    drain(town)
    service = town["b1"].service
    eventually(lambda: service._is_emptying)
    with gevent.Timeout(20.0):
        service.stop(60.0)
    assert not service._is_emptying


def test_who_may_drain(town: Town) -> None:
    service = town["b1"].service
    for call in (service.drain_branch, service.undrain_branch):
        with pytest.raises(Forbidden):
            call("b1", caller=VIEWER, timeout_s=T)
        with pytest.raises(NotFound):
            call("b9", caller=OPERATOR, timeout_s=T)
        town.change("b3", state=BranchState.FAILED)
        with pytest.raises(OwnerUnreachable):
            call("b3", caller=OPERATOR, timeout_s=T)


def test_a_branch_that_is_too_busy_to_drain_can_be_drained_later(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = town["b1"].service

    def refuse(_write: object) -> None:
        raise Overloaded("too many")

    with monkeypatch.context() as patched:
        patched.setattr(service._later, "run", refuse)
        with pytest.raises(Overloaded):
            drain(town)
    drain(town)
    eventually(lambda: owned(town, "b1") == [])


# --- draining at the end -------------------------------------------------------------------------


def test_a_branch_hands_all_over_before_it_stops(town: Town) -> None:
    put(town, "b1", "p", pinned=True)
    assert town["b1"].service.drain_and_wait(T) == {"p": "it is pinned to branch 'b1'"}
    assert owned(town, "b1") == ["p"]
    assert sorted(town["b1"].supervisor.gone) == [f"w{number}" for number in range(6)]
    assert town["b1"].service.branch("b1").drained is False, "it is to take some when it is back"


def test_a_branch_that_was_drained_before_stays_so(town: Town) -> None:
    town.change("b1", drained=True)
    assert town["b1"].service.drain_and_wait(T) == {}
    assert town["b1"].service.branch("b1").drained


def test_it_takes_nothing_while_it_hands_over(town: Town) -> None:
    seen = []
    for branch in ("b2", "b3"):
        town[branch].members.before_take = lambda: seen.append(
            town["b1"].service.branch("b1").drained
        )
    town["b1"].service.drain_and_wait(T)
    assert seen == [True] * 6


def test_a_branch_that_is_killed_while_it_hands_over_takes_some_when_it_is_back(
    town: Town,
) -> None:
    seen = []
    for branch in ("b2", "b3"):
        town[branch].members.before_take = lambda: seen.append(town["b1"].members.drained_at_start)
    town["b1"].service.drain_and_wait(T)
    assert seen == [False] * 6


def test_what_was_drained_by_somebody_stays_so_over_restarts(town: Town) -> None:
    drain(town)
    assert town["b1"].members.drained_at_start
    town["b1"].service.undrain_branch("b1", caller=OPERATOR, timeout_s=T)
    assert not town["b1"].members.drained_at_start


def test_handing_over_ends_in_time(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "LAST_RETRY_S", 0.01)
    for branch in ("b2", "b3"):
        town[branch].members.failure = WorkerStartFailed("no")
    house = town["b1"]
    handing = gevent.spawn(house.service.drain_and_wait, T)
    eventually(lambda: house.last_event().kind == "instance.not-moved")
    house.clock.advance(T + 1.0)
    assert set(handing.get(timeout=T).values()) == {"it could not be moved in time"}


def test_a_branch_with_nobody_beside_it_keeps_all(town: Town) -> None:
    for branch in ("b2", "b3"):
        town.change(branch, state=BranchState.LEFT)
    assert len(town["b1"].service.drain_and_wait(T)) == 6


# --- evening out ---------------------------------------------------------------------------------


def rebalance(town: Town, *, dry_run: bool = False, asked: str = "b1") -> list[Move]:
    return town[asked].service.rebalance(dry_run=dry_run, caller=OPERATOR)


def test_a_dry_run_only_tells(town: Town) -> None:
    moves = rebalance(town, dry_run=True)
    assert [move.source for move in moves] == ["b1"] * 4
    gevent.idle()
    assert town.asked == []
    assert len(owned(town, "b1")) == 6


@pytest.mark.parametrize("asked", ["b1", "b3"])
def test_the_cluster_is_evened_out(town: Town, asked: str) -> None:
    assert len(rebalance(town, asked=asked)) == 4
    house = town[asked]
    eventually(lambda: "cluster.rebalanced" in [event.kind for event in house.journal.recent(9)])
    assert [len(owned(town, branch)) for branch in ("b1", "b2", "b3")] == [2, 2, 2]
    assert house.last_event().reason.startswith("4 of 4 instances moved")
    town.gossip()
    assert rebalance(town, asked=asked) == []


def test_the_labels_that_the_app_asks_for_hold(town: Town) -> None:
    town["b1"].service.put_app("shop", {"labels": "zone=a"}, caller=OPERATOR, timeout_s=T)
    town.change("b1", labels=(("zone", "a"),))
    town.change("b3", labels=(("zone", "a"),))
    assert {move.target for move in rebalance(town, dry_run=True)} == {"b3"}


def test_it_is_evened_out_once_at_a_time(town: Town) -> None:
    opened = Event()
    for branch in ("b2", "b3"):
        town[branch].members.before_take = lambda: opened.wait(30.0)
    rebalance(town)
    eventually(lambda: len(town["b1"].service._moving) == draining.REBALANCED_AT_ONCE)
    with pytest.raises(Conflict, match="rebalanced from here already"):
        rebalance(town)
    assert rebalance(town, dry_run=True)
    opened.set()
    eventually(lambda: town["b1"].last_event().kind == "cluster.rebalanced")
    assert rebalance(town) == []


def test_moves_that_fail_are_counted_and_hold_up_nothing(town: Town) -> None:
    town["b2"].members.failure = WorkerStartFailed("no")
    rebalance(town)
    eventually(lambda: town["b1"].last_event().kind == "cluster.rebalanced")
    assert town["b1"].last_event().reason.startswith("2 of 4 instances moved")


def test_a_viewer_evens_out_nothing(town: Town) -> None:
    with pytest.raises(Forbidden):
        town["b1"].service.rebalance(dry_run=True, caller=Caller(Role.VIEWER, "vera"))
