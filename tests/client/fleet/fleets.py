"""Fleets that hypothesis makes up."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

from cyme.client.fleet import Fleet, FleetApp

#: A fleet is a lot to make up, and a busy machine is slow.
few = settings(deadline=None, max_examples=30, print_blob=True)

NAMES = st.sampled_from(["a", "b", "c.d", "e-1"])
TEXTS = st.text('aé$"\\ {}=\x7f☃', max_size=8)
URLS = st.sampled_from(
    [
        "redis://host/1",
        "amqp://me:p%40ss@host:5672//",
        "redis://:s3cret@host:6379/0",
        "amqp://me:other@host:5672//",
        "redis://host/0?api_key=abc",
    ]
)
MAPS = st.dictionaries(
    st.sampled_from(["MODE", "API_TOKEN", "url"]), st.one_of(TEXTS, URLS), max_size=3
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(TEXTS.filter(bool), inner, max_size=2)
    ),
    max_leaves=4,
)
WORKER = {
    "result_backend": URLS,
    "pool": st.sampled_from(["solo", "prefork"]),
    "min_concurrency": st.integers(1, 3),
    "max_concurrency": st.integers(3, 5),
    "arguments": TEXTS.filter(bool),
    "is_enabled": st.booleans(),
    "env": MAPS,
    "labels": st.dictionaries(NAMES, NAMES, max_size=2),
}
APPS = st.fixed_dictionaries({"broker": URLS}, optional=WORKER)
INSTANCES = st.fixed_dictionaries(
    {},
    optional={
        **WORKER,
        "broker": URLS,
        "queues": st.lists(NAMES, min_size=1, unique=True).map(sorted),
    },
)
QUEUES = st.fixed_dictionaries(
    {},
    optional={
        "exchange": TEXTS.filter(bool),
        "exchange_type": st.sampled_from(["direct", "topic"]),
        "routing_key": TEXTS.filter(bool),
        "options": st.dictionaries(TEXTS.filter(bool), JSON, max_size=3),
    },
)


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """Return a fleet whose instances have names that are theirs alone."""
    apps = {}
    for app in draw(st.lists(NAMES, unique=True, max_size=3)):
        names = [f"{app}{name}" for name in draw(st.lists(NAMES, unique=True, max_size=3))]
        apps[app] = FleetApp(
            draw(APPS),
            draw(st.dictionaries(NAMES, QUEUES, max_size=3)),
            {name: draw(INSTANCES) for name in names},
        )
    return Fleet(apps)
