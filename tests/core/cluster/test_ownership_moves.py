"""An instance is moved to a branch that was asked to take it."""

from __future__ import annotations

import pytest

from cyme.core.cluster.effects import Abandon, Prepare, Tell, Write
from cyme.core.cluster.grounds import EPOCH_MAX
from cyme.core.model import Instance, WorkerSpec
from tests.core.cluster.ownership_view import (
    AWAY,
    FAILED,
    LEAVING,
    MINE,
    START,
    Seat,
    but,
    edited,
    home,
    instance,
    of,
    only,
    told,
)

THEIRS = instance("w", home="b2", epoch=4, pinned=True)
MOVED = but(THEIRS, home="b1", owner="b1", epoch=5)


def target(*known: Instance, **policy: object) -> Seat:
    """Return the seat of b1, settled, to which an instance of b2 may be moved."""
    seat = Seat("b1", "b2", "b3", **policy).know(*known)
    seat.wait(5)
    return seat


@pytest.mark.parametrize("known", [[], [THEIRS], [but(THEIRS, epoch=1)]])
def test_a_move_starts_the_worker_here_and_then_changes_home_and_owner(
    known: list[Instance],
) -> None:
    seat = target(*known)
    assert seat.take(THEIRS) == [Prepare(THEIRS)]
    assert seat.ownership.keeps("w")
    assert seat.prepared(THEIRS) == [Write(MOVED)]
    moved = only(Tell, seat.learn(MOVED))
    assert moved.kind == "instance.moved"
    assert moved.reason == "its worker runs here now, and the copy on branch 'b2' stops"
    assert not seat.ownership.keeps("w")
    assert seat.wait(1000) == []


def test_a_move_goes_by_the_latest_record() -> None:
    newer = edited(but(THEIRS, epoch=7))
    seat = target(newer)
    assert seat.take(THEIRS) == [Prepare(newer)]
    newest = edited(but(newer, epoch=8), 6)
    assert seat.learn(newest) == []
    assert seat.prepared(THEIRS) == [Write(but(newest, home="b1", owner="b1", epoch=9))]


def test_a_move_ends_when_the_worker_does_not_run() -> None:
    seat = target(THEIRS)
    seat.take(THEIRS)
    ended = seat.prepared(THEIRS, running=False)
    assert only(Abandon, ended).instance == THEIRS
    assert only(Tell, ended).reason == "its worker does not come to run here: no python"
    assert told(ended) == ["instance.not-moved"]
    assert not seat.ownership.keeps("w")
    assert seat.wait(1000) == []


def test_a_move_ends_at_its_deadline() -> None:
    seat = target(THEIRS)
    seat.take(THEIRS)
    assert seat.wait(119) == []
    assert told(seat.wait(2)) == ["instance.not-moved"]


@pytest.mark.parametrize(
    ("meanwhile", "why"),
    [
        (but(THEIRS, owner="b3", epoch=5), "branch 'b3' took it meanwhile"),
        (edited(THEIRS, deleted=True), "it was deleted"),
        (but(THEIRS, generation=2), "it was deleted"),
    ],
)
def test_a_move_ends_when_the_instance_goes_another_way(meanwhile: Instance, why: str) -> None:
    seat = target(THEIRS)
    seat.take(THEIRS)
    ended = seat.learn(meanwhile)
    assert ended[0] == Abandon(THEIRS)
    assert only(Tell, ended).reason == why


@pytest.mark.parametrize("why", ["deleted", "full", "drained", "leaving", "epochs"])
def test_a_move_is_refused_at_once_where_it_cannot_be(why: str) -> None:
    record = but(THEIRS, epoch=EPOCH_MAX) if why == "epochs" else THEIRS
    seat = target(edited(record, deleted=True) if why == "deleted" else record)
    seat.change("b1", drained=why == "drained", instances_max=0 if why == "full" else 9)
    if why == "leaving":
        seat.fate("b1", LEAVING)
    ended = seat.take(record)
    assert len(of(Abandon, ended)) == 1
    assert told(ended) == ["instance.not-moved"]
    assert not seat.ownership.keeps("w")
    assert seat.wait(100) == []


