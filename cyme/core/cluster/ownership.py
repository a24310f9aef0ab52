"""Who runs an instance when its owner is gone, comes back, or hands it over.

Two roads lead an instance here: ``claims``, from a branch that is gone, and ``handovers``, from
one that runs it. Both end in a ``Write`` of a higher epoch; whoever owned it before sees that and
stops its copy, which is the supervisor's affair: nothing has to be decided for it.
"""

from __future__ import annotations

from cyme.core.cluster.claims import Claims
from cyme.core.cluster.effects import Effect
from cyme.core.cluster.grounds import OwnershipPolicy, Verdict, View
from cyme.core.cluster.handovers import Handovers, Room
from cyme.core.model import Instance

__all__ = ["Ownership", "OwnershipPolicy", "Verdict", "View"]


class Ownership:
    """Decides about the instances that this branch may have to take, take back or give up.

    Args:
        policy: Its patience.
    """

    def __init__(self, policy: OwnershipPolicy) -> None:
        self._policy = policy
        self._claims = Claims(policy)
        self._handovers = Handovers(policy)

    def on_tick(self, now: float, view: View) -> list[Effect]:
        """Look for instances to examine, and give up what took too long.

        It is to be called while this branch is fenced, too: what it finds away from home then
        is kept from being stopped when the fence comes down.
        """
        # Mostly nothing is due, and nobody asks for the room.
        effects = self._handovers.on_tick(now, view, lambda: self._room(view))
        return effects + self._claims.on_tick(
            now, view, lambda: self._places(view), self._handovers.names
        )

    def on_examined(
        self, now: float, view: View, instance: Instance, verdict: Verdict, why: str
    ) -> list[Effect]:
        """Take in what an ``Examine`` came to."""
        return self._claims.on_examined(now, view, instance, verdict, why)

    def on_prepared(
        self, now: float, view: View, instance: Instance, *, running: bool, why: str
    ) -> list[Effect]:
        """Take in what a ``Prepare`` came to.

        What was prepared and is not wanted any more is answered with ``Abandon``.
        """
        return self._handovers.on_prepared(now, view, instance, running=running, why=why)

    def on_applied(
        self, now: float, view: View, before: Instance | None, after: Instance
    ) -> list[Effect]:
        """Take in that a record changed, by this branch or by another; the view has it already."""
        return [
            *self._claims.on_applied(view, before, after),
            *self._handovers.on_applied(now, view, before, after),
        ]

    def on_not_written(self, now: float, view: View, instance: Instance) -> list[Effect]:  # noqa: ARG002 - every input has the view
        """Take in that a ``Write`` failed."""
        return [
            *self._claims.on_not_written(now, instance),
            *self._handovers.on_not_written(now, instance),
        ]

    def take(self, now: float, view: View, instance: Instance) -> list[Effect]:
        """Begin to take an instance over from a living owner that asks for it (a move).

        It ends with ``instance`` owned here, or with ``Abandon``.
        """
        self._claims.drop(instance.name)
        return self._handovers.take(now, view, instance, self._room(view))

    @property
    def under_way(self) -> bool:
        """Whether any instance is on its way here, or its owner is gone so that it may be."""
        return bool(self._handovers.names) or self._claims.waits

    def keeps(self, name: str) -> bool:
        """Tell whether the worker of an instance that another branch owns is not to be stopped.

        It is being prepared, or it ran here all the time and this branch takes it back. Such a
        worker is started on ``Prepare`` alone.
        """
        return self._handovers.keeps(name)

    def _room(self, view: View) -> Room:
        busy = self._claims.under_way + self._handovers.under_way
        return Room(
            places=self._policy.prepared_max - busy,
            instances=view.profile.instances_max - view.owned(view.me) - busy,
        )

    def _places(self, view: View) -> int:
        room = self._room(view)
        return min(room.places, room.instances)
