"""Use cases of a worker's concurrency and statistics."""

from __future__ import annotations

from collections.abc import Mapping

from cyme.core.access import Caller
from cyme.core.launch import pool_of
from cyme.core.model import Instance
from cyme.core.names import node_name
from cyme.core.status import InstanceState
from cyme.errors import Conflict, Fault, InvalidRequest
from cyme.runtime.service.answers import Written
from cyme.runtime.service.instances import Instances
from cyme.runtime.service.remote import remote

#: States in which there is a worker that can be asked.
ASKABLE = frozenset({InstanceState.RUNNING, InstanceState.UNRESPONSIVE, InstanceState.UNKNOWN})

_AUTOSCALE_NAMES = {"max_concurrency": "max", "min_concurrency": "min"}


class Scaling(Instances):
    """How many tasks a worker runs at a time, and what it says of itself."""

    def autoscale(self, app: str | None, instance: str) -> tuple[int, int]:
        """Return how many tasks an instance runs at a time: at most, at least.

        Raises:
            NotFound: There is none of that name, or it belongs to another app.
        """
        spec = self.effective(self.instance(instance, app))
        return spec.max_concurrency or 1, spec.min_concurrency or 1

    def set_autoscale(
        self,
        app: str | None,
        instance: str,
        *,
        maximum: int | None,
        minimum: int | None,
        caller: Caller,
        timeout_s: float,
    ) -> Written[Instance]:
        """Change how many tasks an instance runs at a time; None leaves a limit as it is.

        The worker is told at once where its pool can change while it runs, and restarted where
        it cannot.

        Raises:
            InvalidRequest: A limit is out of bounds, or the pool cannot have it.
            NotFound: There is none of that name, or it belongs to another app.
            Forbidden: The caller may not do this.
            OwnerUnreachable: Its branch cannot be asked.
            StorageUnavailable: The database does not take it; nothing changed.
            DeadlineExceeded: It took too long.
        """
        record = self.instance(instance, app)
        if maximum is not None and not pool_of(self.effective(record)).can_autoscale:
            minimum = maximum if minimum is None else minimum
        wanted = {"max_concurrency": maximum, "min_concurrency": minimum}
        changes = {name: value for name, value in wanted.items() if value is not None}
        try:
            return self.put_instance(
                record.app, record.name, changes, caller=caller, timeout_s=timeout_s
            )
        except InvalidRequest as exc:
            faults = [
                Fault(_AUTOSCALE_NAMES.get(fault.parameter, fault.parameter), fault.detail)
                for fault in exc.faults
            ]
            raise InvalidRequest(exc.detail, faults) from exc

    def stats(self, app: str | None, instance: str, *, timeout_s: float) -> Mapping[str, object]:
        """Return what an instance's worker says of itself.

        Raises:
            NotFound: There is none of that name, or it belongs to another app.
            Conflict: There is no worker now that could be asked.
            BrokerUnavailable: Its broker cannot be reached.
            DeadlineExceeded: The worker did not answer in time.
            OwnerUnreachable: Its branch cannot be asked.
        """
        record = self.instance(instance, app)
        return self._at_owner(
            record, self.stats_here, app=app, instance=instance, timeout_s=timeout_s
        )

    @remote(writes=False)
    def stats_here(
        self, app: str | None, instance: str, *, timeout_s: float
    ) -> Mapping[str, object]:
        """Return what the worker of an instance of this branch says of itself.

        Raises:
            NotOwner: Another branch owns it.
            CymeError: As in ``stats``.
        """
        record = self._owned(instance, app)
        status = self._supervisor.status(instance)
        if status.state not in ASKABLE:
            raise Conflict(
                f"The instance {instance!r} is {status.state} ({status.reason}); only a running "
                "worker has statistics."
            )
        broker = self.effective(record).broker or self._default_broker
        node = node_name(record.name, record.owner)
        return self._brokers.control(broker).stats(node, timeout_s=timeout_s)
