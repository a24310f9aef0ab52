"""An app or a queue is deleted on all branches, or on none."""

from __future__ import annotations

import gevent
import pytest

from cyme.core.branches import BranchState
from cyme.errors import Conflict, OwnerUnreachable
from tests.runtime.service.house import OPERATOR
from tests.runtime.service.town import Town, put

T = 5.0


def test_an_app_is_deleted_with_its_instances_on_all_branches() -> None:
    town = Town(3)
    for number, branch in enumerate(["b1", "b2", "b3", "b3"]):
        put(town, f"w{number}", branch=branch)
    town.asked.clear()
    town["b1"].service.delete_app("shop", force=True, caller=OPERATOR, timeout_s=T)
    assert [call for _, call in town.asked] == [
        "vitals_here",
        "vitals_here",
        "delete_instances_here",
        "delete_instances_here",
    ]
    town.gossip()
    for house in town.houses.values():
        assert house.service.app_names() == []
        assert house.service.instance_names() == []
    assert town["b3"].last_event().kind == "instance.deleted"
    town.close()


def test_nothing_is_half_deleted_when_one_of_the_branches_is_away() -> None:
    town = Town(3)
    town["b1"].declare("tasks")
    for number, branch in enumerate(["b1", "b2", "b3"]):
        put(town, f"w{number}", branch=branch, queues=["tasks"])
    town.gossip()
    before = [house.replica.records() for house in town.houses.values()]
    service = town["b1"].service
    for away in ("slow", "cut", "failed"):
        match away:
            case "slow":
                town.slow.add("b3")
            case "cut":
                town.slow.clear()
                town.cut.add("b3")
            case "failed":
                town.change("b3", state=BranchState.FAILED)
        with pytest.raises(OwnerUnreachable):
            service.delete_app("shop", force=True, caller=OPERATOR, timeout_s=T)
        with pytest.raises(OwnerUnreachable):
            service.delete_queue("shop", "tasks", force=True, caller=OPERATOR, timeout_s=T)
    assert [house.replica.records() for house in town.houses.values()] == before
    town.close()


def test_a_queue_is_deleted_and_no_instance_of_any_branch_consumes_from_it(town: Town) -> None:
    town["b1"].declare("tasks", "mail")
    put(town, "w1", branch="b1", queues=["tasks"])
    put(town, "w2", branch="b2", queues=["mail", "tasks"])
    service = town["b1"].service
    with pytest.raises(Conflict, match="w1, w2"):
        service.delete_queue("shop", "tasks", caller=OPERATOR, timeout_s=T)
    service.delete_queue("shop", "tasks", force=True, caller=OPERATOR, timeout_s=T)
    town.gossip()
    for house in town.houses.values():
        assert house.service.queue_names("shop") == ["mail"]
        assert house.service.consumers("shop", "w1") == []
        assert house.service.consumers("shop", "w2") == ["mail"]


def test_two_branches_that_delete_one_app_do_not_wait_for_each_other(town: Town) -> None:
    put(town, "w1", branch="b1")
    put(town, "w2", branch="b2")
    town.gossip()
    for house in town.houses.values():
        house.store.before_write = lambda _records: gevent.idle()
    deletions = [
        gevent.spawn(house.service.delete_app, "shop", force=True, caller=OPERATOR, timeout_s=30.0)
        for house in town.houses.values()
    ]
    gevent.joinall(deletions, timeout=10.0)
    assert all(deletion.ready() for deletion in deletions)
    assert any(deletion.successful() for deletion in deletions)
    town.gossip()
    for house in town.houses.values():
        assert house.service.app_names() == []
        assert house.service.instance_names() == []


def test_what_comes_to_another_branch_while_an_app_is_deleted_keeps_it(town: Town) -> None:
    put(town, "w2", branch="b2")
    service = town["b1"].service
    original = town["b2"].service.delete_instances_here

    def create_meanwhile(*arguments: object, **keywords: object) -> object:
        gone = original(*arguments, **keywords)  # type: ignore[arg-type]
        put(town, "w3", branch="b2")
        town.gossip()
        return gone

    town["b2"].service.delete_instances_here = create_meanwhile  # type: ignore[method-assign, assignment]
    with pytest.raises(Conflict, match=r"another branch at this moment: w3\. Try again"):
        service.delete_app("shop", force=True, caller=OPERATOR, timeout_s=T)
    assert service.app_names() == ["shop"]
