"""Placement: which branch an instance goes to.

The place of a new instance is random as far as the user can see, and a function of its seed:
every branch that knows the same candidates chooses the same one, so a request that is tried again
lands where it landed. Branches are weighted by their free capacity (weighted rendezvous hashing:
Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005).

An instance goes to branches only that have all of its labels and are not drained.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from cyme.core.labels import Labels, labels_told
from cyme.core.model import BranchId, Instance, InstanceName
from cyme.errors import Conflict, NotFound, TooLarge


@dataclass(frozen=True, slots=True)
class Candidate:
    """A branch that could take an instance.

    Attributes:
        branch: Its id.
        instances: How many instances it owns now.
        instances_max: How many it may own.
        labels: Its labels, sorted pairs of key and value.
        drained: Whether it takes no instances (any more).
    """

    branch: BranchId
    instances: int
    instances_max: int
    labels: Labels = ()
    drained: bool = False

    @property
    def free(self) -> int:
        """How many more instances it can take."""
        return max(0, self.instances_max - self.instances)

    def fullness(self, more: int = 0) -> float:
        """Return the fraction of its capacity that is used, with so many instances more.

        It is over 1 where there are more than there may be.
        """
        instances = self.instances + more
        return instances / self.instances_max if self.instances_max else math.inf

    def with_more(self, more: int) -> Candidate:
        """Return the branch as it is with so many instances more."""
        return replace(self, instances=self.instances + more)

    def lacks(self, labels: Labels) -> Labels:
        """Return which of the labels it does not have, or has with another value."""
        return tuple(label for label in labels if label not in self.labels)

    def suits(self, labels: Labels) -> bool:
        """Tell whether instances with these labels may come to it, if there is room."""
        return not self.drained and not self.lacks(labels)


def place(
    candidates: Sequence[Candidate], *, wanted: str | None, labels: Labels = (), seed: str
) -> BranchId:
    """Return the branch that an instance is to be on.

    Args:
        candidates: The living branches.
        wanted: The branch that the caller named, or None for any.
        labels: What the branch must be labelled with.
        seed: What the choice is a function of: the instance's name.

    Raises:
        NotFound: No living branch has the wanted name.
        Conflict: The wanted branch, or every branch, lacks a label or is drained.
        TooLarge: The wanted branch, or every branch that it might be, is full.
    """
    if wanted is not None:
        candidates = [candidate for candidate in candidates if candidate.branch == wanted]
        if not candidates:
            raise NotFound("branch", wanted, "GET /branches/ lists those that are there.")
    able = [each for each in candidates if each.suits(labels) and each.free > 0]
    if not able:
        raise _refusal(candidates, wanted, labels)
    return max(able, key=lambda candidate: (_score(candidate, seed), candidate.branch)).branch


def _refusal(
    candidates: Sequence[Candidate], wanted: str | None, labels: Labels
) -> Conflict | TooLarge:
    """Return why none of the candidates can take an instance."""
    labelled = [candidate for candidate in candidates if not candidate.lacks(labels)]
    if labels and not labelled:
        return Conflict(_unlabelled(candidates, wanted, labels))
    suiting = [candidate for candidate in labelled if not candidate.drained]
    if labelled and not suiting:
        return Conflict(_drained(wanted, labels))
    return TooLarge(_full(suiting, wanted, labels))


def _unlabelled(candidates: Sequence[Candidate], wanted: str | None, labels: Labels) -> str:
    missing = [label for label in labels if all(c.lacks((label,)) for c in candidates)]
    if wanted is not None:
        return (
            f"Branch {wanted!r} lacks {_labels(missing)}, which the instance needs. Name another "
            "branch, or none."
        )
    if missing:
        return (
            f"No living branch that it could go to has {_labels(missing)}, which the instance "
            "needs. Start one with it, or change the labels of the instance or its app."
        )
    return (
        f"No living branch that it could go to has {_labels(labels)} together, which the instance "
        "needs. Start one with all of them, or change the labels of the instance or its app."
    )


def _drained(wanted: str | None, labels: Labels) -> str:
    if wanted is not None:
        return f"Branch {wanted!r} is drained and takes no instances. Name another, or none."
    return (
        f"{_all_branches(labels)} are drained and take no instances. Have one take instances "
        "again, or start another branch."
    )


def _full(suiting: Sequence[Candidate], wanted: str | None, labels: Labels) -> str:
    if wanted is not None:
        return f"Branch {wanted!r} is full. Delete instances of it, or name another branch."
    room = sum(candidate.instances_max for candidate in suiting)
    return (
        f"{_all_branches(labels)} are full ({room} instances). Delete instances, or start "
        "another branch."
    )


def _all_branches(labels: Labels) -> str:
    return f"All branches with {_labels(labels)}" if labels else "All branches"


def _labels(labels: Sequence[tuple[str, str]]) -> str:
    return f"the label{'s' if len(labels) > 1 else ''} {labels_told(labels)}"


def _score(candidate: Candidate, seed: str) -> float:
    """Return ``-weight / ln(u)``, where ``u`` in (0, 1) is a hash of the seed and the branch."""
    mixed = blake2b(f"{seed}\0{candidate.branch}".encode(), digest_size=8).digest()
    # 52 bits and a half fit a float exactly, so that u is neither 0 nor 1.
    u = ((int.from_bytes(mixed, "big") >> 12) + 0.5) / 2.0**52
    return -candidate.free / math.log(u)


# --- moving what is placed already --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Move:
    """An instance that is to go to another branch.

    Attributes:
        instance: Its name.
        source: The branch that owns it.
        target: The branch that is to own it, None if there is none.
        reason: Why there is none.
    """

    instance: InstanceName
    source: BranchId
    target: BranchId | None
    reason: str = ""


def rebalance(
    instances: Sequence[Instance], candidates: Sequence[Candidate], moves_max: int
) -> list[Move]:
    """Return moves after which the branches are about equally full, in order.

    An instance moves while that leaves its new branch less full than the one that it leaves was,
    by the fraction of the capacity that is used; so the branches differ by one instance's worth at
    the end. Whoever is fullest gives, and whoever is emptiest takes, so no move is in vain.
    Pinned instances stay, and drained branches neither give nor take.

    Args:
        instances: Those of the cluster, each with its effective spec.
        candidates: The living branches.
        moves_max: So many moves at most, 0 or more.
    """
    branches = {each.branch: each for each in candidates if not each.drained}
    movable: dict[BranchId, dict[Labels, deque[InstanceName]]] = {}
    for instance in sorted(instances, key=lambda instance: instance.name):
        if not (instance.pinned or instance.deleted) and instance.owner in branches:
            by_labels = movable.setdefault(instance.owner, {})
            by_labels.setdefault(instance.spec.labels or (), deque()).append(instance.name)
    moves: list[Move] = []
    while len(moves) < moves_max and (found := _next_move(branches, movable)) is not None:
        source, target, labels = found
        name = movable[source][labels].popleft()
        branches[source] = branches[source].with_more(-1)
        branches[target] = branches[target].with_more(1)
        moves.append(Move(name, source, target))
    return moves


def _next_move(
    branches: Mapping[BranchId, Candidate],
    movable: Mapping[BranchId, Mapping[Labels, Collection[InstanceName]]],
) -> tuple[BranchId, BranchId, Labels] | None:
    """Return who gives, who takes, and the labels of what goes; None if all is even."""
    givers = sorted(movable, key=lambda branch: (-branches[branch].fullness(), branch))
    takers = sorted(
        (each for each in branches.values() if each.free > 0),
        key=lambda each: (each.fullness(1), each.branch),
    )
    for giver in givers:
        for taker in takers:
            if taker.fullness(1) >= branches[giver].fullness():
                break
            for labels, names in movable[giver].items():
                if names and taker.suits(labels):
                    return giver, taker.branch, labels
    return None


def evacuate(instances: Sequence[Instance], candidates: Sequence[Candidate]) -> list[Move]:
    """Return where the instances of a branch go that is to own none, sorted by name.

    Each goes to the branch that is emptiest with it; those that suit the fewest branches choose
    first. What can go nowhere has no target but a reason.

    Args:
        instances: Those of the branch, each with its effective spec.
        candidates: The living branches; one that owns any of the instances takes none.
    """
    sources = {instance.owner for instance in instances}
    others = {each.branch: each for each in candidates if each.branch not in sources}

    def choices(instance: Instance) -> int:
        return sum(each.suits(instance.spec.labels or ()) for each in others.values())

    moves = []
    for instance in sorted(instances, key=lambda each: (choices(each), each.name)):
        target, reason = None, _why_it_stays(instance, list(others.values()))
        if not reason:
            target = _emptiest(list(others.values()), instance.spec.labels or ())
            others[target] = others[target].with_more(1)
        moves.append(Move(instance.name, instance.owner, target, reason))
    return sorted(moves, key=lambda move: move.instance)


def _emptiest(candidates: Sequence[Candidate], labels: Labels) -> BranchId:
    """Return the branch that is emptiest with one more instance that has these labels."""
    suiting = [each for each in candidates if each.suits(labels)]
    return min(suiting, key=lambda each: (each.fullness(1), each.branch)).branch


def _why_it_stays(instance: Instance, others: Sequence[Candidate]) -> str:
    """Return why no other branch takes an instance, in words; nothing if one does."""
    labels = instance.spec.labels or ()
    labelled = [candidate for candidate in others if not candidate.lacks(labels)]
    suiting = [candidate for candidate in labelled if not candidate.drained]
    if instance.pinned:
        return f"it is pinned to branch {instance.home!r}"
    if not others:
        return "there is no other living branch"
    if not labelled:
        return f"no other living branch has {_labels(labels)}"
    if not suiting:
        return "all other branches that it suits are drained"
    if not any(candidate.free for candidate in suiting):
        return "all other branches that it suits are full"
    return ""
