"""What ownership is decided by: the instances as a node knows them, by name and by owner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cyme.core.branches import BranchState
from cyme.core.cluster.digests import Table
from cyme.core.cluster.members import Profile, Statement
from cyme.core.model import App, BranchId, Instance, Record


class Known(Protocol):
    """What the view needs of the node."""

    @property
    def me(self) -> BranchId:
        """The id of this branch."""

    @property
    def profile(self) -> Profile:
        """What this branch says of itself."""

    @property
    def fenced(self) -> bool:
        """Whether this branch may not act."""

    @property
    def joined_at(self) -> float | None:
        """Since when it may, None while it may not."""

    def state(self, branch: str) -> BranchState | None:
        """Return what a branch is held to be."""

    def state_since(self, branch: str) -> float:
        """Return since when that is so."""

    def statements(self) -> Sequence[Statement]:
        """Return the latest word about every branch."""


class NodeView:
    """Fulfils ``cyme.core.cluster.grounds.View``.

    Args:
        node: What is known of branches.
        table: What is known of records.
    """

    def __init__(self, node: Known, table: Table) -> None:
        self._node = node
        self._table = table
        self._instances: dict[str, Instance] = {}
        self._arrived: dict[str, float] = {}
        self._owned: dict[BranchId, set[str]] = {}
        self._away: dict[BranchId, set[str]] = {}

    def note(self, now: float, before: Record | None, after: Record) -> None:
        """Take note of a record that is new or changed."""
        if not isinstance(after, Instance):
            return
        known = before if isinstance(before, Instance) else None
        if known is not None:
            _drop(self._owned, known.owner, known.name)
            _drop(self._away, known.home, known.name)
        if known is None or known.owner != after.owner:
            self._arrived[after.name] = now
        self._instances[after.name] = after
        if not after.deleted:
            self._owned.setdefault(after.owner, set()).add(after.name)
            if after.home != after.owner:
                self._away.setdefault(after.home, set()).add(after.name)

    def forget(self, record: Record) -> None:
        """Forget a tombstone."""
        if isinstance(record, Instance):
            self._instances.pop(record.name, None)
            self._arrived.pop(record.name, None)

    @property
    def me(self) -> BranchId:
        """This branch."""
        return self._node.me

    @property
    def profile(self) -> Profile:
        """What this branch says of itself."""
        return self._node.profile

    @property
    def fenced(self) -> bool:
        """Whether this branch may not act on what it owned before."""
        return self._node.fenced

    @property
    def joined_at(self) -> float | None:
        """When this branch was last not fenced first, None while it is."""
        return self._node.joined_at

    def instance(self, name: str) -> Instance | None:
        """Return an instance's record, tombstones included."""
        return self._instances.get(name)

    def owners(self) -> Sequence[BranchId]:
        """Return the branches that own living instances, sorted."""
        return sorted(self._owned)

    def owned_by(self, branch: str) -> Sequence[Instance]:
        """Return the living instances of a branch, sorted by name."""
        return [self._instances[name] for name in sorted(self._owned.get(BranchId(branch), ()))]

    def owned(self, branch: str) -> int:
        """Return how many living instances a branch owns."""
        return len(self._owned.get(BranchId(branch), ()))

    def away_from(self, home: str) -> Sequence[Instance]:
        """Return the living instances of a home that another branch owns, sorted by name."""
        return [self._instances[name] for name in sorted(self._away.get(BranchId(home), ()))]

    def arrived_at(self, name: str) -> float:
        """Return when the owner of an instance was last learnt here (monotonic seconds)."""
        return self._arrived.get(name, 0.0)

    def state(self, branch: str) -> BranchState | None:
        """Return what a branch is held to be, None if nobody knows it (any more)."""
        return self._node.state(branch)

    def state_since(self, branch: str) -> float:
        """Return since when that is so (monotonic seconds)."""
        return self._node.state_since(branch)

    def statements(self) -> Sequence[Statement]:
        """Return the latest word about every branch, this one among them, sorted by id."""
        return self._node.statements()

    def app(self, name: str) -> App | None:
        """Return an app, None if it is not known here or deleted."""
        app = self._table.get(("app", name))
        return app if isinstance(app, App) and not app.deleted else None


def _drop(names: dict[BranchId, set[str]], key: BranchId, name: str) -> None:
    """Remove a name from an index, and its set where that becomes empty."""
    if key in names:
        names[key].discard(name)
        if not names[key]:
            del names[key]