def test_a_move_waits_for_its_app_until_its_deadline() -> None:
    seat = target(THEIRS)
    app = seat.view.apps.pop("shop")
    assert seat.take(THEIRS) == []
    assert not seat.ownership.keeps("w"), "nothing was started yet"
    assert seat.wait(60) == []
    seat.view.apps["shop"] = app
    assert seat.wait(4) == [Prepare(THEIRS)]
    seat = target(THEIRS)
    seat.view.apps.clear()
    seat.take(THEIRS)
    ended = seat.wait(125)
    assert told(ended) == ["instance.not-moved"]


def test_a_move_waits_for_its_turn() -> None:
    theirs = [but(THEIRS, name=f"w{n}") for n in range(10)]
    seat = target(*theirs)
    begun = [effect for record in theirs for effect in seat.take(record)]
    assert begun == [Prepare(record) for record in theirs[:8]]
    seat.prepared(theirs[0], running=False)
    assert seat.wait(0.2) == [Prepare(theirs[8])]
    ended = seat.wait(125)
    assert {tell.instance for tell in of(Tell, ended)} == {f"w{n}" for n in range(1, 10)}
    assert "others were before it for too long" in {tell.reason for tell in of(Tell, ended)}


def test_a_move_to_a_branch_that_fills_up_meanwhile_ends() -> None:
    seat = target(THEIRS)
    app = seat.view.apps.pop("shop")
    seat.take(THEIRS)
    seat.change("b1", instances_max=0)
    seat.view.apps["shop"] = app
    assert told(seat.wait(4)) == ["instance.not-moved"]


def test_a_move_to_a_branch_that_has_just_come_up_waits() -> None:
    seat = Seat("b1", "b2").know(THEIRS)
    assert seat.now == START
    assert seat.take(THEIRS) == []
    assert seat.wait(2.5) == []
    assert seat.wait(1) == [Prepare(THEIRS)]


def test_a_move_of_what_does_not_run_needs_no_worker() -> None:
    theirs = but(THEIRS, spec=WorkerSpec(is_enabled=False))
    written = only(Write, target(theirs).take(theirs)).instance
    assert written == but(theirs, home="b1", owner="b1", epoch=5)


def test_moving_to_where_it_runs_makes_that_its_home() -> None:
    interim = but(THEIRS, owner="b1")
    seat = target(interim)
    assert seat.take(interim) == [Write(MOVED)]
    assert seat.learn(MOVED) == []
    assert seat.take(MOVED) == []
    worn = but(interim, epoch=EPOCH_MAX)
    assert told(target(worn).take(worn)) == ["instance.not-moved"]
    assert told(Seat("b1").know(interim).take(interim)) == ["instance.not-moved"]


def test_a_move_asked_for_twice_is_one() -> None:
    seat = target(THEIRS).change("b1", instances_max=1)
    assert seat.take(THEIRS) == [Prepare(THEIRS)]
    assert seat.take(THEIRS) == []
    assert seat.prepared(THEIRS) == [Write(MOVED)]
    assert seat.take(THEIRS) == []


def test_a_move_of_what_is_being_taken_back_goes_on_with_it() -> None:
    seat = home()
    seat.wait(1)
    assert seat.take(AWAY) == []
    assert seat.prepared(AWAY) == [Write(MINE)]
    assert told(seat.learn(MINE)) == ["instance.moved"]


def test_a_move_does_not_wait_for_the_pause_of_a_home() -> None:
    seat = home()
    seat.wait(1)
    seat.prepared(AWAY, running=False)
    assert seat.take(AWAY) == [Prepare(AWAY)]


def test_a_move_of_what_was_made_again_begins_anew() -> None:
    seat = target(THEIRS)
    seat.take(THEIRS)
    again = but(THEIRS, generation=2)
    assert seat.take(again) == [Prepare(again)]


def test_a_move_takes_the_place_of_a_claim() -> None:
    seat = target(THEIRS, but(THEIRS, name="v", pinned=False), takeover_s=1.0)
    seat.change("b3", drained=True).fate("b2", FAILED)
    seat.wait(4)
    claims = seat.ownership._claims
    assert claims.under_way == 1
    claimed = seat.view.records["v"]
    assert seat.take(claimed) == [Prepare(claimed)]
    assert claims.under_way == 0
    assert seat.wait(10) == [], "what is on its way is not claimed"


def test_a_move_that_cannot_be_written_ends() -> None:
    seat = target(THEIRS)
    seat.take(THEIRS)
    seat.prepared(THEIRS)
    ended: list[object] = []
    for _ in range(5):
        ended = [*seat.not_written(MOVED)]
        seat.wait(16)
    assert ended[0] == Abandon(THEIRS)
