"""Whether an instance whose owner is gone may be run here, as its broker and this machine say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import gevent
import pytest
from gevent.event import Event as Signalled

from cyme.core.cluster.ownership import Verdict
from cyme.core.launch import WorkerDefaults
from cyme.core.model import EPOCH_STAMP, App, AppName, BranchId, Broker, Instance, InstanceName
from cyme.core.model import WorkerSpec as Spec
from cyme.core.workers import Launch
from cyme.runtime import brokers as brokers_module
from cyme.runtime.brokers import Brokers
from cyme.runtime.cluster import examiner as examiner_module
from cyme.runtime.cluster.examiner import QUESTIONS, Examiner
from cyme.runtime.journal import Journal
from cyme.runtime.replica import Replica
from cyme.testing import FakeClock, FakeControls, FakeMachine, FakeWorkers, MemoryStore

BROKER = Broker("redis://:secret@127.0.0.1:6379/0")
OTHER_BROKER = Broker("amqp://guest:guest@127.0.0.1:5672//")
APP = App(name=AppName("shop"), spec=Spec(broker=BROKER), stamp=EPOCH_STAMP)
PYTHON = "/usr/bin/python3"
REVIVAL_S = 35.0


class Scene:
    """An examiner, the workers of other branches, and their brokers."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.elsewhere = FakeWorkers(self.clock)
        self.elsewhere.boot_s = 0.0
        self.controls = FakeControls(FakeWorkers(self.clock), self.elsewhere)
        self.brokers = Brokers(self.controls, self.clock, Journal(self.clock), interval_s=10)
        self.replica = Replica(MemoryStore(), self.clock, "b1")
        self.replica.absorb([APP], 5)
        self.machine = FakeMachine()
        self.examiner = Examiner(
            brokers=self.brokers,
            replica=self.replica,
            machine=self.machine,
            defaults=WorkerDefaults(branch="b1", directory="/d", python=PYTHON),
            default_broker=BROKER,
            wait_after_revived_s=REVIVAL_S,
        )

    def runs(self, name: str, branch: str = "b2", broker: Broker = BROKER) -> None:
        """Have a branch run the worker of an instance."""
        self.elsewhere.start(
            Launch(
                instance=name,
                node=f"{name}@{branch}",
                python=PYTHON,
                options=(),
                env={"CELERY_BROKER_URL": broker.url},
            )
        )

    def questions(self) -> list[tuple[str, ...]]:
        """Return whom each question asked; checks of the broker alone left out."""
        return [call[1:] for call in self.controls.calls_of("survey") if len(call) > 1]


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.brokers.stop(1)


def instance(name: str = "w1", **spec: object) -> Instance:
    return Instance(
        name=InstanceName(name),
        app=APP.name,
        home=BranchId("b2"),
        owner=BranchId("b2"),
        spec=Spec(**spec),  # type: ignore[arg-type]  # a test's word
    )


# --- the witness ---------------------------------------------------------------------------------


def test_an_instance_whose_worker_is_silent_on_its_broker_is_free(scene: Scene) -> None:
    assert scene.examiner.examine(instance()) == (Verdict.FREE, "")
    assert scene.questions() == [("w1@b2",)] * QUESTIONS


def test_a_worker_that_answers_is_alive(scene: Scene) -> None:
    scene.runs("w1")
    verdict, why = scene.examiner.examine(instance())
    assert verdict is Verdict.ALIVE
    assert "w1@b2" in why
    assert "secret" not in why
    assert sorted(scene.controls.calls) == [("survey",), ("survey", "w1@b2")]  # one its watch's


def test_a_worker_that_answers_the_second_question_is_alive(scene: Scene) -> None:
    scene.runs("w1")
    worker = scene.elsewhere.of("w1")
    worker.answers = False

    def answer_next_time(_: object) -> None:
        worker.answers = len(scene.questions()) > 1

    scene.controls.on_call = answer_next_time
    assert scene.examiner.examine(instance())[0] is Verdict.ALIVE


def test_the_worker_of_an_earlier_owner_is_no_witness(scene: Scene) -> None:
    scene.runs("w1", branch="b3")
    assert scene.examiner.examine(instance())[0] is Verdict.FREE


def test_the_instance_s_own_broker_is_asked(scene: Scene) -> None:
    scene.runs("w1", broker=OTHER_BROKER)
    assert scene.examiner.examine(instance())[0] is Verdict.FREE
    assert scene.examiner.examine(instance(broker=OTHER_BROKER))[0] is Verdict.ALIVE


