"""Two branches: whichever is asked, the owner does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_type_hints

import pytest

from cyme.core.branches import BranchState
from cyme.core.model import Broker
from cyme.core.status import InstanceState
from cyme.core.task_ids import CHANCE_BYTES, task_id
from cyme.core.tasks import Outcome, TaskState
from cyme.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    NotOwner,
    NotSupported,
    OwnerUnreachable,
    PreconditionFailed,
    ProtocolError,
    StorageUnavailable,
    Unavailable,
)
from cyme.runtime.cluster import encoding
from cyme.runtime.service import Service, Written
from cyme.runtime.service.calls import CALLS
from tests.runtime.service.house import ADMIN, OPERATOR
from tests.runtime.service.town import Town, put

T = 5.0

# --- the table -----------------------------------------------------------------------------------


def test_every_call_takes_its_time_and_says_what_it_is_made_of() -> None:
    assert set(CALLS) == {name for name in dir(Service) if name.endswith("_here")}
    for call in CALLS.values():
        hints = get_type_hints(getattr(Service, call.name))
        assert call.required <= call.arguments.keys() == hints.keys() - {"return", "timeout_s"}
        assert object not in call.arguments.values()
        with pytest.raises(ProtocolError):
            encoding.decode(b"\xc1", call.returns)


def test_what_reads_is_told_from_what_writes() -> None:
    assert {name for name, call in CALLS.items() if not call.writes} >= {
        "events_here",
        "find_events_here",
        "history_here",
        "outcome_here",
        "queue_vitals_here",
        "stats_here",
        "vitals_here",
        "vitals_share_here",
        "wait_for_task_here",
        "wait_here",
    }


def test_only_what_is_in_the_table_is_performed(town: Town) -> None:
    perform = town["b1"].service.perform
    for method in ("stop", "later", "put_app", "_commit", "nothing"):
        with pytest.raises(NotSupported, match="is no call that branch 'b1' performs"):
            perform(method, {}, timeout_s=T)
    for arguments in ({}, {"name": "w1", "wait_s": 1.0, "more": 1}):
        with pytest.raises(ProtocolError, match="wait_here takes name, wait_s"):
            perform("wait_here", arguments, timeout_s=T)


def test_who_asks_hears_why_before_it_gives_up(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def vitals_here(*, timeout_s: float) -> None:
        given.append(timeout_s)

    service = town["b1"].service
    monkeypatch.setattr(service, "vitals_here", vitals_here)
    for timeout_s in (1.0, 5.0, 60.0):
        service.perform("vitals_here", {}, timeout_s=timeout_s)
    assert given == [0.9, 4.5, 59.5]


# --- writing -------------------------------------------------------------------------------------


def test_an_instance_is_created_where_it_is_placed_and_known_where_it_was_asked_for(
    town: Town,
) -> None:
    house = town["b1"]
    written = house.service.put_instance(
        "shop",
        "w1",
        {"pool": "solo", "env": {"KEY": "hush"}, "broker": Broker("redis://:hush@h/1")},
        branch="b2",
        caller=ADMIN,
        timeout_s=T,
    )
    assert (written.created, written.record.owner, written.record.pinned) == (True, "b2", True)
    assert town["b2"].service.instance("w1") == written.record
    # Without any gossip: who has written through a branch reads there what was written.
    assert house.service.instance("w1") == written.record
    assert house.service.app("shop") == town["b2"].service.app("shop")
    assert house.store.load()
    assert town["b2"].last_event().reason == "created by anna"


def test_an_app_that_is_only_implied_gives_way_to_one_that_was_declared(town: Town) -> None:
    town["b2"].service.put_app("shop", {"pool": "threads"}, caller=OPERATOR, timeout_s=T)
    town["b1"].clock.advance(60.0)
    put(town)  # b1 has not heard of the app yet
    town.gossip()
    for house in town.houses.values():
        assert house.service.app("shop").spec.pool == "threads"


def test_an_app_that_was_deleted_meanwhile_is_created_again(town: Town) -> None:
    put(town, "w0")
    town["b2"].service.delete_app("shop", force=True, caller=OPERATOR, timeout_s=T)
    put(town)  # b1 knows the app as it was before
    town.gossip()
    assert town["b1"].service.instance_names("shop") == ["w1"]
    assert town["b2"].service.instance_names("shop") == ["w1"]


def test_the_owner_learns_of_the_queues_that_it_has_not_heard_of_yet(town: Town) -> None:
    service = town["b1"].service
    town["b1"].declare("tasks", "mail")
    put(town, queues=["tasks"])
    assert service.instance("w1").queues == ("tasks",)
    assert service.add_consumer("shop", "w1", "mail", caller=OPERATOR, timeout_s=T)
    assert not service.add_consumer("shop", "w1", "mail", caller=OPERATOR, timeout_s=T)
    assert service.consumers("shop", "w1") == ["mail", "tasks"]
    service.cancel_consumer("shop", "w1", "mail", caller=OPERATOR, timeout_s=T)
    assert service.consumers("shop", "w1") == ["tasks"]
    assert town["b2"].service.consumers("shop", "w1") == ["tasks"]


def test_a_change_a_restart_and_a_deletion_reach_the_owner(town: Town) -> None:
    put(town)
    service = town["b1"].service
    town["b2"].supervisor.runs("w1")
    assert service.set_autoscale(
        "shop", "w1", maximum=7, minimum=None, caller=OPERATOR, timeout_s=T
    ).changed
    assert town["b2"].service.autoscale("shop", "w1") == (7, 1)
    service.restart_instance("w1", caller=OPERATOR, timeout_s=T)
    assert town["b2"].supervisor.restarted == ["w1"]
    service.delete_instance("w1", caller=OPERATOR, timeout_s=T)
    for house in town.houses.values():
        with pytest.raises(NotFound):
            house.service.instance("w1")


def test_an_instance_of_a_branch_that_is_gone_is_deleted_by_force_alone(town: Town) -> None:
    put(town)
    service = town["b1"].service
    town.change("b2", state=BranchState.SUSPECT)
    town.asked.clear()
    service.delete_instance("w1", force=True, caller=OPERATOR, timeout_s=T)
    assert ("b2", "delete_instance_here") in town.asked, "who may be there is asked"
    town.change("b2", state=BranchState.ALIVE)
    put(town, "w2")
    town.change("b2", state=BranchState.FAILED)
    with pytest.raises(OwnerUnreachable):
        service.delete_instance("w2", caller=OPERATOR, timeout_s=T)
    with pytest.raises(PreconditionFailed):
        service.delete_instance("w2", force=True, if_match=7, caller=OPERATOR, timeout_s=T)
    service.delete_instance("w2", force=True, caller=OPERATOR, timeout_s=T)
    with pytest.raises(NotFound):
        service.instance("w2")


def test_what_the_owner_refuses_is_refused_with_its_own_words(town: Town) -> None:
    put(town)
    service = town["b1"].service
    with pytest.raises(PreconditionFailed, match="is at version 1 now"):
        service.delete_instance("w1", caller=OPERATOR, if_match=9, timeout_s=T)
    with pytest.raises(InvalidRequest) as refused:
        put(town, queues=["none"], branch=None)
    assert [fault.parameter for fault in refused.value.faults] == ["queues"]
    with pytest.raises(Conflict, match="only a running worker has statistics"):
        service.stats("shop", "w1", timeout_s=T)


def test_what_cannot_be_taken_in_here_is_done_all_the_same(town: Town) -> None:
    town["b1"].store.failure = StorageUnavailable("The disk is gone.")
    put(town)
    assert town["b2"].service.instance("w1").owner == "b2"
    assert town["b1"].service.instance_names() == []


def test_a_first_write_of_a_name_is_told_apart_from_a_change(town: Town) -> None:
    service = town["b1"].service
    first = service.put_instance("shop", "w1", {}, branch="b2", caller=OPERATOR, timeout_s=T)
    again = service.put_instance("shop", "w1", {}, caller=OPERATOR, timeout_s=T)
    assert (first.created, again.created, again.changed) == (True, False, False)
    assert isinstance(again, Written)


# --- changing hands ------------------------------------------------------------------------------


def hand_over(town: Town, name: str, source: str, target: str) -> None:
    """Have a branch own an instance, as those two know and no other does."""
    taken = town[target].members.take(town[source].service.instance(name), timeout_s=T)
    town[source].replica.absorb([taken], T)


def test_a_call_follows_an_instance_to_its_next_owner() -> None:
    town = Town(3)
    put(town)
    hand_over(town, "w1", "b2", "b3")
    town.asked.clear()
    put(town, branch=None, pool="solo")
    assert town.asked == [("b2", "put_instance_here"), ("b3", "put_instance_here")]
    assert town["b3"].service.instance("w1").spec.pool == "solo"
    assert town["b1"].service.instance("w1").owner == "b3"
    town.close()


def test_a_call_that_follows_an_instance_home_is_performed_here(town: Town) -> None:
    put(town)

    def meanwhile(branch: str, call: str, arguments: Mapping[str, object]) -> object:
        hand_over(town, "w1", "b2", "b1")
        return town.carry(branch, call, arguments)

    town["b1"].members.answer = meanwhile
    town["b1"].service.restart_instance("w1", caller=OPERATOR, timeout_s=T)
    assert town["b1"].supervisor.restarted == ["w1"]
    assert town["b2"].supervisor.restarted == []


def test_an_instance_that_changes_hands_too_often_is_to_be_asked_for_again() -> None:
    town = Town(4)
    put(town)
    hand_over(town, "w1", "b2", "b3")
    hand_over(town, "w1", "b3", "b4")
    with pytest.raises(NotOwner) as refused:
        town["b1"].service.restart_instance("w1", caller=OPERATOR, timeout_s=T)
    assert isinstance(refused.value, Unavailable)
    assert (refused.value.owner, refused.value.epoch) == ("b4", 3)
    town.close()


def test_every_call_about_an_instance_is_refused_by_who_does_not_own_it(town: Town) -> None:
    put(town)
    house = town["b1"]
    app = house.service.app("shop")
    calls: dict[str, dict[str, object]] = {
        "put_instance_here": {
            "home": app,
            "name": "w1",
            "changes": {},
            "context": (),
            "pinned": False,
            "if_match": None,
        },
        "delete_instance_here": {"name": "w1", "app": "shop", "if_match": None},
        "delete_instances_here": {"app": "shop", "names": ("w1",)},
        "restart_instance_here": {"name": "w1", "app": "shop"},
        "add_consumer_here": {"app": "shop", "instance": "w1", "queue": "q", "context": ()},
        "cancel_consumer_here": {"app": "shop", "instance": "w1", "queue": "q"},
        "cancel_consumers_here": {"app": "shop", "names": ("w1",), "queue": "q"},
        "move_instance_here": {"name": "w1", "app": "shop", "branch": None},
        "stats_here": {"app": "shop", "instance": "w1"},
        "wait_here": {"name": "w1", "wait_s": 1.0},
    }
    for method, arguments in calls.items():
        if CALLS[method].writes:
            arguments["caller"] = OPERATOR
        with pytest.raises(NotOwner) as refused:
            house.service.perform(method, arguments, timeout_s=T)
        assert (refused.value.owner, refused.value.epoch) == ("b2", 1), method


# --- reading -------------------------------------------------------------------------------------


def test_how_an_instance_elsewhere_is_comes_from_the_gossip_with_its_age(town: Town) -> None:
    put(town)
    house = town["b1"]
    town["b2"].supervisor.runs("w1", 7)
    house.members.statuses["w1"] = (town["b2"].supervisor.status("w1"), 2.5)
    standing = house.service.standing(house.service.instance("w1"))
    assert (standing.status.pids, standing.age_s) == ((7,), 2.5)
    assert standing.as_of == house.clock.wall() - 2.5


def test_the_owner_waits_for_a_worker(town: Town) -> None:
    put(town)
    town["b2"].supervisor.runs("w1", 7)
    service = town["b1"].service
    standing = service.wait_until_running(service.instance("w1"), 3.0)
    assert (standing.status.state, standing.age_s) == (InstanceState.RUNNING, 0.0)
    assert town["b2"].supervisor.waited == ["w1"]
    town.cut.add("b2")
    assert service.wait_until_running(service.instance("w1"), 3.0).status.state == "unknown"


def test_the_history_is_the_owners(town: Town) -> None:
    put(town)
    service = town["b1"].service
    kinds = [event.kind for event in service.history("shop", "w1", timeout_s=T)]
    assert kinds == ["instance.created"]
    service.delete_instance("w1", caller=OPERATOR, timeout_s=T)
    kinds = [event.kind for event in service.history(None, "w1", timeout_s=T)]
    assert kinds == ["instance.created", "instance.deleted"]
    town.cut.add("b2")
    with pytest.raises(OwnerUnreachable):
        service.history("shop", "w1", timeout_s=T)


@pytest.fixture
def sent(town: Town) -> str:
    """A task that b2 sent and whose result b2 alone has; its app is known to both."""
    sent = task_id("b2", bytes(CHANCE_BYTES))
    changes = {"broker": Broker("amqp://h")}
    town["b1"].service.put_app("shop", changes, caller=ADMIN, timeout_s=T)
    done = Outcome(state=TaskState.SUCCESS, result={"status_code": 200})
    town["b2"].tasks.outcomes[sent] = done
    return sent


def test_the_result_of_a_task_is_asked_of_the_branch_that_sent_it(town: Town, sent: str) -> None:
    service = town["b1"].service
    for outcome in (
        service.outcome("shop", sent, timeout_s=T),
        service.wait("shop", sent, wait_s=1.0),
    ):
        assert (outcome.state, outcome.result) == (TaskState.SUCCESS, {"status_code": 200})
    assert town.asked == [("b2", "outcome_here"), ("b2", "wait_for_task_here")]
    town.change("b2", state=BranchState.FAILED)
    with pytest.raises(OwnerUnreachable):
        service.outcome("shop", sent, timeout_s=T)


def test_results_that_all_can_reach_and_tasks_of_nobody_are_looked_up_here(
    town: Town, sent: str
) -> None:
    service = town["b1"].service
    for unknown in (
        task_id("b9", bytes(CHANCE_BYTES)),
        task_id("b1", bytes(CHANCE_BYTES)),
        "ours-it-is-not",
    ):
        assert service.outcome("shop", unknown, timeout_s=T).state is TaskState.PENDING
    for changes in ({"broker": Broker("redis://h")}, {"result_backend": "redis://r"}):
        service.put_app("shop", changes, caller=ADMIN, timeout_s=T)
        assert service.outcome("shop", sent, timeout_s=T).state is TaskState.PENDING
    assert town.asked == []
    service.put_app("shop", {"result_backend": "rpc://"}, caller=ADMIN, timeout_s=T)
    assert service.outcome("shop", sent, timeout_s=T).state is TaskState.SUCCESS
