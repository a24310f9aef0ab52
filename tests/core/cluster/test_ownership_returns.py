"""A home takes back what is its own, or keeps it where it ran on."""

from __future__ import annotations

import pytest

from cyme.core.cluster.effects import Abandon, Prepare, Tell, Write
from cyme.core.cluster.grounds import EPOCH_MAX
from cyme.core.model import Instance, WorkerSpec
from tests.core import records
from tests.core.cluster.ownership_view import (
    ALIVE,
    AWAY,
    FAILED,
    LEAVING,
    MINE,
    Seat,
    but,
    edited,
    home,
    instance,
    of,
    only,
    told,
)

# --- taking back ---------------------------------------------------------------------------------


def test_a_home_starts_the_worker_and_then_takes_back() -> None:
    seat = home()
    assert only(Prepare, seat.wait(1)).instance == AWAY
    assert seat.ownership.keeps("w")
    assert seat.prepared(AWAY) == [Write(MINE)]
    assert seat.ownership.keeps("w"), "until it is written"
    back = only(Tell, seat.learn(MINE))
    assert back.kind == "instance.taken-back"
    assert back.data == {"from": "b2", "owner": "b1", "home": "b1", "epoch": 5}
    assert not seat.ownership.keeps("w")
    assert seat.wait(1000) == []


def test_a_home_that_comes_up_is_with_the_others_for_a_while_first() -> None:
    seat = Seat("b1", "b2").know(AWAY)
    seat.view.fenced, seat.view.joined_at = True, None
    assert seat.wait(10) == []
    assert seat.ownership.keeps("w"), "its worker may have lived on"
    seat.view.fenced, seat.view.joined_at = False, seat.now
    assert seat.wait(2.9) == []
    assert seat.ownership.keeps("w")
    assert only(Prepare, seat.wait(0.2)).instance == AWAY


def test_a_home_takes_back_from_an_owner_that_failed() -> None:
    seat = home().fate("b2", FAILED)
    assert of(Prepare, seat.wait(1)) == [Prepare(AWAY)]


@pytest.mark.parametrize("why", ["drained", "leaving", "full", "app"])
def test_a_home_that_cannot_take_it_leaves_it_where_it_is(why: str) -> None:
    seat = home()
    seat.change("b1", drained=why == "drained", instances_max=0 if why == "full" else 10)
    if why == "leaving":
        seat.fate("b1", LEAVING)
    if why == "app":
        seat.view.apps.clear()
    assert of(Prepare, seat.wait(100)) == []
    assert not seat.ownership.keeps("w")
    seat.change("b1", drained=False, instances_max=10).fate("b1", ALIVE)
    seat.view.apps["shop"] = records.app()
    assert of(Prepare, seat.wait(4)) == [Prepare(AWAY)]


def test_what_is_not_to_run_is_taken_back_without_a_worker() -> None:
    disabled = but(AWAY, spec=WorkerSpec(is_enabled=False))
    written = only(Write, home(disabled).wait(1)).instance
    assert written == but(disabled, owner="b1", epoch=5)
    seat = home()
    seat.view.apps["shop"] = records.app(is_enabled=False)
    only(Write, seat.wait(1))


def test_pauses_double_where_the_worker_does_not_come_to_run() -> None:
    seat = home()
    pauses = []
    for _ in range(8):
        waited = seat.now
        while not (begun := of(Prepare, seat.wait(1))):
            assert seat.now < waited + 700
        pauses.append(round(seat.now - waited))
        ended = seat.prepared(begun[0].instance, running=False)
        assert told(ended) == ["instance.not-taken-back"]
        assert only(Abandon, ended).instance == AWAY
        assert not seat.ownership.keeps("w")
    assert pauses[1:] == pytest.approx([15, 30, 60, 120, 240, 480, 600], abs=2)


def test_pauses_begin_anew_when_it_was_taken_back_or_changed() -> None:
    seat = home()
    for _ in range(3):
        seat.prepared(AWAY, running=False) if of(Prepare, seat.wait(50)) else None
    changed = edited(AWAY)
    seat.learn(changed)
    assert of(Prepare, seat.wait(1.1)) == [Prepare(changed)]
    seat.prepared(changed)
    seat.learn(but(changed, owner="b1", epoch=5))
    assert seat.ownership._handovers._rests == {}


def test_a_worker_has_two_minutes_to_come_to_run() -> None:
    seat = home()
    only(Prepare, seat.wait(1))
    assert seat.wait(119) == []
    ended = seat.wait(2)
    assert only(Abandon, ended).instance == AWAY
    assert only(Tell, ended).reason == "its worker did not come to run here in 120 s"
    assert seat.prepared(AWAY) == [Abandon(AWAY)], "nobody asked for it any more"
    assert seat.prepared(AWAY, running=False) == []


def test_a_worker_that_is_ours_by_now_is_not_abandoned() -> None:
    seat = home().know(MINE)
    assert seat.prepared(AWAY) == []
    assert home().know(but(MINE, owner="b3")).prepared(AWAY) == [Abandon(AWAY)]
    assert home().prepared(instance("unknown")) == [Abandon(instance("unknown"))]


