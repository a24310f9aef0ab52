from __future__ import annotations

from collections.abc import Iterator

import pytest

from cyme.core.model import Broker
from cyme.core.task_events import SentTask, TaskDeed
from cyme.core.task_filter import TaskFilter
from cyme.core.tasks import SendOptions, WebhookRequest
from cyme.errors import NotFound
from cyme.runtime.telemetry import sent_tasks
from tests.runtime.service.house import ADMIN, BROKER, OPERATOR, House
from tests.runtime.service.town import Town
from tests.runtime.telemetry.telling import collector, gone, judge, judged, told
from tests.waiting import eventually


@pytest.fixture
def town() -> Iterator[Town]:
    town = Town(3)
    town["b1"].declare("q")
    town["b1"].service.put_instance("shop", "w1", {}, branch="b1", caller=ADMIN, timeout_s=5.0)
    with judged(town):
        yield town


def recent(house: House, **wanted: object) -> list[str]:
    filter_ = TaskFilter(**wanted)  # type: ignore[arg-type]  # as each case has it
    return [each.uuid for each in house.service.recent_tasks(filter_)]


def test_any_branch_tells_how_tasks_go(town: Town) -> None:
    listening, _ = collector(town)
    listening.listeners.tell(
        BROKER,
        told(TaskDeed.SUCCEEDED, "u1"),
        told(TaskDeed.FAILED, "u2", exception="E()"),
        told(TaskDeed.RETRIED, "u3"),
    )
    for house in town.houses.values():
        totals = house.service.task_overview()
        assert (totals.succeeded, totals.failed, totals.retried) == (1, 1, 1)
        assert house.service.cluster_vitals().tasks == totals


def test_any_branch_shows_the_tasks_that_were_seen_lately(town: Town) -> None:
    listening, other = collector(town)
    for number in range(5):
        listening.listeners.tell(
            BROKER,
            told(TaskDeed.RECEIVED, f"u{number}", number, name="add", queue="q"),
            told(TaskDeed.SUCCEEDED, f"u{number}", number + 0.5, runtime_s=0.5),
        )
    assert recent(other) == ["u4", "u3", "u2", "u1", "u0"]
    assert recent(other, limit=2) == ["u4", "u3"]
    assert recent(other, apps=("shop",), instances=("w1",), text="ADD") == recent(listening)
    assert recent(other, apps=("mail",)) == []
    sighting = other.service.task_sighting("u3")
    assert (sighting.app, sighting.instance, sighting.state) == ("shop", "w1", "SUCCESS")
    assert (sighting.queue, sighting.runtime_s, sighting.name) == ("q", 0.5, "add")


def test_a_task_that_nobody_saw_is_not_found(town: Town) -> None:
    with pytest.raises(NotFound, match="heard of lately"):
        town["b1"].service.task_sighting("nothing")


def test_what_the_collector_before_knew_is_told_with_what_the_next_one_knows(town: Town) -> None:
    first, _ = collector(town)
    first.listeners.tell(BROKER, told(TaskDeed.RECEIVED, name="add"), told(TaskDeed.FAILED, "u0"))
    town.change(first.replica.branch_id, state="leaving")
    judge(*town.houses.values())
    eventually(lambda: not first.listeners.listening)
    second, _ = collector(town)
    assert second is not first
    second.listeners.tell(BROKER, told(TaskDeed.FAILED, after_s=2))
    for house in town.houses.values():
        assert recent(house) == ["u1", "u0"]
        assert house.service.task_overview().failed == 2
        assert house.service.task_sighting("u1").state == "FAILURE"


def test_a_collector_that_is_gone_takes_what_it_knew_along_and_nothing_else(town: Town) -> None:
    first, _ = collector(town)
    first.listeners.tell(BROKER, told(TaskDeed.RECEIVED))
    gone(town, first)
    others = [house for house in town.houses.values() if house is not first]
    judge(*others)
    for house in others:
        assert recent(house) == []


