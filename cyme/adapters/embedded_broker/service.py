"""What is known of the embedded broker: plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cyme.core.model import Broker


@dataclass(frozen=True, slots=True)
class EmbeddedService:
    """A running embedded broker.

    Attributes:
        broker: Where messages go.
        result_backend: URL of the database that keeps the results of tasks; never log it.
        program: The server's program.
        pid: The server's process id.
        started: Whether the call that returned this started the server.
        former: The brokers that it was before it had to move, oldest first. An app that names
            one of them is to be given ``broker`` instead.
    """

    broker: Broker
    result_backend: str
    program: Path
    pid: int
    started: bool = False
    former: tuple[Broker, ...] = ()

    @property
    def moved_from(self) -> Broker | None:
        """The broker that it was before it last moved, or None if it never did."""
        return self.former[-1] if self.former else None

    def __repr__(self) -> str:
        return f"EmbeddedService({self.broker!r}, program={str(self.program)!r}, pid={self.pid})"


class EmbeddedState(StrEnum):
    """What the embedded broker does."""

    STOPPED = "stopped"
    RUNNING = "running"
    SILENT = "silent"  # it lives, and is loading its data or hangs


@dataclass(frozen=True, slots=True)
class EmbeddedStatus:
    """A look at the embedded broker.

    Attributes:
        state: Whether it runs and answers.
        directory: Where its data and its log are.
        service: The server, if it answers.
    """

    state: EmbeddedState
    directory: Path
    service: EmbeddedService | None = None
