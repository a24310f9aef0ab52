from __future__ import annotations

import uuid

import pytest

from cyme.core.branches import BranchState
from cyme.core.model import Broker, Instance, WorkerSpec
from cyme.core.status import InstanceState
from cyme.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    OwnerUnreachable,
    PreconditionFailed,
    TooLarge,
)
from cyme.runtime.service import Written, room, standings
from tests.runtime.service.house import BROKER, OPERATOR, VIEWER, House


def _put(
    house: House,
    name: str | None = "w1",
    changes: dict[str, object] | None = None,
    *,
    app: str = "shop",
    branch: str | None = None,
    pinned: bool | None = None,
    if_match: int | None = None,
    idempotency_key: str | None = None,
) -> Written[Instance]:
    return house.service.put_instance(
        app,
        name,
        changes or {},
        branch=branch,
        pinned=pinned,
        caller=OPERATOR,
        if_match=if_match,
        idempotency_key=idempotency_key,
        timeout_s=5.0,
    )


# --- creating ------------------------------------------------------------------------------------


def test_an_instance_brings_its_app_along(house: House) -> None:
    written = _put(house)
    assert (written.created, written.changed) == (True, True)
    assert (written.record.owner, written.record.home) == ("b1", "b1")
    assert (written.record.epoch, written.record.version) == (1, 1)
    assert house.service.app("shop").spec.broker == BROKER
    assert house.writes == 1
    assert [event.kind for event in house.journal.recent(9)] == ["app.created", "instance.created"]


def test_anonymous_instances_are_new_each_time(house: House) -> None:
    names = {_put(house, None).record.name for _ in range(3)}
    assert len(names) == 3
    assert all(uuid.UUID(name) for name in names)


def test_the_same_idempotency_key_finds_the_same_instance(house: House) -> None:
    first = _put(house, None, idempotency_key="k")
    again = _put(house, None, idempotency_key="k")
    assert again == Written(first.record, created=False, changed=False)
    assert _put(house, None, idempotency_key="l").created
    assert _put(house, None, app="bar", idempotency_key="k").created


def test_a_retry_by_its_key_undoes_nothing_that_was_changed_meanwhile(house: House) -> None:
    first = _put(house, None, {"max_concurrency": 2}, idempotency_key="k").record
    changed = _put(house, first.name, {"max_concurrency": 8}).record
    again = _put(house, None, {"max_concurrency": 2}, idempotency_key="k")
    assert (again.record, again.created, again.changed) == (changed, False, False)
    assert house.service.instance(first.name).spec.max_concurrency == 8


def test_names_are_unique_in_the_cluster(house: House) -> None:
    _put(house)
    with pytest.raises(Conflict, match="in the app 'shop' already"):
        _put(house, app="bar")
    with pytest.raises(NotFound):
        house.service.app("bar")


def test_a_put_that_differs_updates(house: House) -> None:
    house.declare("tasks")
    _put(house, changes={"max_concurrency": 2})
    house.clock.advance(60.0)
    written = _put(house, changes={"queues": ["tasks"], "max_concurrency": 3})
    record = written.record
    assert (written.created, written.changed, record.version) == (False, True, 2)
    assert (record.queues, record.spec.max_concurrency) == (("tasks",), 3)
    assert record.updated_at == record.created_at + 60.0
    assert house.last_event().data["changed"] == ["max_concurrency", "queues"]
    assert _put(house, changes={"queues": None}).record.queues == ()


def test_a_repeated_put_changes_nothing(house: House) -> None:
    changes: dict[str, object] = {"max_concurrency": 2, "arguments": "-B"}
    first = _put(house, changes=changes)
    assert _put(house, changes=changes) == Written(first.record, created=False, changed=False)
    assert house.writes == 1


