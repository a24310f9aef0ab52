"""Claiming what a branch left behind that is gone."""

from __future__ import annotations

import pytest

from cyme.core.branches import BranchState
from cyme.core.cluster.effects import Examine, Prepare, Tell, Write
from cyme.core.cluster.grounds import EPOCH_MAX
from cyme.core.cluster.ownership import Verdict
from cyme.core.model import Instance, WorkerSpec
from tests.core import records
from tests.core.cluster.ownership_view import (
    ALIVE,
    FAILED,
    LEAVING,
    LEFT,
    SUSPECT,
    Seat,
    but,
    edited,
    instance,
    of,
    only,
    told,
)

GONE = None


def orphaned(*others: str, record: Instance | None = None, **policy: object) -> Seat:
    """Return the seat of b2, whose neighbour b1 owns an instance and has just failed."""
    seat = Seat("b2", "b1", *others, **policy).know(record or instance("w", "b1"))
    seat.wait(5)
    return seat.fate("b1", FAILED)


def test_claims_what_nobody_runs_when_the_grace_is_over() -> None:
    seat = orphaned()
    assert seat.wait(29) == []
    record = only(Examine, seat.wait(2)).instance
    written = only(Write, seat.examined(record, Verdict.FREE)).instance
    assert written == but(record, owner="b2", epoch=2)
    assert written.home == "b1"
    claimed = only(Tell, seat.learn(written))
    assert claimed.kind == "instance.claimed"
    assert claimed.reason == "its branch 'b1' failed and nobody runs it: it runs here now"
    assert claimed.data == {"from": "b1", "home": "b1", "epoch": 2}
    assert (claimed.instance, claimed.app) == ("w", "shop")
    assert seat.wait(300) == []


@pytest.mark.parametrize("state", [ALIVE, SUSPECT, LEAVING])
def test_claims_nothing_of_a_branch_that_is_there(state: BranchState) -> None:
    seat = orphaned()
    seat.fate("b1", state)
    assert seat.wait(3600) == []


def test_claims_of_a_branch_that_left_after_ten_minutes() -> None:
    seat = orphaned().fate("b1", LEFT)
    assert seat.wait(599) == []
    record = only(Examine, seat.wait(2)).instance
    seat.examined(record, Verdict.FREE)
    claimed = only(Tell, seat.learn(but(record, owner="b2", epoch=2)))
    assert claimed.reason.startswith("its branch 'b1' left")


def test_the_grace_begins_when_the_record_arrives_if_that_is_later() -> None:
    seat = Seat("b2", "b1", "b3", "b4").fate("b1", FAILED)
    seat.wait(100)
    seat.learn(instance("w", "b1"))
    seat.change("b3", drained=True).change("b4", drained=True)
    assert seat.wait(29) == []
    only(Examine, seat.wait(2))


def test_the_grace_for_a_branch_that_nobody_knows_begins_with_this_branch() -> None:
    seat = Seat("b2", "b3", "b4").know(instance("w", "b1"))
    seat.change("b3", drained=True).change("b4", drained=True)
    assert seat.wait(29) == []
    record = only(Examine, seat.wait(2)).instance
    seat.examined(record, Verdict.FREE)
    claimed = only(Tell, seat.learn(but(record, owner="b2", epoch=2)))
    assert claimed.reason.startswith("its branch 'b1' is not there")


def test_waits_six_times_as_long_while_most_are_failed() -> None:
    seat = orphaned("b3", "b4", "b5").fate("b3", FAILED).fate("b4", FAILED).fate("b5", LEFT)
    assert seat.wait(179) == []
    only(Examine, seat.wait(2))


def test_half_of_the_members_failed_is_not_most_of_them() -> None:
    seat = orphaned("b3", "b4").fate("b3", FAILED).change("b4", drained=True)
    only(Examine, seat.wait(31))


def test_owners_that_nobody_knows_count_as_failed() -> None:
    """After a power cut the first branch that is up gives the others time to come."""
    seat = Seat("b2").know(instance("v", "b1"), instance("w", "b3"))
    assert seat.wait(179) == []
    assert len(of(Examine, seat.wait(2))) == 2