def test_so_many_are_prepared_at_a_time() -> None:
    away = [but(AWAY, name=f"w{n:02}") for n in range(20)]
    seat = home(*away)
    begun = of(Prepare, seat.wait(1.1))
    assert [effect.instance.name for effect in begun] == [f"w{n:02}" for n in range(8)]
    assert [name for name in (f"w{n:02}" for n in range(20)) if seat.ownership.keeps(name)] == [
        effect.instance.name for effect in begun
    ]
    seat.prepared(away[3])
    assert seat.wait(1) == [], "it is being written"
    seat.learn(but(away[3], owner="b1", epoch=5))
    assert of(Prepare, seat.wait(0.2)) == [Prepare(away[8])]


def test_no_more_is_taken_back_than_there_is_room_for() -> None:
    away = [but(AWAY, name=f"w{n}") for n in range(5)]
    seat = home(*away).change("b1", instances_max=3).know(instance("mine", "b1"))
    assert len(of(Prepare, seat.wait(10))) == 2


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize(
    ("meanwhile", "why"),
    [
        (but(AWAY, home="b3", owner="b3", epoch=9), "its home is branch 'b3' now"),
        (edited(AWAY, deleted=True), "it was deleted"),
        (but(AWAY, generation=2, home="b2"), "it was deleted"),
    ],
)
def test_what_is_not_to_come_back_is_given_up(meanwhile: Instance, why: str, written: bool) -> None:
    seat = home()
    seat.wait(1)
    if written:
        seat.prepared(AWAY)
    ended = seat.learn(meanwhile)
    assert ended[0] == Abandon(AWAY)
    assert only(Tell, ended).reason == why
    assert not seat.ownership.keeps("w")
    assert seat.wait(1000) == []


def test_an_instance_that_was_made_again_here_is_left_alone() -> None:
    seat = home()
    seat.wait(1)
    assert seat.learn(but(MINE, generation=2, epoch=1)) == []
    assert not seat.ownership.keeps("w")


def test_another_interim_owner_makes_no_difference() -> None:
    seat = home()
    seat.wait(1)
    assert seat.learn(but(AWAY, owner="b3", epoch=7)) == []
    assert seat.ownership.keeps("w")
    assert only(Write, seat.prepared(AWAY)).instance.epoch == 8


def test_what_came_too_late_is_written_again_with_a_higher_epoch() -> None:
    seat = home()
    seat.wait(1)
    seat.prepared(AWAY)
    assert seat.learn(but(AWAY, owner="b3", epoch=5)) == []
    assert only(Write, seat.wait(0.1)).instance == but(AWAY, owner="b1", epoch=6)
    assert seat.not_written(MINE) == [], "that was the one before"
    assert seat.ownership.keeps("w")


def test_a_write_that_fails_is_tried_again_while_the_worker_runs_on() -> None:
    seat = home()
    assert seat.not_written(MINE) == []
    seat.wait(1)
    assert seat.not_written(MINE) == []
    seat.prepared(AWAY)
    for _ in range(4):
        assert seat.not_written(MINE) == []
        assert seat.ownership.keeps("w")
        assert seat.wait(14) == []
        assert seat.wait(2) == [Write(MINE)]
    ended = seat.not_written(MINE)
    assert only(Abandon, ended).instance == AWAY
    assert told(ended) == ["instance.not-taken-back"]
    assert not seat.ownership.keeps("w")
    assert of(Prepare, seat.wait(590)) == []
    assert of(Prepare, seat.wait(20)) == [Prepare(AWAY)]


def test_a_write_that_nobody_answers_is_repeated() -> None:
    seat = home()
    seat.wait(1)
    seat.prepared(AWAY)
    assert seat.wait(29) == []
    assert seat.wait(2) == [Write(MINE)]


def test_a_branch_that_is_fenced_meanwhile_writes_when_it_has_settled() -> None:
    seat = home()
    seat.wait(1)
    seat.view.fenced, seat.view.joined_at = True, None
    assert seat.prepared(AWAY) == []
    assert seat.wait(200) == []
    seat.view.fenced, seat.view.joined_at = False, seat.now
    assert seat.wait(2.5) == []
    assert seat.wait(1) == [Write(MINE)]


def test_a_branch_that_is_drained_meanwhile_gives_the_worker_up() -> None:
    seat = home()
    seat.wait(1)
    seat.change("b1", drained=True)
    ended = seat.prepared(AWAY)
    assert of(Write, ended) == []
    assert only(Abandon, ended).instance == AWAY


def test_a_change_of_the_content_goes_with_the_handover() -> None:
    seat = home()
    seat.wait(1)
    seat.learn(edited(AWAY, queues=("mail",)))
    assert only(Write, seat.prepared(AWAY)).instance.queues == ("mail",)


