from cyme.core.collectors import broker_key
from cyme.core.model import (
    EPOCH_STAMP,
    App,
    AppName,
    BranchId,
    Broker,
    Instance,
    InstanceName,
    Queue,
    QueueName,
    WorkerSpec,
)
from cyme.core.queue_plan import BrokerQueues, Consumption, consumption_of, queues_by_broker
from cyme.core.task_events import TaskDeed
from cyme.core.task_ledger import TaskCount

DEFAULT = Broker("redis://:hush@127.0.0.1:7000/0")
OTHER = Broker("amqp://guest:guest@127.0.0.1:5672//")


def app(name: str, broker: Broker | None = None) -> App:
    return App(name=AppName(name), spec=WorkerSpec(broker=broker), stamp=EPOCH_STAMP)


def queue(name: str, app: str = "shop") -> Queue:
    return Queue(app=AppName(app), name=QueueName(name), stamp=EPOCH_STAMP)


def instance(name: str, *queues: str, broker: Broker | None = None, app: str = "shop") -> Instance:
    return Instance(
        name=InstanceName(name),
        app=AppName(app),
        home=BranchId("b1"),
        owner=BranchId("b1"),
        spec=WorkerSpec(broker=broker),
        queues=tuple(map(QueueName, queues)),
    )


def count(worker: str, queue: str, number: int, deed: TaskDeed = TaskDeed.RECEIVED) -> TaskCount:
    return TaskCount(name="t", worker=worker, queue=queue, deed=deed, exception="", count=number)


# --- which queues there are -------------------------------------------------------------------


def test_queues_are_on_the_brokers_of_their_apps() -> None:
    found = queues_by_broker(
        [app("shop"), app("bank", OTHER)],
        [queue("b"), queue("a"), queue("a", "bank")],
        [instance("w1", "a"), instance("w2")],
        DEFAULT,
    )

    assert found == {
        broker_key(DEFAULT): BrokerQueues(
            queues={"a": ("shop",), "b": ("shop",)},
            consumers={"w1": frozenset({"a"}), "w2": frozenset()},
        ),
        broker_key(OTHER): BrokerQueues(queues={"a": ("bank",)}, consumers={}),
    }
    assert list(found[broker_key(DEFAULT)].queues) == ["a", "b"]


def test_a_queue_is_also_where_an_instance_consumes_from_it() -> None:
    found = queues_by_broker(
        [app("shop")], [queue("a")], [instance("w1", "a", broker=OTHER)], DEFAULT
    )

    assert found[broker_key(OTHER)].queues == {"a": ("shop",)}
    assert found[broker_key(OTHER)].consumers == {"w1": frozenset({"a"})}
    assert found[broker_key(DEFAULT)].consumers == {}


def test_one_queue_may_be_known_to_several_apps() -> None:
    again = Broker(DEFAULT.url.replace("hush", "other"))
    found = queues_by_broker(
        [app("shop"), app("bank", again)], [queue("a"), queue("a", "bank")], [], DEFAULT
    )

    assert found[broker_key(DEFAULT)].queues == {"a": ("bank", "shop")}


def test_what_an_app_left_behind_is_on_the_default_broker() -> None:
    found = queues_by_broker([], [queue("a")], [instance("w1", "a")], DEFAULT)

    assert found[broker_key(DEFAULT)].queues == {"a": ("shop",)}


# --- who takes from them ----------------------------------------------------------------------

TWO = {"w1@b1": frozenset({"a"}), "w2@b1": frozenset({"a"})}
HEARD = {"w1@b1", "w2@b1"}


def test_what_workers_of_one_queue_take_they_take_from_that() -> None:
    counts = [
        count("w1@b1", "", 5),
        count("w2@b1", "a", 7),
        count("w2@b1", "", 1),
        count("w1@b1", "", 99, TaskDeed.STARTED),
        count("stranger@x", "a", 50),
    ]

    assert consumption_of(["a"], TWO, counts, {}, HEARD) == {
        "a": Consumption(nodes=frozenset(TWO), taken=13)
    }


def test_of_a_worker_of_several_queues_only_what_events_tell_is_known() -> None:
    both = {"w1@b1": frozenset({"a", "b", "c"})}

    told = consumption_of(["a", "b"], both, [count("w1@b1", "a", 5)], {}, HEARD)
    assert (told["a"].taken, told["b"].taken) == (5, 0)
    counts = [count("w1@b1", "a", 5), count("w1@b1", "", 1)]
    told = consumption_of(["a", "b"], both, counts, {}, HEARD)
    assert (told["a"].taken, told["a"].untold) == (5, 1)
    assert (told["b"].taken, told["b"].untold) == (0, 1)


def test_what_a_worker_took_of_its_only_queue_is_known_before_its_sender_tells() -> None:
    consumers = {"w1@b1": frozenset({"a"}), "w2@b1": frozenset({"b", "c"})}
    counts = [count("w1@b1", "a", 5), count("w2@b1", "b", 5)]

    told = consumption_of(["a", "b"], consumers, counts, {"w1@b1": 2, "w2@b1": 3}, consumers)
    assert (told["a"].taken, told["b"].taken) == (7, 5)
    counts = [count("w1@b1", "", 4), count("w2@b1", "b", 5)]
    told = consumption_of(["a", "b"], consumers, counts, {}, consumers)
    assert (told["a"].taken, told["a"].untold) == (4, 0)


def test_of_a_worker_that_is_not_heard_nothing_is_known() -> None:
    assert consumption_of(["a"], TWO, [], {}, {"w1@b1"})["a"] == Consumption(
        nodes=frozenset(TWO), taken=None
    )


def test_from_a_queue_without_consumers_nothing_is_taken() -> None:
    assert consumption_of(["a"], {}, [], {}, ()) == {"a": Consumption(taken=0)}
