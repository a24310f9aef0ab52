from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from cyme.core.access import Caller, Role
from cyme.core.branches import BranchState
from cyme.core.cluster.items import BUCKETS, PIDS_MAX
from cyme.core.cluster.messages import (
    ITEMS_MAX,
    RUMOURS_MAX,
    STATEMENTS_MAX,
    SUMMARIES_MAX,
    Answer,
    Beat,
    Buckets,
    Digest,
    Hello,
    Items,
    Message,
    Missed,
    Ping,
    Rumours,
    Summaries,
    Welcome,
)
from cyme.core.model import BranchId
from cyme.errors import ProtocolError
from cyme.runtime.cluster import rows
from cyme.runtime.cluster.wire import unpack
from tests.core import records
from tests.runtime.cluster.said import (
    BEAT,
    CALL,
    NEWS,
    PROFILE,
    RUMOUR,
    SENDER,
    STATEMENT,
    TAG,
    body,
    changed,
    frames_of,
    items,
    read,
)


def test_every_field_of_a_value_is_on_the_wire() -> None:
    told = [*rows.MESSAGES.values(), *rows.LETTERS.values(), rows.PROFILE, rows.SPEC, rows.STAMP]
    for row in told:
        fields = {field.name for field in dataclasses.fields(row.cls)}
        assert set(row.names) == fields, row.cls


def test_what_has_no_row_has_no_place_in_a_message() -> None:
    for stranger in (object(), Caller(Role.ADMIN, "x"), BranchState):
        with pytest.raises(TypeError, match="no place in a message"):
            rows.plain(stranger)


def test_every_message_has_a_kind_of_its_own() -> None:
    assert len({row.cls for row in rows.MESSAGES.values()}) == len(rows.MESSAGES)
    assert {row.cls for row in rows.MESSAGES.values()} == {*Message.__args__}


WHOLE = [-1, 2**53, 1.0, True, "1", None]
MOMENT = [-1.0, float("nan"), float("inf"), 1e12, "1", None, True]
NAME = ["", "a b", "-x", ".x", "a\n", "ä", "x" * 129, "a/b", 1, None, b"b1"]
TEXT = ["x" * 65_537, 1, b"x"]
WORDS = ["x" * 8_193, 1, b"x", None]
ENDPOINT = [
    "",
    "tcp://",
    "tcp://host",
    "tcp://host:",
    "tcp://host:0",
    "tcp://host:65536",
    "tcp://host:5x",
    "tcp://host:5\n",
    "tcp://*:5",
    "tcp://:5",
    "tcp://a;tcp://b:5",
    "tcp://a b:5",
    "tcp://[::1:5",
    "tcp://[::1%]:5",
    "ipc:///tmp/x:5",
    "inproc://x:5",
    "TCP://host:5",
    "tcp://" + "h" * 300 + ":5",
    None,
    5,
]
BITS = [-1, 2**64 - 1 + 0.0, "1", None, True]
BOOLEAN = [0, 1, None, "true"]
PAIR_LISTS = [[["a"]], [["a", 1]], [1], 1, [["a", "b"]] * 1_001]

#: What is changed, the message that holds it, where in its body it stands, what must not be there.
Bad = tuple[str, Message, tuple[int, ...], list[Any]]


def each_of(
    kind: str, message: Message, path: tuple[int, ...], fields: Mapping[str, list[Any]]
) -> Iterator[Bad]:
    """Return what must not be in the fields of a row, in the order of the wire."""
    for place, (field, bad) in enumerate(fields.items()):
        yield f"{field} of the {kind}", message, (*path, place), bad


