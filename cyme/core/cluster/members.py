"""What is known of a branch of the cluster, and which word about it counts.

A branch is described by its own ``Profile`` and by ``Statement``s that anybody may make about
it. The rule of SWIM (Das, Gupta and Motivala, 2002) orders them: a later life of the branch
counts more than an earlier one, a higher incarnation more than a lower, and within one
incarnation the graver word more than the milder. Only the branch itself raises its incarnation,
which is how it refutes what others say.
"""

from __future__ import annotations

from dataclasses import dataclass

from cyme.core.branches import INSTANCES_MAX, BranchState
from cyme.core.model import BranchId

#: Versions of the protocol that this program speaks, the lowest and the highest.
PROTOCOL = (1, 1)

#: How grave a word is. A branch says of itself that it is alive, leaving or gone.
GRAVITY = {
    BranchState.ALIVE: 0,
    BranchState.LEAVING: 1,
    BranchState.SUSPECT: 2,
    BranchState.FAILED: 3,
    BranchState.LEFT: 4,
}

#: States in which a branch takes part: it is listened to and may be asked.
PRESENT = frozenset({BranchState.ALIVE, BranchState.SUSPECT, BranchState.LEAVING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a branch says of itself; changes only with its incarnation.

    Attributes:
        calls_at: The endpoint of its ROUTER socket, ``tcp://host:port``.
        beats_at: The endpoint of its PUB socket.
        nonce: Chance drawn at its start: tells two branches of one id and one boot apart.
        protocol: The lowest and the highest version of the protocol that it speaks.
        url: Where its HTTP API answers, or None.
        port: The port of that, or None.
        loglevel: What it logs.
        logfile: Where it logs to, or None for its standard error.
        numc: The value of ``--numc``.
        sup_interval_s: Seconds between two surveys of its workers.
        instances_max: Its capacity: how many instances it runs at most.
        version: The version of Cyme.
        labels: Its labels, sorted pairs of key and value.
        drained: Whether it takes no instances (any more).
    """

    calls_at: str
    beats_at: str
    nonce: str = ""
    protocol: tuple[int, int] = PROTOCOL
    url: str | None = None
    port: int | None = None
    loglevel: str = "INFO"
    logfile: str | None = None
    numc: int = 2
    sup_interval_s: float = 10.0
    instances_max: int = INSTANCES_MAX
    version: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    drained: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A word about a branch.

    Attributes:
        branch: Of whom it is.
        boot: The life of that branch that it is about: how often it was started, from 1.
        incarnation: How often that life has spoken of itself, from 0.
        state: What is said.
        by: Who says it.
        profile: The branch as it describes itself; known to whoever knows the branch.
    """

    branch: BranchId
    boot: int
    incarnation: int
    state: BranchState
    by: BranchId
    profile: Profile

    @property
    def order(self) -> tuple[int, int, int, str]:
        """What two statements about one branch are compared by; the greater counts."""
        return (self.boot, self.incarnation, GRAVITY[self.state], self.profile.nonce)

    @property
    def life(self) -> tuple[int, str]:
        """What tells this life of the branch from every other."""
        return (self.boot, self.profile.nonce)