def test_queues_must_be_declared(house: House) -> None:
    with pytest.raises(InvalidRequest, match="has no queue 'tasks'; declare it first") as caught:
        _put(house, changes={"queues": ["tasks"]})
    assert caught.value.faults[0].parameter == "queues"
    assert house.writes == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"max_concurrency": 0},
        {"min_concurrency": 3, "max_concurrency": 2},
        {"pool": "solo", "max_concurrency": 2},
        {"arguments": "--pool=solo"},
        {"odd": 1},
    ],
)
def test_refuses_parameters_that_cannot_be(house: House, changes: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        _put(house, changes=changes)
    assert house.writes == 0


def test_only_an_administrator_chooses_code(house: House) -> None:
    refused: list[dict[str, object]] = [
        {"celery_app": "proj"},
        {"arguments": "-I os"},
        {"env": {"A": "1"}},
    ]
    for changes in refused:
        with pytest.raises(Forbidden):
            _put(house, changes=changes)
    house.put("w1", celery_app="proj", arguments="-I os", env={"B": "1", "A": "2"})
    assert house.service.instance("w1").spec.env == (("A", "2"), ("B", "1"))
    assert not _put(house, changes={"celery_app": "proj", "env": {"A": "2", "B": "1"}}).changed


def test_viewers_write_nothing(house: House) -> None:
    _put(house)
    service = house.service
    with pytest.raises(Forbidden):
        service.put_instance("shop", "w2", {}, caller=VIEWER, timeout_s=5.0)
    with pytest.raises(Forbidden):
        service.delete_instance("w1", caller=VIEWER, timeout_s=5.0)
    with pytest.raises(Forbidden):
        service.restart_instance("w1", "shop", caller=VIEWER)
    with pytest.raises(Forbidden):
        service.set_autoscale("shop", "w1", maximum=2, minimum=1, caller=VIEWER, timeout_s=5.0)


def test_a_version_that_was_read_must_be_the_present_one(house: House) -> None:
    with pytest.raises(PreconditionFailed):
        _put(house, if_match=1)
    _put(house)
    assert _put(house, changes={"pool": "solo"}, if_match=1).record.version == 2
    with pytest.raises(PreconditionFailed, match="at version 2 now"):
        _put(house, changes={"pool": "gevent"}, if_match=1)
    with pytest.raises(PreconditionFailed):
        house.service.delete_instance("w1", caller=OPERATOR, if_match=1, timeout_s=5.0)


# --- placing -------------------------------------------------------------------------------------


def test_an_instance_can_be_pinned_to_a_branch(house: House) -> None:
    assert not _put(house).record.pinned
    pinned = _put(house, branch="b1")
    assert pinned.record.pinned
    assert house.last_event().data["changed"] == ["pinned"]
    assert _put(house, changes={"pool": "solo"}).record.pinned


def test_a_pin_is_set_and_removed_and_told(house: House) -> None:
    _put(house)
    pinned = _put(house, pinned=True)
    assert (pinned.changed, pinned.record.pinned, pinned.record.version) == (True, True, 2)
    assert (pinned.record.home, pinned.record.epoch) == ("b1", 1)
    assert house.last_event().kind == "instance.changed"
    assert house.last_event().reason == "pinned to branch 'b1' by otto"
    assert _put(house, pinned=True) == Written(pinned.record, created=False, changed=False)
    freed = _put(house, changes={"pool": "solo"}, pinned=False)
    assert (freed.record.pinned, freed.record.version) == (False, 3)
    assert house.last_event().reason == "pool changed and pin removed by otto"
    assert house.last_event().data["changed"] == ["pool", "pinned"]
    assert not _put(house, pinned=False).changed


@pytest.mark.parametrize(
    ("branch", "pinned", "is_pinned"),
    [
        (None, None, False),
        (None, True, True),
        (None, False, False),
        ("b1", None, True),
        ("b1", True, True),
        ("b1", False, False),
    ],
)
def test_an_instance_is_created_with_or_without_a_pin(
    house: House, branch: str | None, pinned: bool | None, is_pinned: bool
) -> None:
    assert _put(house, branch=branch, pinned=pinned).record.pinned is is_pinned


def test_a_pin_is_changed_at_the_version_that_was_read(house: House) -> None:
    _put(house, pinned=True)
    with pytest.raises(PreconditionFailed):
        _put(house, pinned=False, if_match=9)
    assert house.service.instance("w1").pinned
    assert not _put(house, pinned=False, if_match=1).record.pinned


def test_an_instance_is_not_moved_by_a_put_but_told_how_it_is(house: House) -> None:
    _put(house)
    with pytest.raises(Conflict, match=r"POST /shop/instances/w1/move/\?branch=b2 moves"):
        _put(house, branch="b2")


def test_a_branch_that_is_not_there_takes_nothing(house: House) -> None:
    with pytest.raises(NotFound):
        _put(house, branch="b9")
    house.members.change("b2", instances_max=100, state=BranchState.FAILED)
    with pytest.raises(Conflict, match="'b2' is not alive, but failed"):
        _put(house, branch="b2")
    house.members.change("b1", state=BranchState.LEAVING)
    with pytest.raises(Conflict, match="no other living branch"):
        _put(house)


def test_a_full_branch_takes_nothing(house: House) -> None:
    house.members.change("b1", instances_max=1)
    _put(house)
    with pytest.raises(TooLarge):
        _put(house, "w2")
    assert _put(house, changes={"pool": "solo"}).changed


def test_a_broker_too_many_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "BROKERS_MAX", 2)
    _put(house, "w1", {"broker": Broker("amqp://h1//")})
    with pytest.raises(TooLarge, match="2 brokers already"):
        _put(house, "w2", {"broker": Broker("amqp://h2//")})
    _put(house, "w3", {"broker": Broker("amqp://h1//")})
    _put(house, "w4")