def test_a_branch_that_cannot_be_asked_is_left_out(town: Town) -> None:
    listening, other = collector(town)
    listening.listeners.tell(BROKER, told(TaskDeed.SUCCEEDED))
    town.cut.add(str(listening.replica.branch_id))
    assert recent(other) == []
    assert other.service.task_overview().succeeded == 0


def test_a_worker_of_nobody_is_shown_as_it_calls_itself(town: Town) -> None:
    listening, _ = collector(town)
    listening.listeners.tell(BROKER, told(TaskDeed.STARTED, node="celery@host"))
    sighting = listening.service.task_sighting("u1")
    assert (sighting.worker, sighting.instance, sighting.app) == ("celery@host", None, None)


# --- what is sent --------------------------------------------------------------------------------

REQUEST = WebhookRequest(method="GET", url="http://me:hush@host/path?token=hush")


def send(house: House) -> str:
    return house.service.send_url(
        "shop", "q", REQUEST, SendOptions(), caller=OPERATOR, timeout_s=5.0
    )


def test_a_queued_url_is_seen_before_a_worker_takes_it(town: Town) -> None:
    for house in town.houses.values():
        house.service.telemetry.start()
    for house in town.houses.values():
        uuid = send(house)
        eventually(lambda uuid=uuid: uuid in recent(town["b1"]))  # type: ignore[misc]
        sighting = town["b2"].service.task_sighting(uuid)
        assert (sighting.state, sighting.app, sighting.queue) == ("PENDING", "shop", "q")
        assert sighting.url == "http://host/path"
        assert "hush" not in repr(sighting)
    listening, _ = collector(town)
    (ledger,) = listening.service.telemetry.ledgers().values()
    assert {each.worker for each in ledger.counts()} == {"cyme@b1", "cyme@b2", "cyme@b3"}
    place = listening.service.telemetry.place_of("cyme@b2")
    assert (place.branch, place.instance) == ("b2", None)


def test_many_are_told_of_at_once_and_a_collector_that_is_away_costs_only_that(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sent_tasks, "TOLD_MAX", 10)
    listening, other = collector(town)
    other.service.telemetry.start()
    town.cut.add(str(listening.replica.branch_id))
    lost = [send(other) for _ in range(3)]
    eventually(lambda: len(town.asked) > 0 and not other.service.telemetry._sent._waiting)
    town.cut.clear()
    town.asked.clear()
    sent = [send(other) for _ in range(25)]
    eventually(lambda: set(recent(other)) >= set(sent))
    assert not set(lost) & set(recent(other))
    calls = [call for _, call in town.asked if call == "note_sent_here"]
    assert 3 <= len(calls) < 25


def test_what_is_sent_where_nobody_collects_is_told_to_nobody(town: Town) -> None:
    sent = SentTask(broker="x", uuid="u", name="n", app="a", queue="q", url="", at=0.0)
    town["b1"].service.note_sent_here((sent,), by="b2", timeout_s=1.0)
    for house in town.houses.values():
        house.members.change(house.replica.branch_id, state="leaving")
    for branch in town.houses:
        town.change(branch, state="leaving")
    send(town["b1"])
    assert recent(town["b1"]) == []
    assert town["b1"].service.telemetry.collecting.collector(Broker("redis://r/0")) is None


def test_a_fault_in_telling_ends_nothing(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    _, other = collector(town)
    other.service.telemetry.start()
    faults = [RuntimeError("odd")]
    tell_really = other.service.telemetry._sent._tell_all

    def tell_all() -> None:
        if faults:
            raise faults.pop()
        tell_really()

    monkeypatch.setattr(other.service.telemetry._sent, "_tell_all", tell_all)
    send(other)
    uuid = send(other)
    eventually(lambda: not faults)
    eventually(lambda: send(other) and uuid in recent(other))
