"""Placement: which branch a new instance is created on.

The choice is random as far as the user can see, and a function of its seed: every branch that
knows the same candidates chooses the same one, so a request that is tried again lands where it
landed. Branches are weighted by their free capacity (weighted rendezvous hashing: Schindelhauer
and Schomaker, "Weighted distributed hash tables", 2005).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from cyme.core.model import BranchId
from cyme.errors import NotFound, TooLarge


@dataclass(frozen=True, slots=True)
class Candidate:
    """A branch that could take an instance.

    Attributes:
        branch: Its id.
        instances: How many instances it owns now.
        instances_max: How many it may own.
    """

    branch: BranchId
    instances: int
    instances_max: int

    @property
    def free(self) -> int:
        """How many more instances it can take."""
        return max(0, self.instances_max - self.instances)


def place(candidates: Sequence[Candidate], *, wanted: str | None, seed: str) -> BranchId:
    """Return the branch that a new instance is to be created on.

    Args:
        candidates: The living branches.
        wanted: The branch that the caller named, or None for any.
        seed: What the choice is a function of: the instance's name.

    Raises:
        NotFound: No living branch has the wanted name.
        TooLarge: The wanted branch, or every branch, is full.
    """
    able = [candidate for candidate in candidates if candidate.free > 0]
    if wanted is not None:
        named = [candidate for candidate in candidates if candidate.branch == wanted]
        if not named:
            raise NotFound("branch", wanted, "GET /branches/ lists those that are there.")
        able = [candidate for candidate in named if candidate.free > 0]
    if not able:
        raise TooLarge(_full(wanted, candidates))
    return max(able, key=lambda candidate: (_score(candidate, seed), candidate.branch)).branch


def _full(wanted: str | None, candidates: Sequence[Candidate]) -> str:
    if wanted is None:
        room = sum(candidate.instances_max for candidate in candidates)
        return (
            f"All branches are full ({room} instances). Delete instances, or start another branch."
        )
    return f"Branch {wanted!r} is full. Delete instances of it, or name another branch."


def _score(candidate: Candidate, seed: str) -> float:
    """Return ``-weight / ln(u)``, where ``u`` in (0, 1) is a hash of the seed and the branch."""
    mixed = blake2b(f"{seed}\0{candidate.branch}".encode(), digest_size=8).digest()
    # 52 bits and a half fit a float exactly, so that u is neither 0 nor 1.
    u = ((int.from_bytes(mixed, "big") >> 12) + 0.5) / 2.0**52
    return -candidate.free / math.log(u)