BAD: list[Bad] = [
    ("sender", BEAT, (0,), [None, [], {}, "b1", [1, 1, "b1", 1]]),
    ("lowest version", BEAT, (0, 0), [-1, 256, 1.0, None]),
    ("highest version", BEAT, (0, 1), [-1, 256, 1.0, None]),
    ("sender's branch", BEAT, (0, 2), NAME),
    ("sender's boot", BEAT, (0, 3), WHOLE),
    ("sender's incarnation", BEAT, (0, 4), WHOLE),
    ("head", BEAT, (1,), WHOLE),
    ("digest", BEAT, (2,), BITS),
    ("lag", BEAT, (3,), WHOLE),
    ("number", Rumours(sender=SENDER, number=1, rumours=()), (1,), WHOLE),
    ("rumours", Rumours(sender=SENDER, number=1, rumours=()), (2,), [None, {}, [1], "x"]),
    ("checked", Hello(sender=SENDER, profile=PROFILE, checked=True), (2,), BOOLEAN),
    ("admitted", Welcome(sender=SENDER, admitted=True, statements=()), (1,), BOOLEAN),
    ("target", Ping(sender=SENDER, number=1, target=BranchId("b2"), about=None), (2,), NAME),
    ("first", Missed(sender=SENDER, first=1, last=2), (1,), WHOLE),
    ("last", Missed(sender=SENDER, first=1, last=2), (2,), WHOLE),
    (
        "ages",
        Digest(sender=SENDER, digest=1, ages_s=((BranchId("b2"), 1.0),)),
        (2, 0),
        [["b2"], ["b 2", 1.0], *(["b2", bad] for bad in MOMENT)],
    ),
    ("digests", Buckets(sender=SENDER, digests=(1,) * 64), (1,), [[1] * 63, [1] * 65, [-1] * 64]),
    ("buckets", Summaries(sender=SENDER, buckets=(1,), summaries=()), (1, 0), [-1, 64, "1", None]),
    (
        "keys",
        Summaries(sender=SENDER, buckets=(), summaries=((("app", "shop"), 1),)),
        (2, 0, 0),
        [
            [],
            ["app"],
            ["app", "ping"],
            ["app", "a b"],
            ["queue", "shop"],
            ["queue", "shop", "dq.x"],
            ["other", "x"],
            [1, "x"],
            "app",
            None,
        ],
    ),
    ("tags", Summaries(sender=SENDER, buckets=(), summaries=((("app", "a"), 1),)), (2, 0, 1), BITS),
    ("call id", CALL, (1,), ["0" * 31, "0" * 33, "0" * 31 + "g", "A" * 32, "0" * 32 + "\n", 1]),
    ("method", CALL, (2,), ["x" * 129, None, 1]),
    ("arguments", CALL, (3,), ["x", None, []]),
    ("budget", CALL, (4,), MOMENT),
    ("hops", CALL, (5,), [-1, 256, 1.0, None]),
    ("target", CALL, (6,), NAME),
    ("target's boot", CALL, (7,), WHOLE),
    ("ok", Answer(sender=SENDER, id="0" * 32, ok=True, value=b""), (2,), BOOLEAN),
    ("value", Answer(sender=SENDER, id="0" * 32, ok=True, value=b""), (3,), ["x", None]),
    ("item", items(NEWS), (1, 0), [None, [], ["n"], ["x", []], ["n", None], "n", [1, []]]),
    ("origin", Rumours(sender=SENDER, number=1, rumours=(RUMOUR,)), (2, 0, 0), NAME),
    ("origin's boot", Rumours(sender=SENDER, number=1, rumours=(RUMOUR,)), (2, 0, 1), WHOLE),
    ("rumour's number", Rumours(sender=SENDER, number=1, rumours=(RUMOUR,)), (2, 0, 2), WHOLE),
    ("letter", items(NEWS), (1, 0, 0), ["s", "x", "", None, 1]),
    *each_of(
        "news",
        items(NEWS),
        (1, 0, 1),
        {
            "instance": NAME,
            "branch": NAME,
            "epoch": WHOLE,
            "boot": WHOLE,
            "seq": WHOLE,
            "state": ["zombie", "RUNNING", None, 1, ""],
            "reason": WORDS,
            "pids": [[-1], [1.5], None, 1, [1] * (PIDS_MAX + 1)],
            "restarts": WHOLE,
            "since": MOMENT,
        },
    ),
    *each_of(
        "statement",
        items(STATEMENT),
        (1, 0, 1),
        {
            "branch": NAME,
            "boot": WHOLE,
            "incarnation": WHOLE,
            "state": ["gone", None, 1],
            "by": NAME,
            "profile": [None, [], {}, 1],
        },
    ),
    *each_of(
        "profile",
        items(STATEMENT),
        (1, 0, 1, 5),
        {
            "calls_at": ENDPOINT,
            "beats_at": ENDPOINT,
            "nonce": ["x" * 129, None],
            "protocol": [[1], [2, 1], [-1, 1], [1, 256], None, [1.0, 1]],
            "url": WORDS[:-1],
            "port": [-1, 65_536, "80", True],
            "loglevel": ["x" * 129, None],
            "logfile": WORDS[:-1],
            "numc": WHOLE,
            "sup_interval_s": MOMENT,
            "instances_max": WHOLE,
            "version": ["x" * 129, None],
            "labels": [*PAIR_LISTS, [["a", "x" * 8_193]], None],
            "drained": BOOLEAN,
        },
    ),
    *each_of(
        "app",
        items(records.app()),
        (1, 0, 1),
        {
            "name": [*NAME, "ping"],
            "spec": [None, [], {}],
            "stamp": [None, [], [1, 1], [-1, 0, "b1"], [2**48, 0, "b1"], [1, -1, ""]],
            "version": WHOLE,
            "created_at": MOMENT,
            "updated_at": MOMENT,
            "deleted": BOOLEAN,
        },
    ),
    ("origin of a stamp", items(records.app()), (1, 0, 1, 2, 2), NAME[1:]),
    *each_of(
        "queue",
        items(records.queue()),
        (1, 0, 1),
        {
            "app": [*NAME, "ping"],
            "name": [*NAME, "dq.w1"],
            "exchange": TEXT,
            "exchange_type": TEXT,
            "routing_key": TEXT,
            "options": TEXT,
            "stamp": [None],
            "version": WHOLE,
            "created_at": MOMENT,
            "updated_at": MOMENT,
            "deleted": BOOLEAN,
        },
    ),
    *each_of(
        "instance",
        items(records.instance()),
        (1, 0, 1),
        {
            "name": NAME,
            "app": [*NAME, "ping"],
            "home": NAME,
            "owner": NAME,
            "epoch": WHOLE,
            "generation": WHOLE,
            "stamp": [None],
            "version": WHOLE,
            "spec": [None, []],
            "queues": [None, ["dq.x"], [1], ["q"] * 1_001],
            "pinned": BOOLEAN,
            "created_at": MOMENT,
            "updated_at": MOMENT,
            "deleted": BOOLEAN,
        },
    ),
    *each_of(
        "spec",
        items(records.app()),
        (1, 0, 1, 1),
        {
            "broker": TEXT,
            "result_backend": TEXT,
            "pool": TEXT,
            "min_concurrency": WHOLE[:-1],
            "max_concurrency": WHOLE[:-1],
            "arguments": TEXT,
            "extra_config": TEXT,
            "is_enabled": [0, 1, "true"],
            "celery_app": TEXT,
            "workdir": TEXT,
            "python": TEXT,
            "env": [*PAIR_LISTS, [["a", "x" * 65_537]]],
            "labels": [*PAIR_LISTS, [["a", "x" * 65_537]]],
        },
    ),
]


