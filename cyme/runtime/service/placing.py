"""Which branch an instance goes to."""

from __future__ import annotations

from collections.abc import Iterable

from cyme.core.branches import BranchInfo, BranchState
from cyme.core.labels import Labels
from cyme.core.model import App, BranchId, WorkerSpec
from cyme.core.placement import Candidate, place
from cyme.errors import Conflict
from cyme.runtime.service.apps import Apps


class Placing(Apps):
    """Placement: which branches there are to choose from, and the choice."""

    def _place(
        self, name: str, labels: Labels, *, wanted: str | None, without: Iterable[str] = ()
    ) -> BranchId:
        """Return the branch that an instance is to be on.

        Args:
            name: The instance.
            labels: What the branch must be labelled with.
            wanted: The branch that the caller named, None for any.
            without: Branches that it must not be.

        Raises:
            NotFound: There is no branch of the wanted name.
            Conflict: The wanted branch is not alive, or no branch is as it must be.
            TooLarge: The wanted branch, or each that it might be, is full.
        """
        if wanted is not None and not self._is_there(info := self.branch(wanted)):
            raise Conflict(
                f"Branch {wanted!r} is not alive, but {info.state}. Name another, or none."
            )
        left_out = frozenset(without)
        candidates = [each for each in self._candidates() if each.branch not in left_out]
        if not candidates:
            raise Conflict("There is no other living branch that it could be on. Start one.")
        return place(candidates, wanted=wanted, labels=labels, seed=name)

    def _candidates(self) -> list[Candidate]:
        """Return the living branches as they may be chosen from."""
        infos = [info for id_ in self._members.ids() if (info := self._members.info(id_))]
        return [
            Candidate(
                branch=info.id,
                instances=self._count_bound(info.id),
                instances_max=info.instances_max,
                labels=info.labels,
                drained=info.drained,
            )
            for info in infos
            if self._is_there(info)
        ]

    def _is_there(self, info: BranchInfo) -> bool:
        """Tell whether a branch may be chosen."""
        return info.state is BranchState.ALIVE

    def _count_bound(self, branch: BranchId) -> int:
        """Return how many instances a branch owns or, if it is this one, is taking over."""
        owned = self._replica.count_owned(branch)
        return owned + len(self._taking) if branch == self._replica.branch_id else owned


def labels_of(spec: WorkerSpec, app: App | None) -> Labels:
    """Return what a branch must be labelled with to run an instance of that spec in the app."""
    return (spec.over(app.spec) if app is not None else spec).labels or ()
