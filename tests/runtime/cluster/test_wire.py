from __future__ import annotations

import dataclasses
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.cluster.items import Item
from cyme.core.cluster.members import PROTOCOL
from cyme.core.cluster.messages import (
    ITEMS_MAX,
    Beat,
    Hello,
    Message,
    Rumours,
    Sender,
)
from cyme.core.cluster.repair import ITEMS_BYTES_MAX
from cyme.core.declarations import OPTIONS_CHARS_MAX
from cyme.core.model import (
    App,
    AppName,
    BranchId,
    Broker,
    Instance,
    InstanceName,
    Queue,
    QueueName,
    Stamp,
    WorkerSpec,
)
from cyme.core.names import NAME_CHARS_MAX
from cyme.core.parameters import (
    APP_CHARS_MAX,
    ENV_CHARS_MAX,
    ENV_VARIABLES_MAX,
    PATH_CHARS_MAX,
    QUEUES_PER_INSTANCE_MAX,
    URL_CHARS_MAX,
)
from cyme.core.worker_options import ARGUMENTS_CHARS_MAX
from cyme.core.worker_settings import EXTRA_CONFIG_CHARS_MAX
from cyme.errors import ProtocolError, TooLarge
from cyme.runtime.cluster import rows
from cyme.runtime.cluster.structure import packed
from cyme.runtime.cluster.wire import (
    FRAMES_MAX,
    MESSAGE_BYTES_MAX,
    cluster_tag,
    pack,
    size_of,
    unpack,
)
from tests.core import records
from tests.runtime.cluster import messages
from tests.runtime.cluster.cost import at_most
from tests.runtime.cluster.messages import many
from tests.runtime.cluster.said import (
    BEAT,
    CALL,
    NEWS,
    PROFILE,
    SENDER,
    STATEMENT,
    TAG,
    body,
    changed,
    frames_of,
    items,
    read,
)

SECRET = "hunter2"


# --- what is said is understood ------------------------------------------------------------------


@many
@given(messages.published)
def test_what_is_published_is_understood(message: Message) -> None:
    assert read(message, published=True) == message


@many
@given(messages.directed)
def test_what_is_sent_is_understood(message: Message) -> None:
    assert read(message) == message


def test_a_beat_is_small() -> None:
    widest = Beat(
        sender=Sender(BranchId("b" * 20), 2**53 - 1, 2**53 - 1),
        head=2**53 - 1,
        digest=2**64 - 1,
        lag_ms=2**53 - 1,
    )
    assert sum(map(len, pack(widest, cluster=TAG))) < 100
    assert read(widest, published=True) == widest


@pytest.mark.parametrize("published", [True, False])
def test_rumours_are_published_or_sent_again(published: bool) -> None:
    message = Rumours(sender=SENDER, number=1, rumours=())
    assert read(message, published=published) == message


def test_a_message_is_taken_only_in_the_way_it_is_said() -> None:
    with pytest.raises(ProtocolError, match="kind"):
        read(BEAT, published=False)
    with pytest.raises(ProtocolError, match="kind"):
        read(CALL, published=True)


# --- versions ------------------------------------------------------------------------------------


def appended(plain: object) -> object:
    """Return a body as a later version might write it: with more at the end of every row."""
    if isinstance(plain, list):
        return [*map(appended, plain), {"later": [None, 1.5]}]
    return plain


@pytest.mark.parametrize(
    "message",
    [BEAT, CALL, Hello(sender=SENDER, profile=PROFILE, checked=True)],
    ids=lambda message: type(message).__name__,
)
def test_what_later_versions_append_is_ignored(message: Message) -> None:
    plain = body(message)
    later = [[*plain[0], "more"], *plain[1:], "more", {"and": ["more"]}]
    frames = [*frames_of(message, later), b"\xc1 another frame"]
    assert unpack(frames, cluster=TAG, published=message is BEAT) == message


def test_what_later_versions_append_to_items_is_ignored() -> None:
    message = items(records.instance(broker=records.BROKER), STATEMENT, NEWS, records.queue())
    plain = body(message)
    plain[1] = [[letter, [*fields, {}], "more"] for letter, fields in plain[1]]
    assert unpack(frames_of(message, plain), cluster=TAG, published=False) == message


