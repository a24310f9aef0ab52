"""Records to store."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from hypothesis import strategies as st

from cyme.core.model import (
    App,
    AppName,
    BranchId,
    Broker,
    Instance,
    InstanceName,
    Queue,
    QueueName,
    Record,
    Stamp,
    WorkerSpec,
)

BRANCH = "branch-a"


def app(name: str = "shop", *, version: int = 1, broker: str | None = None) -> App:
    return App(
        name=AppName(name),
        spec=WorkerSpec(broker=Broker(broker) if broker else None),
        stamp=Stamp(1_700_000_000_000, version, BRANCH),
        version=version,
        created_at=1_700_000_000.25,
        updated_at=1_700_000_001.125,
    )


def instance(name: str = "w1", *, broker: str | None = None) -> Instance:
    return Instance(
        name=InstanceName(name),
        app=AppName("shop"),
        home=BranchId(BRANCH),
        owner=BranchId(BRANCH),
        spec=WorkerSpec(broker=Broker(broker) if broker else None),
    )


def queue(name: str = "orders", *, of: str = "shop") -> Queue:
    return Queue(app=AppName(of), name=QueueName(name), stamp=Stamp(1, 0, BRANCH))


def refused(name: str = "bad") -> App:
    """Return an app that looks right to Cyme and that every database refuses."""
    return replace(app(name), created_at=cast(float, None))


def tombstone(record: App) -> App:
    return replace(record, deleted=True, version=record.version + 1)


#: One record of each kind with every field set, and values that databases like to change.
FULL: tuple[Record, ...] = (
    App(
        name=AppName("full"),
        spec=WorkerSpec(
            broker=Broker("amqp://us%2Fer:p%40ss@rabbit.example:5673/v%2Fh"),
            result_backend="redis://:secret@cache/1",
            pool="prefork",
            min_concurrency=1,
            max_concurrency=2**40,
            arguments="--prefetch-multiplier=1 -O fair  ",
            extra_config="task_time_limit=30 worker_name='häßlich 💥'",
            is_enabled=False,
            celery_app="proj.app:app",
            workdir="/srv/proj",
            python="/srv/venv/bin/python",
            env=(("A", ""), ("B", "b 'quoted' \"twice\" \\ %s % ? \n")),
            labels=(),
        ),
        stamp=Stamp(2**52, 2**33, "b" * 128),
        version=2**40,
        created_at=1_767_225_600.123456,
        updated_at=0.1 + 0.2,
        deleted=True,
    ),
    Queue(
        app=AppName("full"),
        name=QueueName("q"),
        exchange="",
        exchange_type="topic",
        routing_key="a.*.#",
        options='{"queue_arguments": {"x-max-priority": 10}}',
        stamp=Stamp(1, 0, BRANCH),
    ),
    Instance(
        name=InstanceName("full"),
        app=AppName("full"),
        home=BranchId("h"),
        owner=BranchId("o"),
        epoch=7,
        generation=2**40,
        stamp=Stamp(2**52, 2**33, "o" * 128),
        version=9,
        spec=WorkerSpec(
            broker=Broker("redis://cache:6379/0"),
            is_enabled=True,
            env=(),
            labels=(("disk", "ssd"), ("zone", "a")),
        ),
        queues=(QueueName("a"), QueueName("b")),
        pinned=True,
        created_at=1.5,
        updated_at=2.5,
    ),
)

#: Records whose keys some databases hold for the same.
ALIKE: tuple[Record, ...] = (
    app("Shop"),
    app("shop"),
    app("SHOP"),
    queue("Q"),
    queue("q"),
    queue("q", of="other"),
    instance("w"),
    instance("W"),
)

_names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
_texts = st.none() | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30
)
_counts = st.integers(1, 2**62)
_times = st.floats(0, 1e11)
_brokers = st.none() | st.builds(
    Broker.from_fields,
    hostname=st.sampled_from(["rabbit", "10.0.0.1", "::1"]),
    port=st.none() | st.integers(1, 65535),
    userid=st.none() | st.text("abc/@:%é", min_size=1, max_size=8),
    password=st.none() | st.text("abc/@:%é", min_size=1, max_size=8),
    virtual_host=st.none() | st.text("abc/@:%é", min_size=1, max_size=8),
)
_specs = st.builds(
    WorkerSpec,
    broker=_brokers,
    result_backend=_texts,
    pool=_texts,
    min_concurrency=st.none() | _counts,
    max_concurrency=st.none() | _counts,
    arguments=_texts,
    extra_config=_texts,
    is_enabled=st.none() | st.booleans(),
    celery_app=_texts,
    workdir=_texts,
    python=_texts,
    env=st.none()
    | st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=9), max_size=3).map(
        lambda env: tuple(sorted(env.items()))
    ),
    labels=st.none()
    | st.dictionaries(_names, _names, max_size=3).map(lambda labels: tuple(sorted(labels.items()))),
)
_stamps = st.builds(Stamp, st.integers(0, 2**62), st.integers(0, 2**62), _names)
_common = {
    "version": _counts,
    "created_at": _times,
    "updated_at": _times,
    "deleted": st.booleans(),
}

apps = st.builds(App, name=_names.map(AppName), spec=_specs, stamp=_stamps, **_common)
queues = st.builds(
    Queue,
    app=_names.map(AppName),
    name=_names.map(QueueName),
    exchange=_texts,
    exchange_type=_texts,
    routing_key=_texts,
    options=_texts,
    stamp=_stamps,
    **_common,
)
instances = st.builds(
    Instance,
    name=_names.map(InstanceName),
    app=_names.map(AppName),
    home=_names.map(BranchId),
    owner=_names.map(BranchId),
    epoch=_counts,
    generation=_counts,
    stamp=_stamps,
    spec=_specs,
    queues=st.lists(_names.map(QueueName), max_size=3).map(tuple),
    pinned=st.booleans(),
    **_common,
)
records: st.SearchStrategy[Record] = st.one_of(apps, queues, instances)
