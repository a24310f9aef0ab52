from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cyme.core.branches import INSTANCES_MAX, BranchInfo, BranchState
from cyme.core.collectors import broker_key
from cyme.core.model import BranchId, Broker, Instance
from cyme.core.status import InstanceState
from cyme.core.task_events import TaskDeed, TaskEvent, WorkerEvent
from cyme.core.task_ledger import TaskLedger
from cyme.core.vitals import BranchShare, InstanceVitals, QueueSight, QueueVitals
from cyme.errors import BrokerUnavailable, Conflict
from cyme.runtime.cluster import encoding
from cyme.runtime.telemetry import broker_queues
from cyme.runtime.telemetry.queue_watch import QueueWatch
from tests.runtime.service.house import ADMIN, BROKER, House
from tests.runtime.telemetry.probes import FakeProbes
from tests.waiting import eventually

ELSEWHERE = Broker("amqp://guest:hush@127.0.0.1:5699//")
T = 5.0


class Watched(House):
    """A house whose queues are watched."""

    def __init__(self) -> None:
        super().__init__(
            BranchInfo(id=BranchId("b1"), instances_max=100),
            BranchInfo(id=BranchId("b2"), instances_max=0, state=BranchState.FAILED),
        )
        self.probes = FakeProbes()
        self.states: dict[str, InstanceState] = {}
        self.ledger = TaskLedger()
        self.watch = QueueWatch(
            probes=self.probes,
            replica=self.replica,
            members=self.members,
            clock=self.clock,
            default_broker=BROKER,
            state_of=self._state_of,
            ledgers=lambda: {broker_key(BROKER): self.ledger},
        )

    def _state_of(self, instance: Instance) -> InstanceState:
        return self.states.get(instance.name, InstanceState.RUNNING)

    def row(self, name: str, app: str = "shop") -> QueueVitals:
        return next(row for row in self.watch.known() if (row.app, row.name) == (app, name))

    def look(self) -> None:
        """Look at all queues now."""
        self.watch.judge()
        for watched in self.watch._watched.values():
            watched.look()

    def holds(self, name: str, depth: int, **more: object) -> None:
        self.probes.sights[name] = QueueSight(depth=depth, **more)  # type: ignore[arg-type]


@pytest.fixture
def house() -> Iterator[Watched]:
    house = Watched()
    yield house
    house.watch.stop(1.0)
    house.service.telemetry.stop(1.0)
    house.service.stop(5.0)


def test_tells_what_waits_in_declared_queues(house: Watched) -> None:
    house.declare("mails", "orders")
    house.holds("mails", 7)
    house.look()

    assert (house.row("mails").depth, house.row("orders").depth) == (7, 0)
    assert house.row("mails").broker == "redis://:********@127.0.0.1:7000/0"
    assert house.row("mails").error == ""


def test_a_queue_that_was_not_looked_at_says_so(house: Watched) -> None:
    house.declare("mails")
    house.watch.judge()
    row = house.row("mails")

    assert row.depth is None
    assert "not been looked at" in row.error


def test_a_queue_that_went_is_told_of_no_more(house: Watched) -> None:
    house.declare("mails", "orders")
    house.look()
    house.service.delete_queue("shop", "mails", caller=ADMIN, timeout_s=T)
    house.look()

    assert [row.name for row in house.watch.known()] == ["orders"]


def test_each_app_that_knows_a_queue_has_a_row_and_it_is_looked_at_once(house: Watched) -> None:
    house.declare("mails")
    house.declare("mails", app="bank")
    house.holds("mails", 3)
    house.look()

    assert {(row.app, row.depth) for row in house.watch.known()} == {("bank", 3), ("shop", 3)}
    assert house.probes.looks[-1] == (BROKER.url, ("mails",))


def test_a_broker_that_is_away_is_why_nothing_is_known(house: Watched) -> None:
    house.declare("mails")
    house.look()
    house.probes.down.add(BROKER.url)
    house.look()
    row = house.row("mails")

    assert row.depth is None
    assert "cannot be reached" in row.error
    assert "hush" not in row.error


