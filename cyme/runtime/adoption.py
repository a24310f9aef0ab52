"""Adoption: finding the workers that an earlier run of the branch left, at its start.

Laws:

* a worker that runs is neither stopped nor restarted by being found;
* whose it is is not judged here: the records that this branch has may be old;
* a worker of which there is no record is a stranger, and left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cyme.core.model import Instance
from cyme.core.ports import Workers
from cyme.core.workers import Process
from cyme.runtime.journal import Journal
from cyme.runtime.replica import Replica


@dataclass(frozen=True, slots=True)
class Found:
    """An instance of which something runs here.

    Attributes:
        record: The instance, maybe a tombstone, maybe of another branch.
        process: Its worker; None if that is gone and left processes behind.
    """

    record: Instance
    process: Process | None


class Adoption:
    """Finds what runs in the branch's directory.

    Args:
        replica: The records.
        workers: Worker processes.
        journal: Where strangers are told of.
    """

    def __init__(self, replica: Replica, workers: Workers, journal: Journal) -> None:
        self._replica = replica
        self._workers = workers
        self._journal = journal
        self._strangers: set[str] = set()

    def at_start(self) -> Sequence[Found]:
        """Return all that runs here and of which there is a record."""
        owned: dict[str, Instance] = {
            record.name: record for record in self._replica.instances_owned()
        }
        found = [
            Found(owned[name], process) for name, process in self._workers.find(list(owned)).items()
        ]
        for name in self._workers.strays(list(owned)):
            record = self._replica.instance_or_tombstone(name)
            if record is None:
                self._leave_alone(name)
            else:
                found.append(Found(record, self._workers.find([name]).get(name)))
        return found

    def of_stranger(self, name: str) -> Process | None:
        """Return the worker of an instance that was a stranger until its record came, if any."""
        return self._workers.find([name]).get(name) if name in self._strangers else None

    def _leave_alone(self, name: str) -> None:
        self._strangers.add(name)
        self._journal.record(
            "instance.stray",
            "its worker runs in this branch's directory, but there is no record of it; "
            "it is left alone: create the instance again to adopt it, or stop it by hand",
            instance=name,
        )
