"""Custody: which instances are in this branch's care, why, and what is wished of them.

An instance comes into our care when its record names this branch, when it is prepared, or when
its worker is found running at the start. It leaves when nothing of it is left here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from cyme.core import reconcile
from cyme.core.model import Instance, Record
from cyme.core.ports import Clock
from cyme.core.supervision import Memory
from cyme.core.workers import Process
from cyme.runtime.adoption import Adoption, Found
from cyme.runtime.charges import Care, Charge, Intents
from cyme.runtime.guests import Guests
from cyme.runtime.intents import concerned
from cyme.runtime.journal import Journal
from cyme.runtime.replica import Replica

logger = logging.getLogger(__name__)

#: Who comes here from elsewhere, or goes there, is told of; a guest was never here.
_MOVES_AWAY = frozenset({Care.OURS, Care.HELD})


class Custody:
    """Keeps the charges, and reads again what is wished of them whenever that may have changed.

    Args:
        replica: The records.
        adoption: Finds what runs already.
        guests: Knows why instances are in our care.
        intents: Turns a record into what is wished.
        journal: For what is worth telling.
        clock: Time.
        may_act: As for the supervisor.
    """

    def __init__(
        self,
        *,
        replica: Replica,
        adoption: Adoption,
        guests: Guests,
        intents: Intents,
        journal: Journal,
        clock: Clock,
        may_act: Callable[[], bool],
    ) -> None:
        self._replica = replica
        self._adoption = adoption
        self._guests = guests
        self._intents = intents
        self._journal = journal
        self._clock = clock
        self._may_act = may_act
        self._charges: dict[str, Charge] = {}
        self._stale: set[str] = set()
        self.is_emptied = False

    @property
    def charges(self) -> Mapping[str, Charge]:
        """What is held of each instance in our care, by name."""
        return self._charges

    def start(self) -> None:
        """Take charge of what runs already and of what is ours, and follow the records."""
        self._replica.listen(self._note_change)
        for found in self._adoption.at_start():
            self._adopt(found)
        self._stale.update(record.name for record in self._replica.instances_owned())

    def touch(self, name: str) -> None:
        """Have an instance judged anew at the next refresh."""
        self._stale.add(name)

    def empty(self) -> None:
        """Wish of all instances, from now on, that they stop."""
        self.is_emptied = True
        self._stale.update(self._charges)

    def drop(self, charge: Charge) -> None:
        """Take note that nothing of an instance is left."""
        if self._charges.get(charge.name) is charge:
            del self._charges[charge.name]
            self._stale.add(charge.name)  # it may have been created again meanwhile

    def refresh(self) -> None:
        """Read again what changed; instances that are new come into our care."""
        stale, self._stale = self._stale, set()
        stale.update(name for name, each in self._charges.items() if each.care is Care.HELD)
        for name in stale:
            try:
                self._refresh_one(name)
            except Exception:  # one instance must not cost the others their place
                logger.exception("reading what is wished of instance %s failed", name)

    def _refresh_one(self, name: str) -> None:
        record = self._replica.instance_or_tombstone(name)
        charge = self._charges.get(name)
        care = self._guests.care(name, charge, may_act=self._may_act())
        if charge is None:
            if record is None or record.deleted or care is Care.GONE:
                return
            charge = self._take_charge(record, care)
            if (process := self._adoption.of_stranger(name)) is not None:
                self._take_over(charge, process)
        self._care_for(charge, record, care)

    def _note_change(
        self,
        records: Sequence[Record],
        here: bool,  # noqa: ARG002 - what is to run is the same, whoever wrote it
    ) -> None:
        self._stale |= concerned(records, self._replica)

    def _adopt(self, found: Found) -> None:
        charge = self._take_charge(found.record, Care.HELD)  # the first refresh judges better
        if found.process is not None:
            self._take_over(charge, found.process)

    def _take_over(self, charge: Charge, process: Process) -> None:
        now = self._clock.monotonic()
        before = charge.memory
        charge.memory = reconcile.adopted(process, charge.intent.wish, now)
        charge.survived = True
        self._journal.record(
            "instance.adopted",
            f"its worker was running already, as process {process.pid}",
            app=charge.app,
            instance=charge.name,
            state=charge.memory.state.value,
            was=before.state.value,
        )

    def _take_charge(self, record: Instance, care: Care) -> Charge:
        memory = Memory(since=self._clock.monotonic())
        if care is Care.GUEST:
            reason = f"it is made ready here, to be taken over from branch {record.owner!r}"
            memory = replace(memory, reason=reason)
        charge = Charge(
            name=record.name,
            app=record.app,
            intent=self._intents(record, restarts_asked=0),
            memory=memory,
            since_wall=self._clock.wall(),
            care=care,
        )
        self._charges[record.name] = charge
        return charge

    def _care_for(self, charge: Charge, record: Instance | None, care: Care) -> None:
        """Wish of an instance what follows from its record, and from why it is here."""
        before, charge.care = charge.care, care
        if care is Care.GONE:
            why = _why_gone(record)
            charge.intent = charge.intent.unwanted(why, removed=True)
            if before in _MOVES_AWAY and record is not None and not record.deleted:
                self._journal.record(
                    "instance.moved-away", why, app=charge.app, instance=charge.name
                )
        elif care is not Care.HELD and record is not None:
            charge.app = record.app
            charge.intent = self._intents(record, restarts_asked=charge.restarts_asked)
        if self.is_emptied:
            charge.intent = charge.intent.unwanted(
                "its branch stops all its workers", removed=charge.intent.wish.removed
            )


def _why_gone(record: Instance | None) -> str:
    if record is None:
        return "there is no record of it any more"
    return "it was deleted" if record.deleted else f"branch {record.owner!r} runs it now"
