"""Use cases that read instances: which there are, how they are run, how they fare."""

from __future__ import annotations

from cyme.core.launch import effective_spec
from cyme.core.model import Instance, WorkerSpec
from cyme.core.status import InstanceState, InstanceStatus
from cyme.errors import DeadlineExceeded, Unavailable
from cyme.runtime.service.answers import Standing
from cyme.runtime.service.placing import Placing
from cyme.runtime.service.remote import remote

#: Waiting for an instance to run ends in these states: it runs, or will not by itself.
SETTLED = frozenset({InstanceState.RUNNING, InstanceState.DISABLED, InstanceState.STOPPED})

#: Effective specs kept, because making one costs more than all else of reading an instance.
EFFECTIVE_KEPT_MAX = 10_000

#: Another branch that waits for something has so much longer to answer, in seconds.
ANSWER_S = 5.0


class Standings(Placing):
    """Reads of instances, wherever they run."""

    def instance_names(self, app: str | None = None) -> list[str]:
        """Return the names of an app's instances, or of all (None), sorted.

        Raises:
            NotFound: There is no such app.
        """
        return [instance.name for instance in self.instances(app)]

    def instances(self, app: str | None = None) -> list[Instance]:
        """Return an app's instances, or all (None), sorted by name.

        Raises:
            NotFound: There is no such app.
        """
        return self._replica.instances() if app is None else self.instances_of(app)

    def effective(self, instance: Instance) -> WorkerSpec:
        """Return how an instance is run: its own spec over its app's over the defaults."""
        app = self._replica.app(instance.app)
        known = self._effective.get(instance.name)
        if known is not None and known[0] is instance and known[1] is app:
            return known[2]
        spec = effective_spec(instance, app, self._default_broker)
        if len(self._effective) >= EFFECTIVE_KEPT_MAX:
            self._effective.clear()
        self._effective[instance.name] = (instance, app, spec)
        return spec

    def standing(self, instance: Instance) -> Standing:
        """Return how an instance is, and how fresh that is."""
        now = self._clock.wall()
        if instance.owner == self._replica.branch_id:
            return Standing(status=self._supervisor.status(instance.name), as_of=now)
        status, age_s = self._members.status(instance)
        return Standing(status=status, as_of=now - age_s, age_s=age_s)

    def wait_until_running(self, instance: Instance, wait_s: float) -> Standing:
        """Return how an instance is once it runs or will not, or when the time is over.

        Where its owner cannot be asked it is what is known here.

        Args:
            instance: Its record.
            wait_s: How long to wait at most, in seconds.
        """
        try:
            status = self._at_owner(
                instance,
                self.wait_here,
                name=instance.name,
                wait_s=wait_s,
                timeout_s=wait_s + ANSWER_S,
            )
        except (Unavailable, DeadlineExceeded):
            return self.standing(instance)
        is_mine = instance.owner == self._replica.branch_id
        now = self._clock.wall()
        return Standing(status=status, as_of=now, age_s=None if is_mine else 0.0)

    @remote(writes=False)
    def wait_here(
        self,
        name: str,
        *,
        wait_s: float,
        timeout_s: float,
    ) -> InstanceStatus:
        """Wait for an instance of this branch; arguments as for ``wait_until_running``.

        Raises:
            NotFound: There is none of that name.
            NotOwner: Another branch owns it.
        """
        self._owned(name)
        return self._supervisor.wait_for(name, SETTLED, min(wait_s, timeout_s))