def test_takeover_can_be_turned_off() -> None:
    seat = orphaned(takeover_s=None)
    assert seat.wait(1000) == []
    assert seat.fate("b1", LEFT).wait(1000) == []


def test_a_pinned_instance_is_not_claimed() -> None:
    assert orphaned(record=instance("w", "b1", pinned=True)).wait(1000) == []


def test_what_is_at_home_here_is_taken_back_and_not_claimed() -> None:
    seat = Seat("b2", "b1")
    seat.wait(5)
    seat.know(instance("w", "b2", "b1")).fate("b1", FAILED)
    seat.prepared(only(Prepare, seat.wait(5)).instance, running=False)
    assert of(Examine, seat.wait(300)) == []


def test_an_instance_without_its_app_is_not_claimed_yet() -> None:
    seat = orphaned()
    app = seat.view.apps.pop("shop")
    assert seat.wait(100) == []
    seat.view.apps["shop"] = app
    only(Examine, seat.wait(2))


def test_a_branch_that_is_fenced_claims_nothing_until_it_has_settled() -> None:
    seat = orphaned()
    seat.view.fenced, seat.view.joined_at = True, None
    assert seat.wait(100) == []
    seat.view.fenced, seat.view.joined_at = False, seat.now
    assert seat.wait(2.5) == []
    only(Examine, seat.wait(2))


def test_a_branch_that_is_drained_or_leaves_claims_nothing() -> None:
    seat = orphaned().change("b2", drained=True)
    assert seat.wait(100) == []
    seat.change("b2", drained=False).fate("b2", LEAVING)
    assert seat.wait(100) == []


def test_a_branch_that_is_full_claims_nothing() -> None:
    seat = orphaned().know(instance("mine", "b2")).change("b2", instances_max=1)
    assert seat.wait(100) == []


def test_no_more_is_claimed_than_there_is_room_for() -> None:
    seat = Seat("b2", "b1").change("b2", instances_max=3).fate("b1", FAILED)
    seat.know(instance("mine", "b2"), *(instance(f"w{n}", "b1") for n in range(5)))
    begun = of(Examine, seat.wait(40))
    assert [effect.instance.name for effect in begun] == ["w0", "w1"]


def test_what_is_examined_at_a_time_is_bounded() -> None:
    seat = Seat("b2", "b1").fate("b1", FAILED)
    seat.know(*(instance(f"w{n:02}", "b1") for n in range(20)))
    begun = [effect.instance for effect in of(Examine, seat.wait(32))]
    assert [record.name for record in begun] == [f"w{n:02}" for n in range(8)]
    seat.examined(begun[0], Verdict.ALIVE)
    assert [effect.instance.name for effect in of(Examine, seat.wait(1))] == ["w08"]


@pytest.mark.parametrize(
    ("worker", "app", "mine", "fits"),
    [
        (None, None, (), True),
        ((("zone", "a"),), None, (), False),
        ((("zone", "a"),), None, (("zone", "b"),), False),
        ((("zone", "a"),), None, (("gpu", "1"), ("zone", "a")), True),
        (None, (("zone", "a"),), (), False),
        (None, (("zone", "a"),), (("zone", "a"),), True),
        ((), (("zone", "a"),), (), True),
    ],
)
def test_a_branch_claims_what_its_labels_allow(
    worker: tuple[tuple[str, str], ...] | None,
    app: tuple[tuple[str, str], ...] | None,
    mine: tuple[tuple[str, str], ...],
    fits: bool,
) -> None:
    seat = orphaned(record=instance("w", "b1", spec=WorkerSpec(labels=worker)))
    seat.view.apps["shop"] = records.app(labels=app)
    seat.change("b2", labels=mine)
    assert len(of(Examine, seat.wait(35))) == fits


def test_candidates_come_five_seconds_after_each_other() -> None:
    """All agree on the order without a word."""
    others = ["b2", "b3", "b4", "b5"]
    waits = []
    for me in others:
        seat = Seat(me, "b1", *(other for other in others if other != me))
        seat.know(instance("w", "b1")).fate("b1", FAILED)
        for tenths in range(1000):
            if of(Examine, seat.wait(0.1)):
                waits.append(tenths / 10)
                break
    assert sorted(round(wait / 5) * 5 for wait in waits) == [30, 35, 40, 45]