def test_the_default_broker_is_asked_where_neither_instance_nor_app_names_one(
    scene: Scene,
) -> None:
    stamp = APP.stamp.next(1, "b2")
    scene.replica.absorb([replace(APP, spec=Spec(), stamp=stamp)], 5)
    scene.runs("w1")
    assert scene.examiner.examine(instance())[0] is Verdict.ALIVE


def test_a_broker_that_is_away_is_no_witness(scene: Scene) -> None:
    scene.controls.down.add(BROKER.url)
    verdict, why = scene.examiner.examine(instance())
    assert verdict is Verdict.BROKER_AWAY
    assert "does not answer" in why
    assert "secret" not in why


def test_a_broker_that_goes_away_between_two_questions_is_no_witness(scene: Scene) -> None:
    def go_away(call: tuple[str, ...]) -> None:
        if len(scene.questions()) > 1:
            scene.controls.down.add(BROKER.url)

    scene.controls.on_call = go_away
    assert scene.examiner.examine(instance())[0] is Verdict.BROKER_AWAY


def test_workers_have_time_to_follow_their_broker_when_it_comes_back(scene: Scene) -> None:
    scene.controls.down.add(BROKER.url)
    scene.examiner.examine(instance())
    scene.controls.down.clear()
    verdict, why = scene.examiner.examine(instance())
    assert verdict is Verdict.BROKER_AWAY
    assert "came back 0 s ago" in why
    scene.clock.advance(REVIVAL_S - 1)
    assert scene.examiner.examine(instance())[0] is Verdict.BROKER_AWAY
    scene.clock.advance(1)
    assert scene.examiner.examine(instance())[0] is Verdict.FREE


def test_a_worker_that_followed_its_broker_already_is_alive(scene: Scene) -> None:
    scene.controls.down.add(BROKER.url)
    scene.examiner.examine(instance())
    scene.controls.down.clear()
    scene.runs("w1")
    assert scene.examiner.examine(instance())[0] is Verdict.ALIVE


def test_too_many_jobs_of_a_broker_are_no_answer(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers_module, "JOBS_MAX", 1)
    scene.brokers.watch_of(BROKER).post(lambda _: gevent.sleep(3600))
    gevent.sleep(0)
    scene.brokers.watch_of(BROKER).post(lambda _: None)
    verdict, why = scene.examiner.examine(instance())
    assert verdict is Verdict.BROKER_AWAY
    assert "wait for the broker" in why


# --- many at a time ------------------------------------------------------------------------------


def test_who_asks_the_same_broker_shares_the_questions(scene: Scene) -> None:
    scene.runs("w2")
    examinations = [
        gevent.spawn(scene.examiner.examine, instance(name)) for name in ("w1", "w2", "w3")
    ]
    gevent.joinall(examinations, timeout=5)
    assert [each.get()[0] for each in examinations] == [Verdict.FREE, Verdict.ALIVE, Verdict.FREE]
    assert scene.questions() == [("w1@b2", "w2@b2", "w3@b2"), ("w1@b2", "w3@b2")]


def test_who_comes_while_a_broker_is_asked_joins_the_next_round(scene: Scene) -> None:
    late: list[gevent.Greenlet] = []

    def come_late(call: tuple[str, ...]) -> None:
        if len(call) > 1 and not late:
            late.extend(
                gevent.spawn(scene.examiner.examine, instance(name)) for name in ("w2", "w3")
            )
            for _ in range(3):
                gevent.sleep(0)

    scene.controls.on_call = come_late
    scene.examiner.examine(instance("w1"))
    gevent.joinall(late, timeout=5)
    assert [each.get()[0] for each in late] == [Verdict.FREE, Verdict.FREE]
    assert scene.questions() == [("w1@b2",)] * 2 + [("w2@b2", "w3@b2")] * 2


def test_one_broker_s_outage_says_nothing_of_another(scene: Scene) -> None:
    scene.controls.down.add(BROKER.url)
    examinations = [
        gevent.spawn(scene.examiner.examine, instance("w1")),
        gevent.spawn(scene.examiner.examine, instance("w2")),
        gevent.spawn(scene.examiner.examine, instance("w3", broker=OTHER_BROKER)),
    ]
    gevent.joinall(examinations, timeout=5)
    away, free = Verdict.BROKER_AWAY, Verdict.FREE
    assert [each.get()[0] for each in examinations] == [away, away, free]