@pytest.mark.parametrize(
    ("lowest", "highest", "understood"),
    [
        (PROTOCOL[0], PROTOCOL[1], True),
        (0, PROTOCOL[0], True),
        (PROTOCOL[1], 255, True),
        (0, 255, True),
        (PROTOCOL[1] + 1, 255, False),
        (0, PROTOCOL[0] - 1, False),
    ],
)
def test_versions_must_overlap(lowest: int, highest: int, understood: bool) -> None:
    plain = body(BEAT)
    plain[0][:2] = [lowest, highest]
    frames = frames_of(BEAT, plain)
    if understood:
        assert unpack(frames, cluster=TAG, published=True) == BEAT
        return
    with pytest.raises(ProtocolError, match="upgrade the older"):
        unpack(frames, cluster=TAG, published=True)


def test_a_strange_version_is_told_before_all_else() -> None:
    plain = [[9, 9, {"all": "else"}]]
    with pytest.raises(ProtocolError, match="upgrade the older"):
        unpack(frames_of(BEAT, plain), cluster=TAG, published=True)


# --- frames --------------------------------------------------------------------------------------


def test_messages_of_another_cluster_are_refused() -> None:
    frames = pack(BEAT, cluster=cluster_tag("other"))
    with pytest.raises(ProtocolError, match="not of this cluster"):
        unpack(frames, cluster=TAG, published=True)
    assert len(TAG) == 8
    assert frames[0].startswith(b"CY1" + cluster_tag("other"))


def test_frames_are_counted_and_measured() -> None:
    frames = pack(BEAT, cluster=TAG)
    assert unpack([*frames, *[b""] * (FRAMES_MAX - 2)], cluster=TAG, published=True) == BEAT
    for bad in (
        [],
        frames[:1],
        [*frames, *[b""] * (FRAMES_MAX - 1)],
        [*frames, b"x" * MESSAGE_BYTES_MAX],
        [frames[0][:-1], frames[1]],
        [frames[0] + b"x", frames[1]],
        [b"", frames[1]],
        [frames[0][:-1] + b"?", frames[1]],
    ):
        with pytest.raises(ProtocolError):
            unpack(bad, cluster=TAG, published=True)


def test_what_nobody_would_take_is_not_packed() -> None:
    room = MESSAGE_BYTES_MAX - sum(map(len, pack(CALL, cluster=TAG))) - 3
    largest = dataclasses.replace(CALL, arguments=b"x" * room)
    assert read(largest) == largest
    with pytest.raises(TooLarge, match=str(MESSAGE_BYTES_MAX)):
        pack(dataclasses.replace(CALL, arguments=b"x" * (room + 1)), cluster=TAG)


# --- what branches store is taken ----------------------------------------------------------------


