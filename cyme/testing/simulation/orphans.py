"""For how long an instance has nobody that claims it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from cyme.core.cluster.ownership import OwnershipPolicy
from cyme.core.model import Instance
from cyme.testing.simulation.watch import Violation
from cyme.testing.simulation.workers import Phase

if TYPE_CHECKING:
    from cyme.testing.simulation.world import World

#: A death is known by all within so long, in seconds, be it after a false alarm.
_DETECTION_S = 20.0

#: Patience for what is rare, or for something else than a claim.
_NOT_COUNTED = frozenset({"takeover_s", "majority_factor", "rank_s", "forget_s", "tries_max"})


def bound_s(policy: OwnershipPolicy, branches: int) -> float | None:
    """Return for how long an instance may have nobody that claims it.

    Args:
        policy: The patience of take-over.
        branches: How many branches there are.

    Returns:
        Seconds: to detect the failure, grace, every rank and everything that may have to be tried
        again; None if instances are not taken over at all.
    """
    if policy.takeover_s is None:
        return None
    patience_s = sum(
        getattr(policy, patience.name)
        for patience in fields(policy)
        if patience.name.endswith("_s") and patience.name not in _NOT_COUNTED
    )
    grace_s = policy.takeover_s * policy.majority_factor
    return _DETECTION_S + grace_s + policy.rank_s * branches + float(patience_s)


class Orphans:
    """Watches over instances that nobody claims.

    Args:
        world: Where they are.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._since: dict[str, float] = {}

    def look(self) -> None:
        """Look at all instances.

        Raises:
            Violation: One had nobody for too long.
        """
        world = self._world
        bound = bound_s(world.policy, len(world.machines))
        if bound is None or not world.broker.up or not self._anybody_could():
            self._since.clear()
            return
        now = world.timeline.now
        for record in world.watch.highest.values():
            if not isinstance(record, Instance):
                continue
            if self._is_claimed(record):
                self._since.pop(record.name, None)
                continue
            since = max(self._since.setdefault(record.name, now), world.calm_since)
            world.watch.figures.orphaned_s_max = max(
                world.watch.figures.orphaned_s_max, now - self._since[record.name]
            )
            if now - since > bound:
                raise Violation(
                    "every instance is claimed",
                    f"nobody has run {record.name} of {record.owner} for {now - since:.0f} s, "
                    f"although somebody could; the bound is {bound:.0f} s",
                )

    def _anybody_could(self) -> bool:
        return any(
            life.acts
            and life.machine.capable
            and not life.machine.drained
            and life.machine.disk.count_owned(life.machine.branch) < life.machine.instances_max
            for life in self._world.lives()
        )

    def _is_claimed(self, record: Instance) -> bool:
        if record.deleted or record.pinned or record.spec.is_enabled is False:
            return True
        workers = self._world.broker.workers(record.name)
        if any(worker.phase is not Phase.STOPPING for worker in workers):
            return True
        owner = self._world.machine_of(record.owner)
        return owner is not None and owner.life is not None and owner.life.acts
