"""A branch that knows of no other: the members port without a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cyme.core.branches import BranchInfo
from cyme.core.model import BranchId
from cyme.errors import OwnerUnreachable


class Alone:
    """The members of a cluster of one.

    Args:
        info: What there is to know of this branch.
    """

    def __init__(self, info: BranchInfo) -> None:
        self._info = info

    def ids(self) -> Sequence[BranchId]:
        """Return the one id."""
        return (self._info.id,)

    def info(self, branch: str) -> BranchInfo | None:
        """Return what is known of a branch: nothing, unless it is this one."""
        return self._info if branch == self._info.id else None

    def forward(
        self,
        branch: BranchId,
        call: str,
        arguments: Mapping[str, object],  # noqa: ARG002 - the port's signature
        *,
        timeout_s: float,  # noqa: ARG002 - the port's signature
    ) -> object:
        """Refuse: there is nobody to ask.

        Raises:
            OwnerUnreachable: Always.
        """
        raise OwnerUnreachable(
            f"Branch {branch!r} owns this and cannot be asked to {call.replace('_', ' ')}: this "
            f"branch, {self._info.id!r}, knows no other. Ask {branch!r} itself, or start it."
        )