def test_no_epoch_is_written_that_nobody_would_believe() -> None:
    seat = home(but(AWAY, epoch=EPOCH_MAX))
    assert told(seat.wait(590)) == ["instance.not-taken-back"]
    assert of(Prepare, seat.effects) == []
    seat = home()
    seat.wait(1)
    seat.learn(but(AWAY, epoch=EPOCH_MAX))
    assert of(Write, seat.prepared(AWAY)) == []


def test_a_second_answer_means_nothing() -> None:
    seat = home()
    seat.wait(1)
    seat.prepared(AWAY)
    assert seat.prepared(AWAY) == []
    assert seat.prepared(AWAY, running=False) == []


@pytest.mark.parametrize("give_up", [True, False])
def test_nothing_is_remembered_of_what_is_over(give_up: bool) -> None:
    seat = home()
    seat.wait(1)
    seat.prepared(AWAY, running=not give_up)
    seat.learn(edited(AWAY, deleted=True) if give_up else MINE)
    seat.wait(1.1)
    handovers = seat.ownership._handovers
    assert (handovers._handovers, handovers._rests) == ({}, {})


# --- a home that was not heard -------------------------------------------------------------------

HELD = but(AWAY, owner="b1", epoch=3)


def test_a_home_that_ran_on_keeps_its_worker_and_is_the_owner_again_at_once() -> None:
    seat = home(HELD)
    kept = only(Tell, seat.learn(AWAY))
    assert kept.kind == "instance.kept"
    assert seat.ownership.keeps("w")
    assert seat.wait(0.1) == [Prepare(AWAY)]
    assert seat.prepared(AWAY) == [Write(MINE)]
    assert told(seat.learn(MINE)) == ["instance.taken-back"]


def test_a_home_that_ran_on_is_kept_while_its_worker_does_not_answer_yet() -> None:
    seat = home(HELD)
    seat.learn(AWAY)
    for pause_s in (15, 30, 60, 120):
        assert of(Prepare, seat.wait(1)) == [Prepare(AWAY)]
        failed = seat.prepared(AWAY, running=False)
        assert only(Tell, failed).data["again_s"] == pause_s
        assert of(Abandon, failed) == []
        seat.wait(pause_s - 0.5)
        assert seat.ownership.keeps("w")
    seat.wait(1)
    assert of(Abandon, seat.prepared(AWAY, running=False)) == [Abandon(AWAY)]
    assert not seat.ownership.keeps("w")
    assert of(Prepare, seat.wait(239)) == []
    assert of(Prepare, seat.wait(2)) == [Prepare(AWAY)]


def test_a_thousand_that_ran_on_are_all_kept_and_taken_a_few_at_a_time() -> None:
    held = [but(HELD, name=f"w{n:03}") for n in range(200)]
    seat = home(*held).change("b1", instances_max=200)
    for record in held:
        seat.learn(but(record, owner="b2", epoch=4))
    assert all(seat.ownership.keeps(record.name) for record in held)
    assert len(of(Prepare, seat.wait(1))) == 8


def test_a_fenced_home_keeps_its_worker_until_it_may_act() -> None:
    seat = Seat("b1", "b2").know(HELD)
    seat.view.fenced, seat.view.joined_at = True, None
    seat.wait(1)
    assert told(seat.learn(AWAY)) == ["instance.kept"]
    assert seat.wait(5) == []
    assert seat.ownership.keeps("w")
    seat.view.fenced, seat.view.joined_at = False, seat.now
    assert seat.wait(4) == [Prepare(AWAY)]


@pytest.mark.parametrize("state", ["drained", "leaving"])
def test_a_home_that_takes_nothing_gives_way(state: str) -> None:
    seat = home(HELD).change("b1", drained=state == "drained")
    if state == "leaving":
        seat.fate("b1", LEAVING)
    assert seat.learn(AWAY) == []
    assert not seat.ownership.keeps("w")


def test_an_interim_owner_gives_way_to_the_home() -> None:
    seat = Seat("b2", "b1", "b3").know(AWAY)
    assert seat.learn(MINE) == []
    assert seat.learn(but(MINE, owner="b3", epoch=6)) == [], "it was not ours"
    assert not seat.ownership.keeps("w")
    assert seat.wait(100) == []


def test_a_home_that_gave_an_instance_away_does_not_ask_for_it_back() -> None:
    seat = home(HELD)
    assert seat.learn(but(AWAY, home="b2")) == []
    assert seat.wait(100) == []


@pytest.mark.parametrize(
    "after",
    [
        edited(HELD),
        but(HELD, epoch=4),
        edited(AWAY, deleted=True),
        but(AWAY, generation=2, home="b2"),
    ],
)
def test_what_was_not_taken_away_is_not_fought_for(after: Instance) -> None:
    seat = home(HELD)
    assert seat.learn(after) == []
    assert not seat.ownership.keeps("w")


def test_what_was_deleted_is_not_fought_for() -> None:
    seat = home(edited(HELD, deleted=True))
    assert seat.learn(AWAY) == []
    assert seat.wait(10) == []
