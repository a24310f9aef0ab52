"""Use cases of the cluster: which branches there are, and how they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cyme.core.branches import BranchInfo, BranchVitals, ClusterView
from cyme.core.model import BranchId, Instance
from cyme.errors import Conflict, DeadlineExceeded, NotFound, OwnerUnreachable, Unavailable
from cyme.runtime.service.ground import Ground, names_told
from cyme.runtime.service.remote import remote

#: Another branch is given so long to tell how it does, in seconds.
VITALS_TIMEOUT_S = 1.0


class Cluster(Ground):
    """The branches, as this one knows them."""

    @property
    def branch_id(self) -> BranchId:
        """This branch."""
        return self._replica.branch_id

    def cluster(self) -> ClusterView:
        """Return the cluster as this branch sees it."""
        return self._members.view()

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

    def count_owned(self, branch: str) -> int:
        """Return how many instances a branch owns, as far as is known here."""
        return self._replica.count_owned(branch)

    def vitals(self, branch: str, *, timeout_s: float = VITALS_TIMEOUT_S) -> BranchVitals | None:
        """Return how a branch does at this moment, None if it cannot be asked.

        Args:
            branch: Its id.
            timeout_s: How long it has to answer, in seconds, if it is another one.

        Raises:
            NotFound: There is none of that id.
        """
        try:
            return self._at(
                self.branch(branch).id,
                self.vitals_here,
                timeout_s=min(timeout_s, VITALS_TIMEOUT_S),
            )
        except (Unavailable, DeadlineExceeded):
            return None

    @remote(writes=False)
    def vitals_here(
        self,
        *,
        timeout_s: float,  # noqa: ARG002 - every call that may be forwarded has one
    ) -> BranchVitals:
        """Return how this branch does."""
        return BranchVitals(
            load=self._load(),
            hub_lag_s=self._hub_lag_s(),
            instances=self._replica.count_owned(self._replica.branch_id),
            as_of=self._clock.wall(),
            memory_bytes=self._memory_bytes(),
        )

    def is_fenced(self) -> bool:
        """Tell whether this branch waits to learn what it owns, and leaves its workers alone."""
        return not self._members.may_act()

    # --- what many of them do -------------------------------------------------------------------

    def _at_all_owners(
        self,
        instances: Sequence[Instance],
        perform: Callable[..., tuple[Instance, ...]],
        /,
        *,
        deadline: float,
        **arguments: object,
    ) -> frozenset[str]:
        """Have the other branches that own some of the instances perform a call for those.

        All of them must answer a question before the first is asked to do anything, so that a
        branch that is away leaves nothing half-done.

        Args:
            instances: The instances; those of this branch are left to the caller.
            perform: What performs it, a method that is marked as ``remote`` and takes ``names``.
            deadline: When it must be over, monotonic seconds.
            **arguments: Of the call.

        Returns:
            The names of the instances of other branches.

        Raises:
            OwnerUnreachable: A branch cannot be asked; nothing changed.
            CymeError: Whatever the call raises.
        """
        names: dict[BranchId, list[str]] = {}
        for instance in instances:
            if instance.owner != self._replica.branch_id:
                names.setdefault(instance.owner, []).append(instance.name)
        for owner in names:
            self._check_answers(owner, deadline)
        for owner, its_names in names.items():
            self._at(
                owner,
                perform,
                names=tuple(its_names),
                timeout_s=self._left_s(deadline),
                **arguments,
            )
        return frozenset(name for its_names in names.values() for name in its_names)

    def _check_answers(self, branch: BranchId, deadline: float) -> None:
        try:
            timeout_s = min(self._left_s(deadline), VITALS_TIMEOUT_S)
            self._at(branch, self.vitals_here, timeout_s=timeout_s)
        except DeadlineExceeded as exc:
            raise OwnerUnreachable(
                f"Branch {branch!r} does not answer, so nothing was changed. Try again."
            ) from exc

    def _check_all_mine(self, instances: Sequence[Instance]) -> None:
        """Check that no instance came to another branch while others were asked.

        Raises:
            Conflict: One did.
        """
        others = [i.name for i in instances if i.owner != self._replica.branch_id]
        if others:
            raise Conflict(
                f"These instances were changed on another branch at this moment: "
                f"{names_told(others)}. Try again."
            )
