"""The façade: all use cases of a branch, and the life of its asynchronous writes."""

from __future__ import annotations

from collections.abc import Callable

from cyme.core.branches import BranchInfo
from cyme.core.events import Event
from cyme.errors import NotFound
from cyme.runtime.service.scaling import Scaling
from cyme.runtime.service.tasks import Tasks


class Service(Scaling, Tasks):
    """Everything that a branch does for those who ask; arguments as for ``Ground``."""

    def stop(self, timeout_s: float) -> None:
        """Wait for asynchronous writes that are under way, at most ``timeout_s`` seconds."""
        self._later.stop(timeout_s)

    def later(self, write: Callable[[], None]) -> None:
        """Run a write soon, in a greenlet of its own; its failure is logged.

        Raises:
            Overloaded: Too many such writes are under way.
        """
        self._later.run(write)

    def branch_ids(self) -> list[str]:
        """Return the ids of all branches, sorted."""
        return sorted(self._members.ids())

    def branch(self, branch: str) -> BranchInfo:
        """Return what is known of a branch.

        Raises:
            NotFound: There is none of that id.
        """
        info = self._members.info(branch)
        if info is None:
            raise NotFound("branch", branch, "GET /branches/ lists those that are there.")
        return info

    def history(self, app: str | None, instance: str) -> list[Event]:
        """Return what happened to an instance lately, the oldest first, also to a deleted one.

        Raises:
            NotFound: There is none of that name, or it belongs to another app.
        """
        record = self._replica.instance_or_tombstone(instance)
        if record is None or app not in (None, record.app):
            record = self.instance(instance, app)
        return self._journal.of_instance(record.name)

    def ready(self) -> list[str]:
        """Return why this branch should not be sent requests; nothing when it should."""
        reasons = []
        if not self._replica.loaded:
            reasons.append("the records are not read yet")
        fault = self._replica.storage_fault()
        if fault is not None:
            reasons.append(f"the database does not take writes: {fault}")
        return reasons
