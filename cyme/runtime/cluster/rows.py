"""What branches tell each other, field by field: the order on the wire, and what may be there.

The order is for ever: later versions of the protocol append fields, and know what to make of it
when an older branch leaves them out. Whatever a branch may store or say by itself must be within
the limits that stand here, else its neighbours would refuse it: they are wider than those of
``core.parameters`` and ``core.declarations``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from operator import attrgetter

from cyme.core.branches import BranchState
from cyme.core.cluster.items import BUCKETS, PIDS_MAX, InstanceNews, Item, Key
from cyme.core.cluster.members import PROTOCOL, Profile, Statement
from cyme.core.cluster.messages import (
    ITEMS_MAX,
    RUMOURS_MAX,
    STATEMENTS_MAX,
    SUMMARIES_MAX,
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
from cyme.core.status import InstanceState
from cyme.errors import ProtocolError
from cyme.runtime.cluster.shapes import (
    MOMENT_S_MAX,
    PORT_MAX,
    WHOLE_MAX,
    Choice,
    Read,
    Row,
    endpoint,
    joint,
    listed,
    matching,
    name,
    octets,
    one_of,
    optional,
    real,
    text,
    truth,
    whole,
)

#: Characters of what is told in words, of a label's key or value, and of a URL or a path.
WORDS_CHARS_MAX = 8_192

#: Characters of one field of a record, and of the value of one variable.
FIELD_CHARS_MAX = 65_536

#: Pairs of an environment, and of labels.
PAIRS_MAX = 1_000

#: Queues of one instance.
QUEUES_MAX = 1_000

#: Characters of what is short by nature: a level, a version, a nonce, the name of a call.
SHORT_CHARS_MAX = 128

#: Seconds of a call's budget, of a period and of an age.
DURATION_S_MAX = 1e9

#: The highest version of the protocol that can be told of, and the most hops of a call.
OCTET_MAX = 255

_count = whole(0, WHOLE_MAX)
_bits = whole(0, 2**64 - 1)
_octet = whole(0, OCTET_MAX)
_moment = real(0, MOMENT_S_MAX)
_duration = real(0, DURATION_S_MAX)
_short = text(SHORT_CHARS_MAX)
_words = text(WORDS_CHARS_MAX)
_field = text(FIELD_CHARS_MAX)
_pairs = listed(joint(_field, _field), PAIRS_MAX)
_branch, _app, _instance, _queue = map(name, ("branch", "app", "instance", "queue"))
_call_id = matching(re.compile(r"[0-9a-f]{32}\Z"), "32 hexadecimal digits")

# --- records and other items ---------------------------------------------------------------------


def _origin(plain: object) -> str:
    """Read who wrote something: a branch, or nobody before anything was written."""
    return "" if plain == "" else _branch(plain)


def _broker(plain: object) -> Broker:
    return Broker(_field(plain))


STAMP = Row(
    Stamp,
    time_ms=whole(0, MOMENT_S_MAX * 1000),
    counter=_count,
    origin=_origin,
)

SPEC = Row(
    WorkerSpec,
    broker=optional(_broker),
    result_backend=optional(_field),
    pool=optional(_field),
    min_concurrency=optional(_count),
    max_concurrency=optional(_count),
    arguments=optional(_field),
    extra_config=optional(_field),
    is_enabled=optional(truth),
    celery_app=optional(_field),
    workdir=optional(_field),
    python=optional(_field),
    env=optional(_pairs),
    labels=optional(_pairs),
)

APP = Row(
    App,
    name=_app,
    spec=SPEC.read,
    stamp=STAMP.read,
    version=_count,
    created_at=_moment,
    updated_at=_moment,
    deleted=truth,
)

QUEUE = Row(
    Queue,
    app=_app,
    name=_queue,
    exchange=optional(_field),
    exchange_type=optional(_field),
    routing_key=optional(_field),
    options=optional(_field),
    stamp=STAMP.read,
    version=_count,
    created_at=_moment,
    updated_at=_moment,
    deleted=truth,
)

INSTANCE = Row(
    Instance,
    name=_instance,
    app=_app,
    home=_branch,
    owner=_branch,
    epoch=_count,
    generation=_count,
    stamp=STAMP.read,
    version=_count,
    spec=SPEC.read,
    queues=listed(_queue, QUEUES_MAX),
    pinned=truth,
    created_at=_moment,
    updated_at=_moment,
    deleted=truth,
)

NEWS = Row(
    InstanceNews,
    instance=_instance,
    branch=_branch,
    epoch=_count,
    boot=_count,
    seq=_count,
    state=one_of(InstanceState),
    reason=_words,
    pids=listed(_count, PIDS_MAX),
    restarts=_count,
    since=_moment,
)


def _protocol(plain: object) -> tuple[int, int]:
    lowest, highest = joint(_octet, _octet)(plain)
    if lowest > highest:
        raise ProtocolError("must be the lowest version and the highest")
    return lowest, highest


PROFILE = Row(
    Profile,
    calls_at=endpoint,
    beats_at=endpoint,
    nonce=_short,
    protocol=_protocol,
    url=optional(_words),
    port=optional(whole(0, PORT_MAX)),
    loglevel=_short,
    logfile=optional(_words),
    numc=_count,
    sup_interval_s=_duration,
    instances_max=_count,
    version=_short,
    labels=listed(joint(_words, _words), PAIRS_MAX),
    drained=truth,
)

_STATEMENT = Row(
    Statement,
    branch=_branch,
    boot=_count,
    incarnation=_count,
    state=one_of(BranchState),
    by=_branch,
    profile=PROFILE.read,
)

#: Items are told apart by a letter, wherever they stand.
LETTERS: Mapping[str, Row[Item]] = {
    "a": APP,
    "q": QUEUE,
    "i": INSTANCE,
    "n": NEWS,
    "s": _STATEMENT,
}
ITEM = Choice(LETTERS)
STATEMENT = Choice({"s": _STATEMENT})

_KEY_PARTS: Mapping[object, Read[tuple[str, ...]]] = {
    "app": joint(_short, _app),
    "queue": joint(_short, _app, _queue),
    "instance": joint(_short, _instance),
    "news": joint(_short, _instance),
    "branch": joint(_short, _branch),
}


def _key(plain: object) -> Key:
    """Read the key of an item: its kind, and its name in one or two parts."""
    match plain:
        case [str(kind), *_] if kind in _KEY_PARTS:
            return _KEY_PARTS[kind](plain)
    raise ProtocolError("must be the key of an item")


# --- messages ------------------------------------------------------------------------------------

_SENDER = Row(Sender, branch=_branch, boot=_count, incarnation=_count)


def sender(plain: object) -> Sender:
    """Read who sends a message; the versions of the protocol that it speaks stand before it."""
    match plain:
        case [lowest, highest, *fields]:
            _check_versions(_octet(lowest), _octet(highest))
            return _SENDER.read(fields)
    raise ProtocolError("Sender must be a list")


def _check_versions(lowest: int, highest: int) -> None:
    if lowest > PROTOCOL[1] or highest < PROTOCOL[0]:
        raise ProtocolError(
            f"speaks the versions {lowest} to {highest} of the protocol, and this branch "
            f"{PROTOCOL[0]} to {PROTOCOL[1]}; upgrade the older of the two"
        )


RUMOUR = Row(Rumour, origin=_branch, boot=_count, number=_count, item=ITEM.read)

_statements = listed(STATEMENT.read, STATEMENTS_MAX)

#: The row of every message, by the byte that tells its kind.
MESSAGES: Mapping[bytes, Row[Message]] = {
    b"b": Row(Beat, sender=sender, head=_count, digest=_bits, lag_ms=_count),
    b"r": Row(Rumours, sender=sender, number=_count, rumours=listed(RUMOUR.read, RUMOURS_MAX)),
    b"h": Row(Hello, sender=sender, profile=PROFILE.read, checked=truth),
    b"w": Row(Welcome, sender=sender, admitted=truth, statements=_statements),
    b"p": Row(Ping, sender=sender, number=_count, target=_branch, about=optional(STATEMENT.read)),
    b"o": Row(Pong, sender=sender, number=_count, about=STATEMENT.read),
    b"q": Row(PingRequest, sender=sender, number=_count, about=STATEMENT.read),
    b"m": Row(Missed, sender=sender, first=_count, last=_count),
    b"d": Row(
        Digest,
        sender=sender,
        digest=_bits,
        ages_s=listed(joint(_branch, _duration), STATEMENTS_MAX),
    ),
    b"u": Row(Buckets, sender=sender, digests=listed(_bits, BUCKETS, BUCKETS)),
    b"s": Row(
        Summaries,
        sender=sender,
        buckets=listed(whole(0, BUCKETS - 1), BUCKETS),
        summaries=listed(joint(_key, _bits), SUMMARIES_MAX),
    ),
    b"i": Row(
        Items,
        sender=sender,
        items=listed(ITEM.read, ITEMS_MAX),
        wanted=listed(_key, SUMMARIES_MAX),
    ),
    b"c": Row(
        Call,
        sender=sender,
        id=_call_id,
        method=_short,
        arguments=octets,
        budget_s=_duration,
        hops=_octet,
        target=_branch,
        target_boot=_count,
    ),
    b"a": Row(Answer, sender=sender, id=_call_id, ok=truth, value=octets),
}


# --- how values of ours become plain ones --------------------------------------------------------


def plain(value: object) -> object:
    """Return a value that has a row as plain values; its fields may be values in turn.

    Raises:
        TypeError: It has none.
    """
    writer = _WRITERS.get(type(value))
    if writer is None:
        raise TypeError(f"{type(value).__name__} has no place in a message")
    return writer(value)


def _plain_sender(sender: Sender) -> object:
    return (*PROTOCOL, sender.branch, sender.boot, sender.incarnation)


def _lettered(letter: str) -> Callable[[Item], object]:
    row = LETTERS[letter]
    return lambda item: (letter, row.plain(item))


_WRITERS: Mapping[type, Callable[..., object]] = {
    Broker: attrgetter("url"),
    Sender: _plain_sender,
    **{row.cls: row.plain for row in (STAMP, SPEC, PROFILE, RUMOUR, *MESSAGES.values())},
    **{row.cls: _lettered(letter) for letter, row in LETTERS.items()},
}