def test_those_that_cannot_take_it_are_not_waited_for() -> None:
    seat = orphaned("b3", "b4", "b5", "b6", "b7", "b8", "b9")
    seat.change("b3", drained=True).change("b4", instances_max=0).fate("b5", FAILED)
    seat.fate("b6", LEFT).fate("b7", LEAVING).fate("b8", GONE).fate("b9", FAILED)
    assert seat.wait(29) == []
    only(Examine, seat.wait(2))


def test_a_worker_that_is_alive_is_left_alone_and_asked_again_later() -> None:
    seat = orphaned()
    record = only(Examine, seat.wait(31)).instance
    left = only(Tell, seat.examined(record, Verdict.ALIVE, "w@b1 answered"))
    assert left.kind == "instance.not-claimed"
    assert left.reason == (
        "its branch 'b1' failed, but its worker is alive and is left alone: w@b1 answered"
    )
    assert seat.wait(59) == []
    again = only(Examine, seat.wait(2)).instance
    assert seat.examined(again, Verdict.ALIVE) == [], "it was told before"
    only(Examine, seat.wait(61))
    only(Write, seat.examined(again, Verdict.FREE))


def test_a_broker_that_is_away_is_asked_again_soon() -> None:
    seat = orphaned()
    record = only(Examine, seat.wait(31)).instance
    assert told(seat.examined(record, Verdict.BROKER_AWAY)) == ["instance.not-claimed"]
    assert seat.wait(14) == []
    only(Examine, seat.wait(2))


def test_a_machine_that_lacks_something_steps_aside_for_long() -> None:
    seat = orphaned()
    record = only(Examine, seat.wait(31)).instance
    assert told(seat.examined(record, Verdict.UNFIT)) == ["instance.not-claimed"]
    assert seat.wait(599) == []
    only(Examine, seat.wait(2))


def test_a_later_candidate_asks_less_often() -> None:
    pauses = []
    for me, other in (("b2", "b3"), ("b3", "b2")):
        seat = Seat(me, "b1", other).know(instance("w", "b1")).fate("b1", FAILED)
        record = only(Examine, seat.wait(36)).instance
        again = only(Tell, seat.examined(record, Verdict.ALIVE)).data["again_s"]
        pauses.append(again)
    assert sorted(map(str, pauses)) == ["120.0", "60.0"]


def test_a_change_of_the_instance_ends_the_pause() -> None:
    seat = orphaned()
    record = only(Examine, seat.wait(31)).instance
    seat.examined(record, Verdict.UNFIT)
    seat.learn(edited(record))
    assert only(Examine, seat.wait(2)).instance.version == 2


def test_an_examination_that_nobody_answers_is_repeated() -> None:
    seat = orphaned()
    record = only(Examine, seat.wait(31)).instance
    assert told(seat.wait(31)) == ["instance.not-claimed"]
    assert seat.examined(record, Verdict.FREE) == [], "it comes too late"
    only(Examine, seat.wait(16))


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda record: but(record, owner="b3", epoch=2),
        lambda record: but(record, epoch=3),
        lambda record: edited(record, deleted=True),
        lambda record: edited(record, pinned=True),
        lambda record: but(record, generation=2),
        lambda record: but(record, generation=2, owner="b2"),
    ],
)
def test_what_changed_hands_meanwhile_is_not_claimed(meanwhile: object) -> None:
    seat = orphaned("b3")
    record = only(Examine, seat.wait(36)).instance
    assert callable(meanwhile)
    assert seat.learn(meanwhile(record)) == []
    assert seat.examined(record, Verdict.FREE) == []


def test_what_was_written_is_given_up_when_another_claimed_it_first() -> None:
    seat = orphaned("b3")
    record = only(Examine, seat.wait(36)).instance
    written = only(Write, seat.examined(record, Verdict.FREE)).instance
    seat.learn(but(record, owner="b3", epoch=2))
    assert seat.learn(written) == []
    assert seat.view.records["w"].owner == "b3"
    assert seat.wait(100) == []


def test_a_claim_keeps_what_was_changed_while_it_was_examined() -> None:
    seat = orphaned()
    record = only(Examine, seat.wait(31)).instance
    seat.learn(edited(record, queues=("mail",)))
    assert only(Write, seat.examined(record, Verdict.FREE)).instance.queues == ("mail",)


