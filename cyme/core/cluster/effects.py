"""What a node asks of whoever drives it, to be performed in the order given.

Laws:

* ``Write`` comes before every word that depends on it: the driver makes the record durable and
  says so with ``Node.on_applied``; only then does the node publish it.
* Whatever an effect comes to is told to the node as an input of its own; none returns anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cyme.core.cluster.messages import Directed, Published
from cyme.core.model import Instance, Record

#: Names the connection that a message came by, for an answer; means nothing to the node.
Link = bytes


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish a message to all who listen."""

    message: Published


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message to the ROUTER socket at an endpoint."""

    endpoint: str
    message: Directed


@dataclass(frozen=True, slots=True)
class Reply:
    """Send a message back by the connection that one came by."""

    link: Link
    message: Directed


@dataclass(frozen=True, slots=True)
class Listen:
    """Listen to the PUB sockets at these endpoints, and to no others."""

    endpoints: frozenset[str]


@dataclass(frozen=True, slots=True)
class Absorb:
    """Make records of others durable and apply them; ``Node.on_applied`` follows."""

    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """Make a change of ownership durable and apply it; ``Node.on_applied`` follows.

    If it cannot be written ``Node.on_not_written`` follows.
    """

    instance: Instance


@dataclass(frozen=True, slots=True)
class Examine:
    """Find out whether this branch may run an instance; ``Node.on_examined`` follows.

    The broker is asked whether the owner's worker answers, and this machine whether it has what
    the worker needs.
    """

    instance: Instance


@dataclass(frozen=True, slots=True)
class Prepare:
    """Run the worker of an instance that another branch owns; ``Node.on_prepared`` follows.

    A worker that runs already is taken over.
    """

    instance: Instance


@dataclass(frozen=True, slots=True)
class Abandon:
    """Stop a worker that was prepared; the instance is not going to be ours."""

    instance: Instance


@dataclass(frozen=True, slots=True)
class Settle:
    """A call of this branch came to an end: its answer, or why there is none.

    Attributes:
        call: The id of the call.
        ok: Whether ``value`` is what it returned.
        value: What it returned, or the error that it raised; None if nobody answered.
        why: Why nobody did, in words for the caller.
        in_doubt: Whether it may have had an effect although nobody answered.
    """

    call: str
    ok: bool
    value: bytes | None
    why: str = ""
    in_doubt: bool = False


@dataclass(frozen=True, slots=True)
class Perform:
    """Another branch calls; ``Node.on_performed`` follows with what it came to.

    Attributes:
        call: The id of the call.
        method: Which call of the service.
        arguments: Its arguments, encoded.
        deadline: When nobody waits any more (monotonic seconds).
        origin: Who calls.
        hops: How often it was passed on.
    """

    call: str
    method: str
    arguments: bytes
    deadline: float
    origin: str
    hops: int


@dataclass(frozen=True, slots=True)
class Tell:
    """An event for the journal: what happened to a branch or an instance, and why."""

    kind: str
    reason: str
    instance: str | None = None
    app: str | None = None
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Halt:
    """End the branch: another one of its id has its place. The reason names both addresses."""

    reason: str


@dataclass(frozen=True, slots=True)
class Remember:
    """The set of known branches changed: keep their addresses for the next start."""

    endpoints: tuple[str, ...]


Effect = (
    Publish
    | Send
    | Reply
    | Listen
    | Absorb
    | Write
    | Examine
    | Prepare
    | Abandon
    | Settle
    | Perform
    | Tell
    | Halt
    | Remember
)