def largest_instance(letter: str) -> Instance:
    """Return the largest instance that the API accepts, made of one letter."""

    def filled(chars: int) -> str:
        return letter * chars

    variables = tuple(
        (f"V{i:03}", filled(ENV_CHARS_MAX // ENV_VARIABLES_MAX - 4))
        for i in range(ENV_VARIABLES_MAX)
    )
    spec = WorkerSpec(
        broker=Broker(filled(URL_CHARS_MAX)),
        result_backend=filled(URL_CHARS_MAX),
        pool="prefork",
        min_concurrency=1,
        max_concurrency=10_000,
        arguments=filled(ARGUMENTS_CHARS_MAX),
        extra_config=filled(EXTRA_CONFIG_CHARS_MAX),
        is_enabled=True,
        celery_app=filled(APP_CHARS_MAX),
        workdir=filled(PATH_CHARS_MAX),
        python=filled(PATH_CHARS_MAX),
        env=variables,
        labels=(("zone", "a"),),
    )
    name = "x" * NAME_CHARS_MAX
    return Instance(
        name=InstanceName(name),
        app=AppName(name),
        home=BranchId(name),
        owner=BranchId(name),
        stamp=Stamp(1_700_000_000_000, 1, name),
        spec=spec,
        queues=tuple(QueueName(f"{i:0{NAME_CHARS_MAX}}") for i in range(QUEUES_PER_INSTANCE_MAX)),
    )


@pytest.mark.parametrize("letter", ["x", "\N{PILE OF POO}"])
def test_the_largest_record_that_the_api_takes_is_taken_and_repaired(letter: str) -> None:
    instance = largest_instance(letter)
    app = App(name=instance.app, spec=instance.spec, stamp=instance.stamp)
    queue = Queue(
        app=instance.app,
        name=QueueName(instance.name),
        options=letter * OPTIONS_CHARS_MAX,
        stamp=instance.stamp,
    )
    for item in (instance, app, queue):
        assert read(items(item)) == items(item)
        assert size_of(item) <= ITEMS_BYTES_MAX


def test_tombstones_and_first_records_are_taken() -> None:
    instance = dataclasses.replace(records.instance(), deleted=True)
    assert instance.stamp.origin == ""
    assert read(items(instance)) == items(instance)


# --- sizes ---------------------------------------------------------------------------------------


@many
@given(st.lists(messages.items, max_size=5))
def test_items_take_no_more_than_their_sizes(told: list[Item]) -> None:
    alone = sum(map(len, pack(items(), cluster=TAG)))
    together = sum(map(len, pack(items(*told), cluster=TAG)))
    assert together - alone <= sum(map(size_of, told))


def test_many_small_elements_count_for_more_than_their_bytes() -> None:
    env = tuple((f"{i:x}", "") for i in range(256))
    crumbs = records.instance(env=env)
    fitting = ITEMS_BYTES_MAX // size_of(crumbs)
    message = items(*[crumbs] * fitting)
    assert fitting < ITEMS_MAX
    assert read(message) == message


# --- bytes that are no message -------------------------------------------------------------------


def only_whole(frames: list[bytes], published: bool) -> None:
    """See that frames are a message that can be said again, or a ``ProtocolError``."""
    try:
        message = unpack(frames, cluster=TAG, published=published)
    except ProtocolError as exc:
        told = "".join(traceback.format_exception(exc)) + repr(exc)
        assert SECRET not in told, "a fault tells of the content"
        return
    assert read(message, published=published) == message


@many
@given(st.lists(st.binary(max_size=60), max_size=4), st.booleans(), st.data())
def test_any_bytes_are_a_message_or_a_protocol_error(
    frames: list[bytes], published: bool, data: st.DataObject
) -> None:
    only_whole(frames, published)
    kind = data.draw(st.sampled_from(sorted(rows.MESSAGES)))
    only_whole([b"CY1" + TAG + kind, *frames], published)


@many
@given(messages.published | messages.directed, st.data())
def test_damaged_messages_are_a_message_or_a_protocol_error(
    message: Message, data: st.DataObject
) -> None:
    published = isinstance(message, Beat)
    head, whole = pack(message, cluster=TAG)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(ProtocolError):
        unpack([head, whole[:cut]], cluster=TAG, published=published)
    with pytest.raises(ProtocolError):
        unpack([head, whole + b"\0"], cluster=TAG, published=published)
    damaged = bytearray(whole)
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=3)):
        damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    only_whole([head, bytes(damaged)], published)


@many
@given(messages.published | messages.directed, st.data())
def test_misplaced_values_are_a_message_or_a_protocol_error_that_tells_nothing(
    message: Message, data: st.DataObject
) -> None:
    published = isinstance(message, Beat)
    plain = body(message)
    paths = sorted(places_in(plain))
    path = data.draw(st.sampled_from(paths))
    strange = data.draw(
        st.sampled_from(
            [SECRET, f"{SECRET} \n", [SECRET], {SECRET: SECRET}, [[SECRET]] * 3, SECRET.encode()]
        )
        | st.sampled_from([None, True, -1, 2**60, 1.5, float("nan"), float("inf"), [], {}, ""])
    )
    only_whole(frames_of(message, changed(plain, path, strange)), published)


def places_in(plain: Any, path: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    inner = enumerate(plain) if isinstance(plain, list) else ()
    return [path, *(found for i, part in inner for found in places_in(part, (*path, i)))]


def test_a_bomb_where_a_field_should_be_costs_nothing() -> None:
    maps = b"\xdd\x00\x00\x27\x10" + b"\x80" * 10_000
    bomb = b"\xdd\x00\x00\x00\x64" + maps * 100
    frames = [
        pack(items(), cluster=TAG)[0],
        b"\x94" + packed([1, 1, "b1", 1, 0]) + b"\x90\x90" + bomb,
    ]
    with at_most(64 * 1024), pytest.raises(ProtocolError):
        unpack(frames, cluster=TAG, published=False)
