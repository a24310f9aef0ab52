"""What is wrong with a fleet file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cyme.errors import CymeError


@dataclass(frozen=True, slots=True)
class FleetFault:
    """One thing that is wrong with a fleet file.

    Attributes:
        file: The file.
        table: The table in it, as ``apps.shop.instances.w1``; empty for the file as a whole.
        key: The key in that; empty for the table as a whole.
        detail: What is wrong, and what would be right.
    """

    file: str
    table: str
    key: str
    detail: str

    def __str__(self) -> str:
        where = " ".join(each for each in (self.table and f"[{self.table}]", self.key) if each)
        return f"{self.file}: {where}{': ' if where else ''}{self.detail}"


class InvalidFleet(CymeError, ValueError):
    """The fleet file cannot be accepted; nothing was changed.

    Attributes:
        faults: Everything that is wrong with it.
    """

    def __init__(self, faults: Sequence[FleetFault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)
