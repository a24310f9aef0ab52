"""Whether an instance makes sense in its app, and finds room on this branch."""

from __future__ import annotations

from cyme.core.branches import INSTANCES_MAX
from cyme.core.launch import effective_spec
from cyme.core.model import App, Instance
from cyme.core.parameters import check_spec
from cyme.errors import Conflict, Fault, InvalidRequest, TooLarge, Unavailable
from cyme.runtime.brokers import BROKERS_MAX
from cyme.runtime.service.standings import Standings


class Room(Standings):
    """What is checked before this branch owns an instance, or another version of it."""

    def _check_instance(self, instance: Instance, app: App, *, is_new: bool) -> None:
        """Check that an instance makes sense in its app and finds room here."""
        check_spec(
            instance.spec.over(app.spec), effective_spec(instance, app, self._default_broker)
        )
        faults = [
            Fault(
                "queues",
                f"the app {app.name!r} has no queue {queue!r}; declare it first "
                f"(PUT /{app.name}/queues/{queue}/)",
            )
            for queue in instance.queues
            if self._replica.queue(app.name, queue) is None
        ]
        if faults:
            raise InvalidRequest("; ".join(fault.detail for fault in faults), faults)
        if is_new:
            self._check_takes_one_more()
        self._check_room_for_broker(instance, app)

    def _check_takes_one_more(self) -> None:
        """Check that an instance may be created here, as it may not have been known elsewhere."""
        here = self._replica.branch_id
        info = self._members.info(here)
        most = info.instances_max if info is not None else INSTANCES_MAX
        if self._count_bound(here) >= most:
            raise TooLarge(f"Branch {here!r} has {most} instances already. Delete one first.")
        if info is not None and info.drained:
            raise Conflict(f"Branch {here!r} is drained and takes no instances. Try again.")

    def _check_room_for_broker(self, instance: Instance, app: App) -> None:
        """Check that the branch can speak to an instance's broker beside those in use."""
        broker = effective_spec(instance, app, self._default_broker).broker
        others = {self._default_broker} | {
            self.effective(other).broker
            for other in self._replica.instances_owned()
            if other.name != instance.name
        }
        if broker not in others and len(others) >= BROKERS_MAX:
            raise TooLarge(
                f"The instances of this branch use {BROKERS_MAX} brokers already. Use one of "
                "them, or another branch."
            )

    def _check_may_act(self) -> None:
        """Check that this branch knows what it owns, so that it may take or keep more."""
        if not self._members.may_act():
            raise Unavailable(
                f"Branch {self._replica.branch_id!r} has just started, or stood still, and asks "
                "the others what it owns. Try again."
            )