@pytest.mark.parametrize(
    ("message", "path", "values"), [bad[1:] for bad in BAD], ids=[bad[0] for bad in BAD]
)
def test_what_is_out_of_its_range_is_refused(
    message: Message, path: tuple[int, ...], values: list[Any]
) -> None:
    published = isinstance(message, Beat)
    assert read(message, published=published) == message
    for value in values:
        frames = frames_of(message, changed(body(message), path, value))
        with pytest.raises(ProtocolError):
            pytest.fail(f"{value!r} became {unpack(frames, cluster=TAG, published=published)}")


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (BEAT, ()),
        (BEAT, (0,)),
        (CALL, ()),
        (items(NEWS), (1, 0)),
        (items(NEWS), (1, 0, 1)),
        (items(STATEMENT), (1, 0, 1)),
        (items(STATEMENT), (1, 0, 1, 5)),
        (items(STATEMENT), (1, 0, 1, 5, 3)),
        (items(records.app()), (1, 0, 1)),
        (items(records.app()), (1, 0, 1, 1)),
        (items(records.app()), (1, 0, 1, 2)),
        (items(records.instance()), (1, 0, 1)),
        (items(records.queue()), (1, 0, 1)),
    ],
)
def test_no_field_may_be_missing(message: Message, path: tuple[int, ...]) -> None:
    row = body(message)
    for place in path:
        row = row[place]
    for fields in range(len(row)):
        plain = changed(body(message), path, row[:fields])
        with pytest.raises(ProtocolError):
            unpack(frames_of(message, plain), cluster=TAG, published=message is BEAT)


KEY = ("instance", "w1")


@pytest.mark.parametrize(
    ("most", "message_of"),
    [
        (RUMOURS_MAX, lambda n: Rumours(sender=SENDER, number=1, rumours=(RUMOUR,) * n)),
        (ITEMS_MAX, lambda n: Items(sender=SENDER, items=(NEWS,) * n)),
        (SUMMARIES_MAX, lambda n: Items(sender=SENDER, items=(), wanted=(KEY,) * n)),
        (SUMMARIES_MAX, lambda n: Summaries(sender=SENDER, buckets=(), summaries=((KEY, 1),) * n)),
        (BUCKETS, lambda n: Summaries(sender=SENDER, buckets=(1,) * n, summaries=())),
        (
            STATEMENTS_MAX,
            lambda n: Welcome(sender=SENDER, admitted=True, statements=(STATEMENT,) * n),
        ),
        (
            STATEMENTS_MAX,
            lambda n: Digest(sender=SENDER, digest=1, ages_s=((BranchId("b"), 1.0),) * n),
        ),
    ],
    ids=["rumours", "items", "wanted", "summaries", "buckets", "statements", "ages"],
)
def test_a_message_holds_so_much_and_no_more(most: int, message_of: Any) -> None:
    assert read(message_of(most)) == message_of(most)
    with pytest.raises(ProtocolError):
        read(message_of(most + 1))
