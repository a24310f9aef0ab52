"""What trouble is told, and by which branch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from cyme.core.alert_targets import Attempt, Outcome
from cyme.core.alerts import AlertKind
from cyme.core.branches import BranchInfo, BranchState
from cyme.core.collectors import collector_of
from cyme.core.model import BranchId, Broker
from cyme.core.status import InstanceState, InstanceStatus
from cyme.core.vitals import QueueVitals
from cyme.errors import StorageUnavailable
from cyme.runtime.alerts import AlertWatch, Outbox, Sources, Thresholds, watch
from cyme.runtime.brokers import BrokerView
from tests.runtime.service.house import ADMIN, BROKER, House
from tests.waiting import eventually

URL = "redis://:********@127.0.0.1:7000/0"


class Target:
    """Takes everything."""

    name = "http://target"

    def __init__(self) -> None:
        self.told: list[dict[str, object]] = []

    def send(self, body: bytes, *, delivery: str) -> Attempt:
        told = json.loads(body)
        assert delivery == f"{told['id']}-{told['state']}"
        self.told.append(told)
        return Attempt(Outcome.DELIVERED)


class Lookout:
    """A branch ``b1`` of several, with an app, and what looks for its trouble."""

    def __init__(self, branches: int = 2) -> None:
        infos = [BranchInfo(id=BranchId(f"b{n}"), instances_max=9) for n in range(1, branches + 1)]
        self.house = House(*infos)
        self.house.declare("tasks")
        self.house.service.put_instance("shop", "w1", {}, branch="b1", caller=ADMIN, timeout_s=5.0)
        self.brokers = Views()
        self.rows: list[QueueVitals] = []
        self.target = Target()
        self.outbox = Outbox(self.target)
        self.watch = self.of(Thresholds(100, {"big": 1_000, "any": 0}), self.outbox)

    def of(self, thresholds: Thresholds, *outboxes: Outbox) -> AlertWatch:
        house = self.house
        sources = Sources(
            replica=house.replica,
            members=house.members,
            supervisor=house.supervisor,
            brokers=self.brokers,
            queues=self.read_rows,
            clock=house.clock,
            default_broker=BROKER,
            thresholds=thresholds,
        )
        return AlertWatch(sources, cluster="test", journal=house.journal, outboxes=outboxes)

    def read_rows(self) -> list[QueueVitals]:
        return self.rows

    def status(self, state: InstanceState, reason: str = "", instance: str = "w1") -> None:
        self.house.supervisor.statuses[instance] = InstanceStatus(
            state=state, reason=reason, since=1_000.0
        )

    def wait(self, seconds: float = 100.0) -> list[str]:
        """Let time pass in steps; return the kinds of trouble that there is then."""
        for _ in range(int(seconds / 5)):
            self.house.clock.advance(5.0)
            self.watch.look()
        return [alert.kind for alert in self.watch.firing()]


class Views:
    """What is known of brokers, as a test says."""

    def __init__(self) -> None:
        self.known: list[tuple[Broker, BrokerView]] = []

    def views(self) -> list[tuple[Broker, BrokerView]]:
        return self.known


@pytest.fixture
def lookout() -> Iterator[Lookout]:
    lookout = Lookout()
    yield lookout
    lookout.house.service.stop(1.0)


def row(depth: int | None, consumers: int | None = 1, name: str = "tasks") -> QueueVitals:
    return QueueVitals(app="shop", name=name, broker=URL, depth=depth, consumers=consumers)


def test_an_instance_that_is_given_up_is_told_of_until_it_is_not(lookout: Lookout) -> None:
    lookout.status(InstanceState.DISABLED, "it failed 8 times: no module named shop")
    assert lookout.wait(5) == [AlertKind.INSTANCE_DISABLED]
    (alert,) = lookout.watch.firing()
    assert (alert.subject, alert.app, alert.since) == ("w1", "shop", 1_000.0)
    assert alert.reason == "it failed 8 times: no module named shop"
    event = lookout.house.last_event()
    assert (event.kind, event.app, event.instance) == ("alert.firing", "shop", "w1")
    assert event.data == {"alert": "instance-disabled", "subject": "w1", "id": alert.id}
    lookout.status(InstanceState.RUNNING)
    assert lookout.wait() == []
    assert lookout.house.last_event().kind == "alert.resolved"


def test_an_instance_is_told_to_be_silent_once_it_was_for_long(lookout: Lookout) -> None:
    lookout.status(InstanceState.UNRESPONSIVE)
    assert lookout.wait(60) == []
    assert lookout.wait(5) == [AlertKind.INSTANCE_UNRESPONSIVE]


def test_only_the_owner_tells_of_an_instance(lookout: Lookout) -> None:
    lookout.status(InstanceState.DISABLED)
    assert lookout.wait(5)
    lookout.house.give_away("w1", "b2")
    assert lookout.wait(5) == []
    assert lookout.house.last_event().kind == "alert.firing"


def test_a_deleted_instance_is_no_trouble_any_more(lookout: Lookout) -> None:
    lookout.status(InstanceState.DISABLED)
    assert lookout.wait(5)
    lookout.house.service.delete_instance("w1", "shop", caller=ADMIN, timeout_s=5.0)
    assert lookout.wait() == []
    assert lookout.house.last_event().kind == "alert.resolved"


@pytest.mark.parametrize("failed", [f"b{n}" for n in range(2, 7)])
def test_exactly_one_living_branch_tells_of_one_that_failed(failed: str) -> None:
    telling = []
    for here in (f"b{n}" for n in range(1, 7)):
        if here == failed:
            continue
        lookout = Lookout(6)
        members = lookout.house.members
        lookout.house.replica.branch_id = BranchId(here)
        lookout.watch = lookout.of(Thresholds())
        members.change(failed, state=BranchState.FAILED, since=5.0, heard_s=12.3)
        if lookout.wait(5):
            telling.append(here)
            (alert,) = lookout.watch.firing()
            assert (alert.kind, alert.subject) == (AlertKind.BRANCH_FAILED, failed)
            assert alert.reason == f"nothing was heard of branch {failed} for 12 s"
            members.change(failed, state=BranchState.ALIVE)
            assert lookout.wait() == []
        lookout.house.service.stop(1.0)
    assert len(telling) == 1


def test_the_failure_of_a_branch_has_one_id_whichever_branch_tells_of_it() -> None:
    def told_by(here: str, incarnation: int) -> str:
        lookout = Lookout()
        lookout.house.replica.branch_id = BranchId(here)
        lookout.watch = lookout.of(Thresholds())
        members = lookout.house.members
        members.change("b1", state=BranchState.LEFT)
        members.change(here, state=BranchState.ALIVE)
        members.change("b2", state=BranchState.FAILED, boot=4, incarnation=incarnation)
        assert lookout.wait(5) == [AlertKind.BRANCH_FAILED]
        (alert,) = lookout.watch.firing()
        lookout.house.service.stop(1.0)
        return alert.id

    assert told_by("b1", 2) == told_by("b3", 2)
    assert told_by("b1", 2) != told_by("b1", 3)


def test_who_does_not_tell_of_a_failed_branch_any_more_says_nothing(lookout: Lookout) -> None:
    members = lookout.house.members
    members.change("b2", state=BranchState.FAILED)
    assert lookout.wait(5) == [AlertKind.BRANCH_FAILED]
    for number in range(3, 40):  # of so many one is nearer
        members.change(f"b{number}")
    assert collector_of("branch b2", members.view().branches) != "b1"
    assert lookout.wait() == []
    assert lookout.house.last_event().kind == "alert.firing"


def test_a_deep_queue_is_told_of_until_it_is_well_below(lookout: Lookout) -> None:
    lookout.rows = [row(100), row(900, name="big"), row(10**6, name="any")]
    assert lookout.wait() == []
    lookout.rows[0] = row(101)
    assert lookout.wait(30) == []
    assert lookout.wait(5) == [AlertKind.QUEUE_DEEP]
    (alert,) = lookout.watch.firing()
    assert (alert.subject, alert.app) == ("tasks", "shop")
    assert alert.reason == "101 messages wait, and more than 100 are too many"
    lookout.rows[0] = row(81)
    assert lookout.wait(300) == [AlertKind.QUEUE_DEEP]
    lookout.rows[0] = row(None)
    assert lookout.wait(300) == [AlertKind.QUEUE_DEEP]
    lookout.rows[0] = row(80)
    assert lookout.wait(300) == []


def test_a_queue_that_nobody_consumes_is_told_of(lookout: Lookout) -> None:
    lookout.rows = [row(0, 0), row(1, None, "other"), row(3, 2, "third")]
    assert lookout.wait() == []
    lookout.rows[0] = row(1, 0)
    assert lookout.wait() == [AlertKind.QUEUE_UNCONSUMED]
    lookout.rows[0] = row(1, 1)
    assert lookout.wait() == []


def test_a_queue_is_unknown_while_it_is_not_looked_at_and_over_when_its_app_is_gone(
    lookout: Lookout,
) -> None:
    lookout.rows = [row(101)]
    assert lookout.wait()
    lookout.rows = []
    assert lookout.wait(300)
    lookout.house.give_away("w1", "b2")  # whose branch now watches the broker
    assert lookout.wait() == []
    assert lookout.house.last_event().kind == "alert.firing"
    lookout.house.give_away("w1", "b1")
    lookout.rows = [row(101)]
    assert lookout.wait()
    lookout.rows = []
    lookout.house.service.delete_instance("w1", "shop", caller=ADMIN, timeout_s=5.0)
    lookout.house.service.delete_app("shop", force=True, caller=ADMIN, timeout_s=5.0)
    assert lookout.wait(300) == []
    assert lookout.house.last_event().kind == "alert.resolved"


def test_a_lost_broker_is_told_of_by_one_branch_without_its_password(lookout: Lookout) -> None:
    since = lookout.house.clock.monotonic()
    lost = BrokerView(up=False, since=since, reason="connection refused")
    lookout.brokers.known = [(BROKER, lost)]
    assert lookout.wait(15) == []
    assert lookout.wait(5) == [AlertKind.BROKER_LOST]
    (alert,) = lookout.watch.firing()
    assert (alert.subject, alert.app, alert.reason) == (URL, None, "connection refused")
    assert "hush" not in repr(lookout.house.journal.recent(9))
    lookout.brokers.known = [(BROKER, replace(lost, up=None))]
    assert lookout.wait() == [AlertKind.BROKER_LOST]
    lookout.brokers.known = [(BROKER, replace(lost, up=True))]
    assert lookout.wait() == []
    assert lookout.house.last_event().kind == "alert.resolved"
    lookout.brokers.known = [(BROKER, lost)]
    assert lookout.wait()
    lookout.house.give_away("w1", "b2")
    assert lookout.wait(5) == []
    lookout.house.give_away("w1", "b1")
    assert lookout.wait()
    lookout.brokers.known = []
    assert lookout.wait(300) == []


def test_targets_are_told_what_happened_where(
    lookout: Lookout, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "PERIOD_S", 0.01)
    looks = iter([True])

    def rows() -> list[QueueVitals]:
        if next(looks, False):
            raise ValueError("a bug")
        lookout.house.clock.advance(5.0)
        return lookout.rows

    monkeypatch.setattr(lookout, "read_rows", rows)
    lookout.watch = lookout.of(Thresholds(), lookout.outbox)
    lookout.watch.start()
    lookout.status(InstanceState.DISABLED, "it failed")
    eventually(lambda: lookout.target.told)
    lookout.status(InstanceState.RUNNING)
    eventually(lambda: len(lookout.target.told) == 2)
    lookout.watch.stop(1.0)
    lookout.watch.stop(1.0)
    began, ended = lookout.target.told
    assert began.pop("at") != ended.pop("at")
    assert (began.pop("state"), ended.pop("state")) == ("firing", "resolved")
    assert began == ended
    assert len(str(began.pop("id"))) == 32
    assert began == {
        "kind": "instance-disabled",
        "subject": "w1",
        "app": "shop",
        "reason": "it failed",
        "since": "1970-01-01T00:16:40Z",
        "branch": "b1",
        "cluster": "test",
    }
    assert "looking for trouble failed" in caplog.text


def test_a_database_that_takes_no_writes_is_told_of_until_it_does(lookout: Lookout) -> None:
    lookout.house.store.failure = StorageUnavailable("It is read-only. Make it writable.")
    assert lookout.wait(5) == []
    assert lookout.wait(10) == [AlertKind.DATABASE_LOST]
    (alert,) = lookout.watch.firing()
    assert (alert.subject, alert.app) == ("b1", None)
    assert alert.reason == "It is read-only. Make it writable."
    lookout.house.store.failure = None
    assert lookout.wait(30) == []
    assert lookout.house.last_event().kind == "alert.resolved"


def test_the_reason_is_that_of_the_last_look(lookout: Lookout) -> None:
    lookout.rows = [row(1, consumers=0)]
    lookout.wait(5)
    lookout.rows = [row(57, consumers=0)]
    lookout.wait(80)
    (alert,) = lookout.watch.firing()
    assert alert.reason == "57 messages wait, and no worker consumes from the queue"
    lookout.rows = [row(1, consumers=0)]
    lookout.wait(5)
    (alert,) = lookout.watch.firing()
    assert alert.reason == "1 message waits, and no worker consumes from the queue"
