"""Why an instance is in this branch's care, and the instances of others whose workers run here.

The worker of an instance runs here before the record says so: it is a *guest* until the record
names this branch, or until it is abandoned. The worker of an instance that this branch lost is
*held* while it may come back; it is neither stopped nor restarted then.

Laws:

* a guest becomes an ordinary charge, and one that is kept becomes a guest, without a restart;
* what a preparation came to is said once;
* a worker that is held for want of a decision is not held for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cyme.core.model import Instance
from cyme.core.ports import Clock
from cyme.core.status import InstanceState
from cyme.runtime.charges import Care, Charge
from cyme.runtime.replica import Replica

#: A worker that survived the branch's absence is held so long for want of a decision, in seconds:
#: longer than the branches need to settle who owns an instance.
UNDECIDED_S = 60.0

OnPrepared = Callable[[Instance, bool, str], None]


@dataclass(slots=True)
class _Guest:
    """A worker that is made to run here.

    Attributes:
        instance: Its record as the request had it.
        is_told: Whether it was said what the preparation came to.
    """

    instance: Instance
    is_told: bool = False


class Guests:
    """Knows why instances are in this branch's care.

    Args:
        replica: The records.
        clock: Time.
        keeps: Tells whether the worker of an instance that another branch owns is to go on, as
            this branch is about to own it again.
        on_prepared: Called once for every preparation: the instance, whether its worker runs,
            and why.
    """

    def __init__(
        self,
        *,
        replica: Replica,
        clock: Clock,
        keeps: Callable[[str], bool],
        on_prepared: OnPrepared,
    ) -> None:
        self._replica = replica
        self._clock = clock
        self._keeps = keeps
        self._on_prepared = on_prepared
        self._guests: dict[str, _Guest] = {}

    def prepare(self, instance: Instance) -> None:
        """Take a guest in; what it comes to will be said."""
        self._guests[instance.name] = _Guest(instance)

    def abandon(self, name: str, charge: Charge | None) -> None:
        """Let a guest go; of a worker that was held it is settled that it stops."""
        self._guests.pop(name, None)
        if charge is not None:
            charge.survived = False

    def care(self, name: str, charge: Charge | None, *, may_act: bool) -> Care:
        """Return why an instance is, or should be, in this branch's care now.

        Args:
            name: The instance.
            charge: What the supervisor holds of it, if it does.
            may_act: Whether this branch may act at all.
        """
        record = self._replica.instance_or_tombstone(name)
        if record is not None and record.owner == self._replica.branch_id:
            if charge is not None:
                charge.undecided_since = None
            return Care.OURS
        if record is None or record.deleted:
            return Care.GONE
        if name in self._guests and self._why_impossible(record) is None:
            return Care.GUEST
        if charge is None:
            return Care.GONE
        if not may_act and charge.care is not Care.GONE:
            # What the records say may be old, so nothing is lost yet.
            charge.undecided_since = None
            return Care.HELD
        return Care.HELD if self._is_held(record, charge) else Care.GONE

    def tell(self, charges: Mapping[str, Charge]) -> None:
        """Say of every preparation that came to an end what it came to."""
        for name, guest in list(self._guests.items()):
            if self._guests.get(name) is not guest:  # who was told of another let it go
                continue
            came_to = None if guest.is_told else self._outcome(name, charges.get(name))
            if self._is_over(name):
                del self._guests[name]
            if came_to is not None:
                guest.is_told = True
                self._on_prepared(guest.instance, *came_to)

    def _is_held(self, record: Instance, charge: Charge) -> bool:
        if self._keeps(record.name):
            return True
        if not (charge.is_alive and charge.survived and record.home == self._replica.branch_id):
            return False
        now = self._clock.monotonic()
        if charge.undecided_since is None:
            charge.undecided_since = now
        return now - charge.undecided_since < UNDECIDED_S

    def _is_over(self, name: str) -> bool:
        """Tell whether an instance is no guest (any more): it is ours, or cannot be."""
        record = self._replica.instance_or_tombstone(name)
        ours = record is not None and record.owner == self._replica.branch_id
        return ours or self._why_impossible(record) is not None

    def _outcome(self, name: str, charge: Charge | None) -> tuple[bool, str] | None:
        """Return whether the worker runs, and why; None while that is open."""
        impossible = self._why_impossible(self._replica.instance_or_tombstone(name))
        if impossible is not None:
            return False, impossible
        return None if charge is None or charge.busy else _came_to(charge)

    def _why_impossible(self, record: Instance | None) -> str | None:
        if record is None:
            return "its record is not known here"
        if record.deleted:
            return "it was deleted"
        if self._replica.app(record.app) is None:
            return f"its app {record.app!r} is not known here"
        return None


def _came_to(charge: Charge) -> tuple[bool, str] | None:
    """Return whether a guest's worker runs, and why; None while that is open."""
    wish, memory = charge.intent.wish, charge.memory
    if not wish.is_enabled:
        return True, "there is nothing to run: it is not enabled"
    if not wish.runs:
        return False, wish.why_not
    if memory.state is InstanceState.RUNNING and memory.answered_since is not None:
        return True, memory.reason
    # The first failure is mended at once; who fails again will not run soon.
    if memory.state in (InstanceState.BACKOFF, InstanceState.DISABLED):
        return False, memory.reason
    return None