def test_a_queue_that_there_was_no_time_for_says_so(house: Watched) -> None:
    house.declare("mails", "orders")
    house.probes.late.add("orders")
    house.look()

    assert house.row("mails").depth == 0
    assert "did not tell within" in house.row("orders").error


def test_of_too_many_queues_the_rest_is_named(
    house: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_queues, "QUEUES_MAX", 2)
    house.declare("a", "b", "c")
    house.look()

    assert house.probes.looks[-1][1] == ("a", "b")
    assert "watched already" in house.row("c").error


def test_so_many_rows_are_told_as_another_branch_takes(
    house: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.declare("mails")
    house.look()
    (watched,) = house.watch._watched.values()
    long = "x" * 128
    row = replace(house.row("mails"), app=long, name=long, oldest_s=1 / 3, in_rate=1 / 3)
    monkeypatch.setattr(watched, "rows", lambda: (row for _ in range(10_000)))
    share = BranchShare(
        branch=house.service.vitals_here(timeout_s=T),
        instances=tuple(
            InstanceVitals(name=f"{long}{n}"[-128:], cpu=1 / 3, uptime_s=1 / 3, memory_bytes=2**40)
            for n in range(INSTANCES_MAX)
        ),
        queues=house.watch.known(),
        busy={f"{long}{n}@{long}": 3 for n in range(INSTANCES_MAX)},
    )

    assert len(share.queues) > 500
    assert encoding.decode(encoding.encode(share), BranchShare) == share


# --- who watches ------------------------------------------------------------------------------


def test_only_the_collector_of_a_broker_watches_it(house: Watched) -> None:
    house.declare("mails")
    house.put("w1")
    house.look()
    assert house.probes.opened == [BROKER.url]

    # Who runs the workers of a broker collects for it.
    house.members.change("b2", state=BranchState.ALIVE)
    house.give_away("w1")
    house.watch.judge()
    assert house.watch.known() == ()
    eventually(lambda: house.probes.closed == [BROKER.url])


def test_a_broker_that_instances_use_of_their_own_is_watched_too(house: Watched) -> None:
    house.declare("mails")
    house.put("w1", broker=ELSEWHERE, queues=["mails"])
    house.look()

    assert set(house.probes.opened) == {BROKER.url, ELSEWHERE.url}
    assert [row.broker for row in house.watch.known() if row.name == "mails"]


def test_a_broker_is_looked_at_more_often_while_somebody_asks(house: Watched) -> None:
    house.declare("mails")
    house.look()
    (watched,) = house.watch._watched.values()

    assert watched._due_s() == pytest.approx(30.0)
    house.watch.known()
    assert watched._due_s() == pytest.approx(30.0)
    house.watch.rows()
    assert watched._due_s() == pytest.approx(5.0)
    house.clock.advance(16.0)
    assert watched._due_s() == pytest.approx(14.0)


def test_looks_are_taken_by_themselves(house: Watched) -> None:
    house.declare("mails")
    house.holds("mails", 4)
    house.watch.start()
    eventually(lambda: house.watch.known() and house.row("mails").depth == 4)

    house.declare("orders")  # a new queue is looked at soon
    eventually(
        lambda: [row for row in house.watch.known() if row.name == "orders" and row.depth == 0]
    )


# --- who consumes, and what they take ---------------------------------------------------------


def test_consumers_are_the_instances_that_run(house: Watched) -> None:
    house.declare("mails")
    for name in ("w1", "w2", "w3"):
        house.put(name, queues=["mails"])
    house.put("w4")
    house.states.update(w2=InstanceState.UNRESPONSIVE, w3=InstanceState.STOPPED)
    house.look()

    assert house.row("mails").consumers == 2


def test_a_broker_that_counts_consumers_is_believed(house: Watched) -> None:
    house.declare("mails")
    house.holds("mails", 1, consumers=9)
    house.look()

    assert house.row("mails").consumers == 9


def take(house: Watched, count: int, start: int) -> None:
    house.ledger.take(WorkerEvent("w1@b1", house.clock.wall(), online=True), house.clock.wall())
    for number in range(start, start + count):
        event = TaskEvent(TaskDeed.RECEIVED, f"u{number}", "w1@b1", house.clock.wall(), name="t")
        house.ledger.take(event, house.clock.wall())


def test_rates_follow_from_what_workers_take(house: Watched) -> None:
    house.declare("mails")
    house.put("w1", queues=["mails"])
    take(house, 5, 0)
    house.holds("mails", 100)
    house.look()
    house.clock.advance(10.0)
    take(house, 20, 100)
    house.holds("mails", 110)
    house.look()

    assert (house.row("mails").in_rate, house.row("mails").out_rate) == (3.0, 2.0)


def test_rates_are_not_known_where_strangers_consume_too(house: Watched) -> None:
    house.declare("mails")
    house.put("w1", queues=["mails"])
    for _ in range(2):
        take(house, 5, 0)
        house.holds("mails", 100, consumers=2)
        house.look()
        house.clock.advance(10.0)

    assert (house.row("mails").in_rate, house.row("mails").out_rate) == (None, None)


def test_the_oldest_message_grows_older_between_two_looks(house: Watched) -> None:
    house.declare("mails")
    house.holds("mails", 0, consumers=0)
    house.look()
    house.clock.advance(10.0)
    house.holds("mails", 5, consumers=0)
    house.look()
    house.clock.advance(20.0)

    assert house.row("mails").oldest_s == pytest.approx(30.0)


def test_a_message_that_says_when_it_was_sent_is_believed(house: Watched) -> None:
    house.declare("mails")
    house.holds("mails", 5, oldest_at=house.clock.wall() - 3600.0)
    house.look()

    assert house.row("mails").oldest_s == pytest.approx(3600.0)


# --- asked and purged at once -----------------------------------------------------------------


@pytest.mark.parametrize("broker", [BROKER, ELSEWHERE], ids=["watched", "not watched"])
def test_a_queue_can_be_asked_at_once(house: Watched, broker: Broker) -> None:
    house.declare("mails")
    house.look()
    house.holds("mails", 9)
    row = house.watch.ask(broker, "shop", "mails", timeout_s=T)

    assert (row.app, row.name, row.depth) == ("shop", "mails", 9)
    assert house.probes.closed == ([] if broker == BROKER else [ELSEWHERE.url])


@pytest.mark.parametrize("broker", [BROKER, ELSEWHERE], ids=["watched", "not watched"])
def test_a_queue_can_be_purged(house: Watched, broker: Broker) -> None:
    house.declare("mails")
    house.look()
    house.holds("mails", 9)
    with pytest.raises(Conflict):
        house.watch.purge(broker, "mails", count_max=8, timeout_s=T)
    assert house.watch.purge(broker, "mails", count_max=9, timeout_s=T) == 9


def test_who_asks_uses_a_login_of_its_own(house: Watched) -> None:
    """Another app's is no more than another app's, and may be a wrong one."""
    house.declare("mails")
    house.look()
    house.holds("mails", 9)
    other = Broker("redis://:other@127.0.0.1:7000/0")
    assert broker_key(other) == broker_key(BROKER)
    house.probes.down.add(other.url)
    with pytest.raises(BrokerUnavailable):
        house.watch.ask(other, "shop", "mails", timeout_s=T)
    with pytest.raises(BrokerUnavailable):
        house.watch.purge(other, "mails", count_max=9, timeout_s=T)
    assert house.watch.ask(BROKER, "shop", "mails", timeout_s=T).depth == 9
    assert house.probes.closed == [other.url, other.url]


def test_who_asks_hears_that_the_broker_is_away(house: Watched) -> None:
    house.probes.down.add(ELSEWHERE.url)
    with pytest.raises(BrokerUnavailable):
        house.watch.ask(ELSEWHERE, "shop", "mails", timeout_s=T)
    assert house.probes.closed == [ELSEWHERE.url]
