"""Ports of this machine: its worker processes, their logs, what they need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from cyme.core.worker_logs import LogPiece, LogPosition
from cyme.core.workers import Launch, Look, Process


class Workers(Protocol):
    """Worker processes of this machine, started through celery multi."""

    def start(self, launch: Launch) -> Process:
        """Start a worker and return its identity; it has not proved itself yet.

        Raises:
            WorkerStartFailed: The process could not be made; the message says why.
        """

    def find(self, instances: Iterable[str]) -> Mapping[str, Process]:
        """Return the living workers of the instances that an earlier branch left running."""

    def strays(self, instances: Iterable[str]) -> Sequence[str]:
        """Return names of instances with living workers in this directory that are not listed."""

    def look(self, process: Process) -> Look:
        """Look at one worker process; cheap enough for every second."""

    def signal(self, instance: str, process: Process, signal: str) -> None:
        """Send ``TERM``, ``QUIT``, ``CONT`` or ``KILL``; KILL reaches the whole process tree.

        Only the process of that identity is signalled; if it is gone nothing happens.
        """

    def sweep(self, instance: str) -> int:
        """Kill whatever a worker of the instance left behind; return how many processes."""

    def log_tail(self, instance: str, lines_max: int) -> Sequence[str]:
        """Return the last lines of the worker's log; none if there is no log."""

    def discard(self, instance: str) -> None:
        """Remove the files of a deleted instance."""


class WorkerLogs(Protocol):
    """The logs of the workers of this branch, to be read."""

    def begin(
        self, instance: str, *, lines: int | None, since: float | None, whole: bool
    ) -> LogPiece:
        """Return the first piece of what was asked for.

        Args:
            instance: Whose log.
            lines: At most so many of its last lines; None for all.
            since: Only lines written since then, seconds since 1970; None for all.
            whole: Whether what stands at the end without a line's end is a line.
        """

    def read(self, instance: str, position: LogPosition, *, whole: bool) -> LogPiece:
        """Return the piece that begins at a position; arguments as for ``begin``."""

    def has_more(self, instance: str, position: LogPosition | None) -> bool:
        """Tell whether there is something to read behind a position; cheap, and may be wrong."""


class Machine(Protocol):
    """This machine, as far as workers need something of it."""

    def lacks(self, python: str, workdir: str | None) -> str:
        """Return what a worker would lack on this machine, in words; empty if it lacks nothing.

        Args:
            python: Absolute path of its interpreter.
            workdir: Absolute path of the directory it runs in, None for one of its own.
        """
