"""Several branches over fakes, which ask each other through the real encoding."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from cyme.core.branches import BranchInfo
from cyme.core.model import BranchId, Instance
from cyme.errors import CymeError, DeadlineExceeded, OwnerUnreachable
from cyme.runtime.cluster import encoding
from cyme.runtime.service.calls import CALLS
from tests.runtime.service.house import ADMIN, House

TIMEOUT_S = 5.0


class Town:
    """The branches ``b1``, ``b2``, ...; what they write is known to the others after gossip.

    Args:
        size: How many there are.

    Attributes:
        houses: Each of them by its id.
        cut: Those that cannot be asked, although nobody has noticed yet.
        slow: Those that do not answer in time.
        asked: Every call: who was asked, and for what.
    """

    def __init__(self, size: int = 2) -> None:
        ids = [BranchId(f"b{number}") for number in range(1, size + 1)]
        self.houses: dict[str, House] = {}
        self.cut: set[str] = set()
        self.slow: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        for here in ids:
            others = (each for each in ids if each != here)
            infos = [BranchInfo(id=each, instances_max=100) for each in (here, *others)]
            house = self.houses[here] = House(*infos)
            house.members.answer = self.carry
            house.members.keep = functools.partial(_keep, house)

    def __getitem__(self, branch: str) -> House:
        return self.houses[branch]

    def close(self) -> None:
        for house in self.houses.values():
            house.service.stop(5.0)

    def carry(self, branch: str, call: str, arguments: Mapping[str, object]) -> object:
        """Have a branch perform a call, as bytes there and back."""
        self.asked.append((branch, call))
        if branch in self.cut:
            raise OwnerUnreachable(f"Branch {branch!r} cannot be asked.")
        if branch in self.slow:
            raise DeadlineExceeded("It took too long.")
        described = CALLS[call]
        given = encoding.decode_arguments(
            encoding.encode(dict(arguments)), described.arguments, described.required
        )
        try:
            result = self[branch].service.perform(call, given, timeout_s=TIMEOUT_S)
        except CymeError as exc:
            raise encoding.decode_error(encoding.encode_error(exc)) from None
        return encoding.decode(encoding.encode(result), described.returns)

    def gossip(self) -> None:
        """Let all know what each of them knows."""
        records = [each for house in self.houses.values() for each in house.replica.records()]
        for house in self.houses.values():
            house.replica.absorb(records, TIMEOUT_S)

    def change(self, branch: str, **changes: object) -> None:
        """Change what all know of a branch."""
        for house in self.houses.values():
            house.members.change(branch, **changes)

    def owner(self, name: str) -> str:
        """Return who owns an instance, as all know after gossip."""
        self.gossip()
        owners = {house.service.instance(name).owner for house in self.houses.values()}
        assert len(owners) == 1, owners
        return owners.pop()


def put(town: Town, name: str = "w1", *, branch: str | None = "b2", **changes: object) -> None:
    """Create or change an instance by asking b1."""
    town["b1"].service.put_instance(
        "shop", name, changes, branch=branch, caller=ADMIN, timeout_s=TIMEOUT_S
    )


def _keep(house: House, taken: Instance) -> None:
    house.replica.commit([taken], TIMEOUT_S)