#: What to do about an instance whose branch has failed, by whether it is pinned to that.
_WAY_OUT = {
    False: "'b2', which is to do this, has failed.*Start it, or try again when another branch has",
    True: "'b2', which is to do this, has failed.*'w1' is pinned to it, so no other branch takes "
    "it over. Start that branch or.*force=true",
}


@pytest.mark.parametrize("pinned", [False, True])
def test_what_belongs_to_a_branch_that_is_away_is_left_alone(house: House, pinned: bool) -> None:
    _put(house, pinned=pinned)
    house.give_away("w1")
    house.members.change("b2", state=BranchState.FAILED)
    service = house.service
    for call in (
        lambda: _put(house, changes={"pool": "solo"}),
        lambda: service.delete_instance("w1", "shop", caller=OPERATOR, timeout_s=5.0),
        lambda: service.restart_instance("w1", "shop", caller=OPERATOR),
        lambda: service.stats("shop", "w1", timeout_s=1.0),
        lambda: service.history("shop", "w1", timeout_s=1.0),
        lambda: service.move_instance("w1", branch="b1", caller=OPERATOR, timeout_s=5.0),
        lambda: service.add_consumer("shop", "w1", "q", caller=OPERATOR, timeout_s=5.0),
        lambda: service.cancel_consumer("shop", "w1", "q", caller=OPERATOR, timeout_s=5.0),
        lambda: service.set_autoscale(
            "shop", "w1", maximum=2, minimum=1, caller=OPERATOR, timeout_s=5.0
        ),
    ):
        with pytest.raises(OwnerUnreachable, match=_WAY_OUT[pinned]):
            call()
    assert house.writes == 1
    assert house.members.forwarded == []
    record = service.instance("w1")
    assert service.standing(record).status.state is InstanceState.UNKNOWN
    assert service.wait_until_running(record, 5.0).status.state is InstanceState.UNKNOWN


# --- reading -------------------------------------------------------------------------------------


def test_instances_are_listed_by_app_or_all(house: House) -> None:
    _put(house, "w2")
    _put(house, "w1")
    _put(house, "a", app="bar")
    assert house.service.instance_names() == ["a", "w1", "w2"]
    assert house.service.instance_names("shop") == ["w1", "w2"]
    with pytest.raises(NotFound):
        house.service.instance_names("nope")