def test_who_waits_for_one_that_was_broken_off_is_told_so(scene: Scene) -> None:
    def hang(call: tuple[str, ...]) -> None:
        if len(call) > 1:
            gevent.sleep(3600)

    scene.controls.on_call = hang
    first = gevent.spawn(scene.examiner.examine, instance("w1"))
    second = gevent.spawn(scene.examiner.examine, instance("w2"))
    for _ in range(5):
        gevent.sleep(0)
    first.kill()
    verdict, why = second.get(timeout=5)
    assert verdict is Verdict.BROKER_AWAY
    assert "broken off" in why


def test_who_comes_after_one_that_was_broken_off_asks_anew(scene: Scene) -> None:
    first = gevent.spawn(scene.examiner.examine, instance("w1"))
    second = gevent.spawn(scene.examiner.examine, instance("w2"))
    gevent.sleep(0)
    first.kill()
    assert scene.examiner.examine(instance("w3"))[0] is Verdict.FREE
    assert second.get(timeout=5)[0] is Verdict.BROKER_AWAY


def test_one_that_is_broken_off_while_it_gathers_gathers_no_more(scene: Scene) -> None:
    go_on = Signalled()

    def wait(call: tuple[str, ...]) -> None:
        if len(call) > 1:
            go_on.wait(5)

    scene.controls.on_call = wait
    first = gevent.spawn(scene.examiner.examine, instance("w1"))
    for _ in range(5):
        gevent.sleep(0)
    gathering = gevent.spawn(scene.examiner.examine, instance("w2"))
    for _ in range(5):
        gevent.sleep(0)
    gathering.kill()
    late = gevent.spawn(scene.examiner.examine, instance("w3"))
    gevent.sleep(0)
    go_on.set()
    assert first.get(timeout=5)[0] is Verdict.FREE
    assert late.get(timeout=5)[0] is Verdict.FREE


def test_nobody_waits_for_a_round_for_ever(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examiner_module, "ROUNDS_TIMEOUT_S", 0.01)

    def hang(call: tuple[str, ...]) -> None:
        if len(call) > 1:
            gevent.sleep(3600)

    scene.controls.on_call = hang
    first = gevent.spawn(scene.examiner.examine, instance("w1"))
    second = gevent.spawn(scene.examiner.examine, instance("w2"))
    verdict, why = second.get(timeout=5)
    first.kill()
    assert verdict is Verdict.BROKER_AWAY
    assert "too busy" in why


def test_nothing_is_kept_of_brokers_that_are_asked_no_more(scene: Scene) -> None:
    scene.examiner.examine(instance())
    scene.examiner.examine(instance(broker=OTHER_BROKER))
    assert not scene.examiner._witnesses


# --- this machine --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "spec"),
    [
        ("/opt/shop/python", Spec(python="/opt/shop/python")),
        ("/srv/shop", Spec(workdir="/srv/shop")),
        (PYTHON, Spec()),
    ],
)
def test_a_machine_that_lacks_something_is_unfit(scene: Scene, missing: str, spec: Spec) -> None:
    scene.machine.missing.add(missing)
    verdict, why = scene.examiner.examine(replace(instance(), spec=spec))
    assert verdict is Verdict.UNFIT
    assert missing in why
    assert scene.questions() == []


def test_what_the_app_says_of_its_workers_counts_too(scene: Scene) -> None:
    scene.machine.missing.add("/srv/shop")
    spec = replace(APP.spec, workdir="/srv/shop")
    scene.replica.absorb([replace(APP, spec=spec, stamp=APP.stamp.next(1, "b2"))], 5)
    assert scene.examiner.examine(instance())[0] is Verdict.UNFIT


def test_an_app_that_is_not_known_cannot_be_run(scene: Scene) -> None:
    verdict, why = scene.examiner.examine(replace(instance(), app=AppName("gone")))
    assert verdict is Verdict.UNFIT
    assert "'gone'" in why


def test_a_broker_too_many_cannot_be_used(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers_module, "BROKERS_MAX", 1)
    scene.brokers.watch_of(OTHER_BROKER)
    verdict, why = scene.examiner.examine(instance())
    assert verdict is Verdict.UNFIT
    assert "another branch" in why


def test_an_examiner_is_what_the_driver_calls(scene: Scene) -> None:
    assert scene.examiner(instance()) == scene.examiner.examine(instance())
