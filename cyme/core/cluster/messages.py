"""What branches say to each other: one frozen value a message.

``Beat`` and ``Rumours`` are published to whoever listens; all others are sent to one branch.
Every message begins with its ``Sender``. Numbers are checked where bytes become messages
(``cyme.runtime.cluster.wire``); what they mean is checked by who takes them.
"""

from __future__ import annotations

from dataclasses import dataclass

from cyme.core.cluster.items import Item, Key
from cyme.core.cluster.members import Profile, Statement
from cyme.core.model import BranchId

#: Rumours in one message, and in one flush, at most.
RUMOURS_MAX = 200

#: Items or summaries of items in one message at most.
ITEMS_MAX = 200
SUMMARIES_MAX = 5_000

#: Branches that one answer tells of at most.
STATEMENTS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends a message.

    Attributes:
        branch: Its id.
        boot: Which of its lives.
        incarnation: What that life has come to.
    """

    branch: BranchId
    boot: int
    incarnation: int


@dataclass(frozen=True, slots=True)
class Rumour:
    """One piece of news on its way through the cluster.

    ``(origin, boot, number)`` names it, so that everybody passes it on once.
    """

    origin: BranchId
    boot: int
    number: int
    item: Item


# --- published -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """I am alive.

    Attributes:
        head: The number of my latest ``Rumours`` message, 0 before the first.
        digest: Of all that I know, 64 bits.
        lag_ms: By how much my hub was late lately.
    """

    sender: Sender
    head: int
    digest: int
    lag_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rumours:
    """News: my own, and that of others passed on.

    Attributes:
        number: Counts my messages of this kind, from 1; a gap tells that one was lost.
    """

    sender: Sender
    number: int
    rumours: tuple[Rumour, ...]


# --- joining -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """I am new here, or back: tell me who is there.

    Attributes:
        profile: Who I am.
        checked: Whether I made sure that no other branch of my id is alive.
    """

    sender: Sender
    profile: Profile
    checked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The answer to ``Hello``: who is there, myself among them.

    Attributes:
        admitted: Whether the newcomer is a member now; if not, the statements tell of the branch
            of its own id that it has to make sure of first.
    """

    sender: Sender
    admitted: bool
    statements: tuple[Statement, ...]


# --- detecting failures --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Are you there?

    Attributes:
        number: Comes back with the answer.
        target: Whom I mean; another branch at the same address does not answer.
        about: What I hold of the target, so that it can refute it; None if nothing is known.
    """

    sender: Sender
    number: int
    target: BranchId
    about: Statement | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """The target of a ping is there; said by itself, or by whom I asked to ping it.

    Attributes:
        about: The word of the target about itself.
    """

    sender: Sender
    number: int
    about: Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class PingRequest:
    """Ping the target for me, which does not answer me."""

    sender: Sender
    number: int
    about: Statement


# --- repair --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """I missed your messages from ``first`` to ``last``; send them again."""

    sender: Sender
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """All that I know comes to this digest. Whoever knows otherwise answers with ``Buckets``.

    Attributes:
        ages_s: For branches that I heard of: how long ago that was, in seconds.
    """

    sender: Sender
    digest: int
    ages_s: tuple[tuple[BranchId, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """The digests of my buckets. Whoever differs answers with ``Summaries`` of those that do."""

    sender: Sender
    digests: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summaries:
    """What I have in some buckets: every item's key and tag.

    Attributes:
        buckets: Which buckets are told of, each as a whole.
        summaries: What is in them.
    """

    sender: Sender
    buckets: tuple[int, ...]
    summaries: tuple[tuple[Key, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """Here is what you lack or have otherwise.

    Attributes:
        wanted: Keys of items that I lack or have otherwise; send me yours.
    """

    sender: Sender
    items: tuple[Item, ...]
    wanted: tuple[Key, ...] = ()


# --- calls ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Perform this for me.

    Attributes:
        id: Names the call however often it is tried: 32 hexadecimal digits.
        method: Which call of the service.
        arguments: Its arguments, encoded by ``cyme.runtime.cluster.encoding``.
        budget_s: How long I wait for the answer, in seconds.
        hops: How often it was passed on, from 0.
        target: Who is to perform it, and which life of that branch.
        target_boot: The life, 0 for any.
    """

    sender: Sender
    id: str
    method: str
    arguments: bytes
    budget_s: float
    hops: int
    target: BranchId
    target_boot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a call.

    Attributes:
        id: Of the call.
        ok: Whether ``value`` is what it returned; else it is the error that it raised.
        value: Encoded by ``cyme.runtime.cluster.encoding``.
    """

    sender: Sender
    id: str
    ok: bool
    value: bytes


Published = Beat | Rumours
Directed = (
    Hello
    | Welcome
    | Ping
    | Pong
    | PingRequest
    | Missed
    | Rumours
    | Digest
    | Buckets
    | Summaries
    | Items
    | Call
    | Answer
)
Message = Published | Directed
