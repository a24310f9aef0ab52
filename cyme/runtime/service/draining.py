"""Use cases that move many instances: emptying a branch, and evening out the cluster."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from gevent.pool import Pool

from cyme.core.access import Caller, Role, require
from cyme.core.model import Instance
from cyme.core.placement import Move, evacuate, rebalance
from cyme.errors import Conflict, CymeError
from cyme.runtime.service.moves import Moves
from cyme.runtime.service.remote import remote

logger = logging.getLogger(__name__)

#: So many instances leave a drained branch at the same time.
DRAINED_AT_ONCE = 4

#: So many instances move at the same time to even out the cluster.
REBALANCED_AT_ONCE = 2

#: One move is given so long, in seconds: a worker may start slowly.
MOVE_TIMEOUT_S = 120.0

#: What could not leave a drained branch is tried again after so long, in seconds; a branch that
#: is about to stop has less patience.
DRAIN_RETRY_S = 15.0
LAST_RETRY_S = 1.0

#: So many instances move at most to even out the cluster once.
REBALANCED_MAX = 1000


class Draining(Moves):
    """Emptying branches and evening out the cluster; both go on in the background."""

    # --- draining -------------------------------------------------------------------------------

    def drain_branch(self, branch: str, *, caller: Caller, timeout_s: float) -> tuple[Move, ...]:
        """Have a branch take no instances any more, and move those that it has.

        The moves are made in the background, and tried again while it stays drained.

        Args:
            branch: The branch.
            caller: Who asks.
            timeout_s: How long it may take to begin, in seconds.

        Returns:
            Where each of its instances is going to move, or why it has nowhere to go.

        Raises:
            NotFound: There is no such branch.
            Forbidden: The caller may not do this.
            OwnerUnreachable: The branch cannot be asked.
        """
        require(caller, Role.OPERATOR, "drain branches")
        id_ = self.branch(branch).id
        return self._at(id_, self.drain_here, caller=caller, timeout_s=timeout_s)

    @remote(writes=True)
    def drain_here(
        self,
        *,
        caller: Caller,
        timeout_s: float,  # noqa: ARG002 - every call that may be forwarded has one
    ) -> tuple[Move, ...]:
        """Drain this branch; as ``drain_branch``."""
        if not self._is_drained():
            self._members.drain(True)
            self._tell_branch("branch.drained", caller, "drained")
        moves = self._evacuation()
        self._empty_later(caller)
        return tuple(moves)

    def undrain_branch(self, branch: str, *, caller: Caller, timeout_s: float) -> None:
        """Have a drained branch take instances again; arguments and errors as for draining."""
        require(caller, Role.OPERATOR, "drain branches")
        id_ = self.branch(branch).id
        self._at(id_, self.undrain_here, caller=caller, timeout_s=timeout_s)

    @remote(writes=True)
    def undrain_here(
        self,
        *,
        caller: Caller,
        timeout_s: float,  # noqa: ARG002 - every call that may be forwarded has one
    ) -> None:
        """Have this branch take instances again."""
        if self._is_drained():
            self._members.drain(False)
            self._drain_changed.set()
            self._tell_branch("branch.undrained", caller, "to take instances again, as asked")

    def resume_draining(self) -> None:
        """Go on emptying this branch if it was drained before it was stopped."""
        if self._is_drained() and self._replica.instances_owned():
            self._empty_later(Caller(Role.OPERATOR, "restart"))

    def drain_and_wait(self, timeout_s: float) -> dict[str, str]:
        """Hand over the instances of this branch, as it is about to stop.

        It takes none meanwhile. It is not remembered, so that it takes some when it is back.

        Args:
            timeout_s: How long it may take, in seconds.

        Returns:
            The names of the instances that are still its own, sorted, each with the reason.
        """
        deadline = self._deadline(timeout_s)
        mine: list[str] = [instance.name for instance in self._replica.instances_owned()]
        caller = Caller(Role.OPERATOR, "stop")
        is_new = not self._is_drained()
        if is_new:
            self._members.drain(True, remembered=False)
        try:
            self._empty(caller, deadline)
        finally:
            if is_new:
                self._members.drain(False, remembered=False)
        stay: dict[str, str] = {
            move.instance: move.reason or "it could not be moved in time"
            for move in self._evacuation()
        }
        for name in set(mine).difference(stay):
            self._supervisor.wait_gone(name, max(0.0, deadline - self._clock.monotonic()))
        return stay

    def _is_drained(self) -> bool:
        return self.branch(self._replica.branch_id).drained

    def _empty_later(self, caller: Caller) -> None:
        """Begin to empty this branch in the background, or try at once what could not move."""
        self._drain_changed.set()
        if not self._is_emptying:
            self._later.run(functools.partial(self._empty_while_drained, caller))

    def _empty_while_drained(self, caller: Caller) -> None:
        if self._is_emptying:
            return
        self._is_emptying = True
        leaving: set[str] = set()
        try:
            while self._is_drained() and not self._is_stopping:
                self._drain_changed.clear()
                leaving.update(instance.name for instance in self._replica.instances_owned())
                self._make(self._evacuation(), self._is_drained, DRAINED_AT_ONCE, caller)
                if self._replica.instances_owned():
                    self._drain_changed.wait(DRAIN_RETRY_S)
                elif all(self._supervisor.wait_gone(name, DRAIN_RETRY_S) for name in leaving):
                    deed = "emptied and has no workers any more, as it was drained"
                    self._tell_branch("branch.emptied", caller, deed)
                    return
        finally:
            self._is_emptying = False

    def _empty(self, caller: Caller, deadline: float) -> None:
        """Move what can move until nothing can, or the time is over."""

        def has_time() -> bool:
            return self._clock.monotonic() < deadline

        while has_time() and (
            moves := [move for move in self._evacuation() if move.target is not None]
        ):
            if not self._make(moves, has_time, DRAINED_AT_ONCE, caller, deadline):
                left_s = deadline - self._clock.monotonic()
                self._drain_changed.clear()
                self._drain_changed.wait(min(LAST_RETRY_S, max(0.0, left_s)))

    def _evacuation(self) -> list[Move]:
        """Return where each instance of this branch can go."""
        return evacuate(self._as_run(self._replica.instances_owned()), self._candidates())

    # --- evening out ----------------------------------------------------------------------------

    def rebalance(self, *, dry_run: bool, caller: Caller) -> list[Move]:
        """Move instances so that all branches are about equally full.

        The moves are made in the background, from here.

        Args:
            dry_run: Whether only to tell what would move.
            caller: Who asks.

        Returns:
            What is going to move, or would.

        Raises:
            Conflict: That is going on already.
            Forbidden: The caller may not do this.
        """
        require(caller, Role.OPERATOR, "rebalance the cluster")
        if not dry_run and self._is_rebalancing:
            raise Conflict("The cluster is being rebalanced from here already. Wait for its end.")
        instances = self._as_run(self._replica.instances())
        moves = rebalance(instances, self._candidates(), REBALANCED_MAX)
        if moves and not dry_run:
            self._later.run(functools.partial(self._rebalance_now, moves, caller))
            self._is_rebalancing = True
        return moves

    def _rebalance_now(self, moves: Sequence[Move], caller: Caller) -> None:
        try:
            moved = self._make(moves, lambda: not self._is_stopping, REBALANCED_AT_ONCE, caller)
            deed = f"{moved} of {len(moves)} instances moved to even out the cluster, as asked"
            self._tell_branch("cluster.rebalanced", caller, deed)
        finally:
            self._is_rebalancing = False

    # --- both -----------------------------------------------------------------------------------

    def _make(
        self,
        moves: Sequence[Move],
        goes_on: Callable[[], bool],
        at_once: int,
        caller: Caller,
        deadline: float | None = None,
    ) -> int:
        """Make moves, some at a time; return how many were made."""

        def make(move: Move) -> bool:
            left_s = MOVE_TIMEOUT_S
            if deadline is not None:
                left_s = min(left_s, deadline - self._clock.monotonic())
            if move.target is None or left_s <= 0 or not goes_on():
                return False
            try:
                self.move_instance(
                    move.instance, branch=move.target, caller=caller, timeout_s=left_s
                )
            except CymeError as exc:
                logger.info("%s was not moved to %s: %s", move.instance, move.target, exc.detail)
                return False
            return True

        pool = Pool(at_once)
        try:
            return sum(pool.map(make, moves))
        finally:
            pool.kill(timeout=1.0)

    def _as_run(self, instances: Sequence[Instance]) -> list[Instance]:
        """Return instances with the specs that they are run with."""
        return [replace(instance, spec=self.effective(instance)) for instance in instances]

    def _tell_branch(self, kind: str, caller: Caller, deed: str) -> None:
        self._journal.record(kind, f"{deed} by {caller.name}", by=caller.name)
