"""Who may claim the instances of a branch that is gone, and after how long.

Every branch works the order of the candidates out for itself, by the rendezvous hash of the
instance and the branch (Thaler and Ravishankar, "Using name-based mappings to increase hit
rates", 1998): those who know the same members agree without a word, and a branch more or less
changes the order of no others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from cyme.core.branches import BranchState
from cyme.core.cluster.grounds import TAKING, OwnershipPolicy, View
from cyme.core.cluster.members import Statement
from cyme.core.model import App, BranchId, Instance

Labels = tuple[tuple[str, str], ...]

#: Candidates for instances of the same labels, sorted; the values mean nothing.
Group = Mapping[BranchId, None]

#: So many hashes are worked out at one look at most; the rest has time until the next.
HASHES_MAX = 20_000


class Succession:
    """The order in which branches may claim, and the grace that they give.

    Args:
        policy: The patience of take-over.
    """

    def __init__(self, policy: OwnershipPolicy) -> None:
        self._policy = policy
        self._most_failed = False
        self._able: tuple[tuple[BranchId, frozenset[tuple[str, str]]], ...] = ()
        self._groups: dict[Labels, Group] = {}
        self._ranks: dict[str, tuple[Group, int]] = {}
        self._asked: dict[str, tuple[Group, int]] = {}
        self._hashes_left = 0

    def look(self, view: View) -> None:
        """Take in the members as they are now; ranks that nobody asked for are forgotten."""
        statements = view.statements()
        self._most_failed = _most_failed(view, statements)
        able = tuple(
            (said.branch, frozenset(said.profile.labels))
            for said in statements
            if said.state in TAKING
            and not said.profile.drained
            and view.owned(said.branch) < said.profile.instances_max
        )
        if able != self._able:
            self._able = able
            self._groups = {}
        self._ranks, self._asked = self._asked, {}
        self._hashes_left = HASHES_MAX

    def grace_s(self, state: BranchState | None) -> float | None:
        """Return how long the instances of a branch in that state are left to it.

        Returns:
            Seconds, None if they are not to be claimed.
        """
        match state:
            case _ if self._policy.takeover_s is None:
                return None
            case BranchState.FAILED | None:
                return self._policy.takeover_s * (
                    self._policy.majority_factor if self._most_failed else 1.0
                )
            case BranchState.LEFT:
                return self._policy.leave_s
        return None

    def rank(self, branch: BranchId, instance: Instance, app: App) -> int | None:
        """Return how many candidates come before a branch.

        Returns:
            From 0; None if it is no candidate, or for want of time until the next look.
        """
        group = self._group(_labels(instance, app))
        known = self._ranks.get(instance.name)
        # Groups are made once for all who have the same candidates, so identity is enough.
        if known is None or known[0] is not group:
            if branch not in group or self._hashes_left < len(group):
                return None
            self._hashes_left -= len(group)
            mine = _score(instance.name, branch)
            known = group, sum(_score(instance.name, other) > mine for other in group)
        self._asked[instance.name] = known
        return known[1]

    def _group(self, labels: Labels) -> Group:
        """Return the candidates that carry all the labels."""
        if labels not in self._groups:
            self._groups[labels] = dict.fromkeys(
                branch for branch, theirs in self._able if theirs.issuperset(labels)
            )
        return self._groups[labels]


def _most_failed(view: View, statements: Sequence[Statement]) -> bool:
    """Tell whether more than half of the members are failed.

    A branch that owns instances and is known to nobody counts among them: after a power cut the
    first branch that is up would hold the cluster to be itself otherwise.
    """
    states = [said.state for said in statements if said.state is not BranchState.LEFT]
    unknown = sum(view.state(owner) is None for owner in view.owners())
    return 2 * (states.count(BranchState.FAILED) + unknown) > len(states) + unknown


def _labels(instance: Instance, app: App) -> Labels:
    own = instance.spec.labels
    return (app.spec.labels if own is None else own) or ()


def _score(name: str, branch: BranchId) -> tuple[bytes, BranchId]:
    return blake2b(f"{name}\0{branch}".encode(), digest_size=8).digest(), branch