def test_an_answer_about_another_epoch_or_twice_means_nothing() -> None:
    seat = orphaned()
    record = only(Examine, seat.wait(31)).instance
    assert seat.examined(but(record, epoch=9), Verdict.FREE) == []
    assert seat.examined(instance("other"), Verdict.FREE) == []
    only(Write, seat.examined(record, Verdict.FREE))
    assert seat.examined(record, Verdict.FREE) == []


def test_an_owner_that_is_back_keeps_what_it_has() -> None:
    seat = orphaned()
    record = only(Examine, seat.wait(31)).instance
    seat.fate("b1", ALIVE)
    assert seat.examined(record, Verdict.FREE) == []
    assert seat.wait(100) == []


@pytest.mark.parametrize("what", ["drained", "full", "fenced"])
def test_a_branch_that_cannot_any_more_does_not_claim_what_is_free(what: str) -> None:
    seat = orphaned()
    record = only(Examine, seat.wait(31)).instance
    if what == "full":
        seat.change("b2", instances_max=0)
    seat.change("b2", drained=what == "drained")
    seat.view.fenced = what == "fenced"
    assert seat.examined(record, Verdict.FREE) == []


def test_a_claim_that_cannot_be_written_is_begun_again() -> None:
    seat = orphaned()
    record = only(Examine, seat.wait(31)).instance
    assert seat.not_written(but(record, owner="b2", epoch=2)) == [], "nothing was written"
    written = only(Write, seat.examined(record, Verdict.FREE)).instance
    assert seat.not_written(but(written, epoch=7)) == []
    assert told(seat.not_written(written)) == ["instance.not-claimed"]
    assert seat.wait(14) == []
    only(Examine, seat.wait(2))


def test_a_write_that_nobody_answers_is_begun_again() -> None:
    seat = orphaned()
    seat.examined(only(Examine, seat.wait(31)).instance, Verdict.FREE)
    assert told(seat.wait(31)) == ["instance.not-claimed"]
    only(Examine, seat.wait(15))


def test_a_home_that_is_gone_for_days_is_replaced() -> None:
    seat = Seat("b2", "b1", "b3", forget_s=1000.0).know(instance("w", "b1", "b3", epoch=5))
    seat.fate("b1", GONE)
    seat.wait(990)
    seat.fate("b3", FAILED)
    record = only(Examine, seat.wait(31)).instance
    written = only(Write, seat.examined(record, Verdict.FREE)).instance
    assert (written.home, written.owner, written.epoch) == ("b2", "b2", 6)


def test_a_home_that_was_not_seen_yet_stays_the_home() -> None:
    seat = Seat("b2", "b3", forget_s=1000.0).know(instance("w", "b1", "b3", epoch=5))
    seat.fate("b3", FAILED)
    record = only(Examine, seat.wait(31)).instance
    assert only(Write, seat.examined(record, Verdict.FREE)).instance.home == "b1"


def test_a_home_that_has_failed_stays_the_home() -> None:
    seat = orphaned(forget_s=0.0)
    record = only(Examine, seat.wait(31)).instance
    assert only(Write, seat.examined(record, Verdict.FREE)).instance.home == "b1"


def test_no_epoch_is_written_that_nobody_would_believe() -> None:
    seat = orphaned(record=instance("w", "b1", epoch=EPOCH_MAX))
    assert told(seat.wait(1300)) == ["instance.not-claimed"]
    seat = orphaned(record=instance("w", "b1", epoch=EPOCH_MAX - 1))
    record = only(Examine, seat.wait(31)).instance
    assert only(Write, seat.examined(record, Verdict.FREE)).instance.epoch == EPOCH_MAX


def test_what_is_known_of_orphans_is_forgotten_with_them() -> None:
    seat = orphaned()
    claims = seat.ownership._claims
    seat.examined(only(Examine, seat.wait(31)).instance, Verdict.UNFIT)
    seat.wait(1)
    assert claims._pauses
    seat.fate("b1", ALIVE).wait(2)
    assert (claims._pauses, claims._claims) == ({}, {})
    seat.wait(1)
    assert claims._succession._ranks == {}
