"""What ownership is decided by: the instances as a node knows them, by name and by owner."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from cyme.core.branches import BranchState
from cyme.core.cluster.digests import Table
from cyme.core.cluster.members import Statement
from cyme.core.model import App, BranchId, Instance, Record


class Known(Protocol):
    """What the view needs of the node."""

    @property
    def me(self) -> BranchId:
        """The id of this branch."""

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
    """Fulfils ``cyme.core.cluster.ownership.View``.

    Args:
        node: What is known of branches.
        table: What is known of records.
    """

    def __init__(self, node: Known, table: Table) -> None:
        self._node = node
        self._table = table
        self._instances: dict[str, Instance] = {}
        self._arrived: dict[str, float] = {}
        self._owned: dict[str, set[str]] = {}

    def note(self, now: float, before: Record | None, after: Record) -> None:
        """Take note of a record that is new or changed."""
        if not isinstance(after, Instance):
            return
        if isinstance(before, Instance):
            self._owned.get(before.owner, set()).discard(before.name)
        if not isinstance(before, Instance) or before.owner != after.owner:
            self._arrived[after.name] = now
        self._instances[after.name] = after
        if not after.deleted:
            self._owned.setdefault(after.owner, set()).add(after.name)

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

    def instances(self) -> Iterable[Instance]:
        """Return the records of all instances, tombstones included."""
        return self._instances.values()

    def owned_by(self, branch: str) -> Sequence[Instance]:
        """Return the living instances of a branch, sorted by name."""
        return [self._instances[name] for name in sorted(self._owned.get(branch, ()))]

    def arrived_at(self, name: str) -> float:
        """Return when the owner of an instance was last learnt here (monotonic seconds)."""
        return self._arrived.get(name, 0.0)

    def owned(self, branch: str) -> int:
        """Return how many living instances a branch owns."""
        return len(self._owned.get(branch, ()))

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

    def has_app(self, name: str) -> bool:
        """Tell whether the app is known here and not deleted."""
        return self.app(name) is not None
