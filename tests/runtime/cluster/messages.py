"""Strategies that make every message that branches exchange, and all that is in them."""

from __future__ import annotations

from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st

from cyme.core.branches import BranchState
from cyme.core.cluster.items import BUCKETS, PIDS_MAX, InstanceNews, Item, key_of
from cyme.core.cluster.members import Profile, Statement
from cyme.core.cluster.messages import (
    Answer,
    Beat,
    Buckets,
    Call,
    Digest,
    Hello,
    Items,
    Message,
    Missed,
    Ping,
    PingRequest,
    Pong,
    Rumour,
    Rumours,
    Sender,
    Summaries,
    Welcome,
)
from cyme.core.model import App, Broker, Instance, Queue, Stamp, WorkerSpec
from cyme.core.names import RESERVED_APP_NAMES
from cyme.core.status import InstanceState

T = TypeVar("T")

#: Machines differ, and the figure counts for each of several kinds of messages.
many = settings(deadline=None, max_examples=50, print_blob=True)


def tuples_of(things: st.SearchStrategy[T], most: int = 3) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(things, max_size=most).map(tuple)


numbers = st.integers(0, 2**53 - 1)
bits = st.integers(0, 2**64 - 1)
moments = st.floats(0, 253_402_300_799)
durations = st.floats(0, 86_400)
texts = st.text(max_size=20)
names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
app_names = names.filter(lambda name: name not in RESERVED_APP_NAMES)
queue_names = names.filter(lambda name: not name.startswith("dq."))
endpoints = st.from_regex(r"tcp://([a-z0-9][a-z0-9.-]{0,9}|\[[0-9a-f:]{1,9}\])", fullmatch=True)
endpoints = st.builds("{}:{}".format, endpoints, st.integers(1, 65_535))
pairs = tuples_of(st.tuples(texts, texts))

# --- items ---------------------------------------------------------------------------------------

stamps = st.builds(Stamp, st.integers(0, 2**47), numbers, st.just("") | names)
specs = st.builds(
    WorkerSpec,
    broker=st.none() | st.builds(Broker, texts),
    result_backend=st.none() | texts,
    pool=st.none() | texts,
    min_concurrency=st.none() | numbers,
    max_concurrency=st.none() | numbers,
    arguments=st.none() | texts,
    extra_config=st.none() | texts,
    is_enabled=st.none() | st.booleans(),
    celery_app=st.none() | texts,
    workdir=st.none() | texts,
    python=st.none() | texts,
    env=st.none() | pairs,
    labels=st.none() | pairs,
)
_written: dict[str, Any] = {
    "stamp": stamps,
    "version": numbers,
    "created_at": moments,
    "updated_at": moments,
    "deleted": st.booleans(),
}
apps = st.builds(App, name=app_names, spec=specs, **_written)
queues = st.builds(
    Queue,
    app=app_names,
    name=queue_names,
    exchange=st.none() | texts,
    exchange_type=st.none() | texts,
    routing_key=st.none() | texts,
    options=st.none() | texts,
    **_written,
)
instances = st.builds(
    Instance,
    name=names,
    app=app_names,
    home=names,
    owner=names,
    epoch=numbers,
    generation=numbers,
    spec=specs,
    queues=tuples_of(queue_names),
    pinned=st.booleans(),
    **_written,
)
news = st.builds(
    InstanceNews,
    instance=names,
    branch=names,
    epoch=numbers,
    boot=numbers,
    seq=numbers,
    state=st.sampled_from(InstanceState),
    reason=texts,
    pids=tuples_of(numbers, PIDS_MAX),
    restarts=numbers,
    since=moments,
)
profiles = st.builds(
    Profile,
    calls_at=endpoints,
    beats_at=endpoints,
    nonce=texts,
    protocol=st.tuples(st.integers(0, 10), st.integers(10, 255)),
    url=st.none() | texts,
    port=st.none() | st.integers(0, 65_535),
    loglevel=texts,
    logfile=st.none() | texts,
    numc=numbers,
    sup_interval_s=durations,
    instances_max=numbers,
    version=texts,
    labels=pairs,
    drained=st.booleans(),
)
statements = st.builds(
    Statement,
    branch=names,
    boot=numbers,
    incarnation=numbers,
    state=st.sampled_from(BranchState),
    by=names,
    profile=profiles,
)
items: st.SearchStrategy[Item] = st.one_of(apps, queues, instances, news, statements)
keys = items.map(key_of)

# --- messages ------------------------------------------------------------------------------------

senders = st.builds(Sender, names, numbers, numbers)
rumours = st.builds(Rumour, names, numbers, numbers, items)
_call_ids = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)

beats = st.builds(Beat, sender=senders, head=numbers, digest=bits, lag_ms=numbers)
rumour_messages = st.builds(Rumours, sender=senders, number=numbers, rumours=tuples_of(rumours))
published: st.SearchStrategy[Message] = beats | rumour_messages
directed: st.SearchStrategy[Message] = st.one_of(
    rumour_messages,
    st.builds(Hello, sender=senders, profile=profiles, checked=st.booleans()),
    st.builds(Welcome, sender=senders, admitted=st.booleans(), statements=tuples_of(statements)),
    st.builds(Ping, sender=senders, number=numbers, target=names, about=st.none() | statements),
    st.builds(Pong, sender=senders, number=numbers, about=statements),
    st.builds(PingRequest, sender=senders, number=numbers, about=statements),
    st.builds(Missed, sender=senders, first=numbers, last=numbers),
    st.builds(Digest, sender=senders, digest=bits, ages_s=tuples_of(st.tuples(names, durations))),
    st.builds(
        Buckets,
        sender=senders,
        digests=st.lists(bits, min_size=BUCKETS, max_size=BUCKETS).map(tuple),
    ),
    st.builds(
        Summaries,
        sender=senders,
        buckets=tuples_of(st.integers(0, BUCKETS - 1), BUCKETS),
        summaries=tuples_of(st.tuples(keys, bits)),
    ),
    st.builds(Items, sender=senders, items=tuples_of(items), wanted=tuples_of(keys)),
    st.builds(
        Call,
        sender=senders,
        id=_call_ids,
        method=texts,
        arguments=st.binary(max_size=50),
        budget_s=durations,
        hops=st.integers(0, 255),
        target=names,
        target_boot=numbers,
    ),
    st.builds(Answer, sender=senders, id=_call_ids, ok=st.booleans(), value=st.binary(max_size=50)),
)