def test_an_instance_is_found_without_its_app_but_not_with_another(house: House) -> None:
    _put(house)
    _put(house, "a", app="bar")
    assert house.service.instance("w1") == house.service.instance("w1", "shop")
    with pytest.raises(NotFound, match="There is one in the app 'shop'"):
        house.service.instance("w1", "bar")
    with pytest.raises(NotFound, match="no app named 'nope'"):
        house.service.instance("w1", "nope")
    with pytest.raises(NotFound, match="no instance named"):
        house.service.instance("w9")


def test_an_instance_runs_as_it_and_its_app_say(house: House) -> None:
    house.service.put_app(
        "shop", {"pool": "gevent", "max_concurrency": 9}, caller=OPERATOR, timeout_s=5.0
    )
    spec = house.service.effective(house.put("w1", max_concurrency=4))
    assert (spec.pool, spec.max_concurrency, spec.broker) == ("gevent", 4, BROKER)


def test_a_change_of_the_app_is_a_change_of_how_its_instances_run(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standings, "EFFECTIVE_KEPT_MAX", 1)
    house.put("w2")
    record = house.put("w1")
    assert house.service.effective(record) is house.service.effective(record)
    house.service.put_app("shop", {"max_concurrency": 9}, caller=OPERATOR, timeout_s=5.0)
    assert house.service.effective(record).max_concurrency == 9
    assert house.service.effective(house.put("w1", max_concurrency=3)).max_concurrency == 3
    assert house.service.effective(house.service.instance("w2")).max_concurrency == 9


def test_the_state_is_the_supervisors_word(house: House) -> None:
    record = _put(house).record
    standing = house.service.standing(record)
    assert standing.status.state is InstanceState.PENDING
    assert (standing.as_of, standing.age_s) == (house.clock.wall(), None)
    house.supervisor.runs("w1", 7, 8)
    standing = house.service.wait_until_running(record, 5.0)
    assert (standing.status.pids, standing.age_s) == ((7, 8), None)
    assert house.supervisor.waited == ["w1"]


# --- deleting and restarting ---------------------------------------------------------------------


def test_what_is_deleted_is_gone_and_stays_gone(house: House) -> None:
    house.put("w1", env={"KEY": "hush2"})
    house.service.delete_instance("w1", caller=OPERATOR, timeout_s=5.0)
    with pytest.raises(NotFound):
        house.service.instance("w1")
    tombstone = house.replica.instance_or_tombstone("w1")
    assert tombstone is not None
    assert tombstone.spec == WorkerSpec()
    assert (house.last_event().kind, house.last_event().instance) == ("instance.deleted", "w1")
    with pytest.raises(NotFound):
        house.service.delete_instance("w1", caller=OPERATOR, timeout_s=5.0)


def test_a_deleted_name_can_be_created_again_and_wins(house: House) -> None:
    _put(house, changes={"pool": "solo"})
    house.service.delete_instance("w1", "shop", caller=OPERATOR, timeout_s=5.0)
    again = _put(house, app="bar")
    assert again.created
    assert (again.record.epoch, again.record.version) == (2, 3)
    assert again.record.spec.pool is None
    assert house.service.instance("w1").app == "bar"


def test_a_restart_is_passed_on_and_told(house: House) -> None:
    _put(house)
    house.service.restart_instance("w1", "shop", caller=OPERATOR)
    assert house.supervisor.restarted == ["w1"]
    assert house.last_event().reason == "restart asked by otto"


def test_what_is_stopped_by_wish_is_not_restarted(house: House) -> None:
    _put(house, changes={"is_enabled": False})
    with pytest.raises(Conflict, match="is_enabled is false"):
        house.service.restart_instance("w1", "shop", caller=OPERATOR)
    assert house.supervisor.restarted == []
