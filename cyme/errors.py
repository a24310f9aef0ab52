"""Every error that Cyme raises, in one tree: one class a cause, one sentence each.

The message of an error tells the person who meets it what to do. Its fields tell a program
what happened. ``cyme.api.problems`` holds the one table that maps these classes to HTTP
answers, and ``cyme.programs.branch`` the one place that maps them to exit codes.

No message carries a secret: a URL is masked before it enters an error.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class CymeError(Exception):
    """Something went wrong in a way that Cyme understands."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


# --- what a caller asked for -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """One parameter that cannot be accepted.

    Attributes:
        parameter: The name of the parameter as the caller spells it.
        detail: What is wrong with it and what would be right.
    """

    parameter: str
    detail: str


class InvalidRequest(CymeError):
    """The caller sent parameters that cannot be accepted; nothing was changed."""

    def __init__(self, detail: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.faults = tuple(faults)

    @classmethod
    def of(cls, parameter: str, detail: str) -> InvalidRequest:
        """Build the error for a single bad parameter."""
        return cls(f"{parameter}: {detail}", [Fault(parameter, detail)])


class NotFound(CymeError):
    """The named thing does not exist."""

    def __init__(self, kind: str, name: str, hint: str = "") -> None:
        super().__init__(f"There is no {kind} named {name!r}.{' ' + hint if hint else ''}")
        self.kind = kind
        self.name = name


class Conflict(CymeError):
    """The request contradicts what exists."""


class PreconditionFailed(CymeError):
    """The record has changed since the caller read it."""


class TooLarge(CymeError):
    """The request, or what it would make, exceeds a limit."""


class NotSupported(CymeError):
    """The request is understood and cannot be done here."""


# --- who asks ----------------------------------------------------------------------------------


class NotAuthenticated(CymeError):
    """The caller showed no token, or one that is not known here."""


class Forbidden(CymeError):
    """The caller is known and may not do this."""


class Misdirected(CymeError):
    """The request names a host that this branch does not serve."""


# --- what stands behind a branch ---------------------------------------------------------------


class Unavailable(CymeError):
    """Something that the request needs is away for the moment.

    Attributes:
        retry_after_s: When to try again, in seconds.
    """

    def __init__(self, detail: str, retry_after_s: float = 5.0) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class BrokerUnavailable(Unavailable):
    """A message broker does not answer."""


class OwnerUnreachable(Unavailable):
    """The branch that owns the record cannot be asked."""


class NotOwner(Unavailable):
    """The record belongs to another branch (by now), which is to be asked instead.

    Attributes:
        owner: The id of that branch.
        epoch: The epoch of its ownership.
    """

    def __init__(self, owner: str, epoch: int) -> None:
        super().__init__(f"It belongs to branch {owner!r} by now. Try again.", retry_after_s=1.0)
        self.owner = owner
        self.epoch = epoch


class StorageUnavailable(Unavailable):
    """The database refuses to write; what was stored before is intact."""

    @classmethod
    def of(cls, error: OSError, detail: str) -> StorageUnavailable:
        """Return the error for a file that could not be written.

        Args:
            error: Why, as the system says it.
            detail: What was not written, and what to do.
        """
        return StorageFull(detail) if error.errno in _NO_ROOM else cls(detail)


class StorageFull(StorageUnavailable):
    """The disk or the database is full; what was stored before is intact."""


class Overloaded(Unavailable):
    """A bounded queue is full."""


class DeadlineExceeded(CymeError):
    """The answer did not come within the caller's deadline."""


class BrokerRefused(CymeError):
    """A message broker refused an operation, and will refuse it again."""


class WorkerStartFailed(CymeError):
    """A worker process could not be started."""


class ProtocolError(CymeError):
    """A peer sent bytes that are not of the protocol; they were counted and dropped."""


# --- programs ----------------------------------------------------------------------------------


class StartupError(CymeError):
    """A program cannot start as it was asked to.

    Attributes:
        exit_code: What the program returns to its caller.
    """

    exit_code = 1


class SettingsError(StartupError):
    """A flag, an environment variable or a key of the settings file cannot be accepted."""

    exit_code = 2


class DirectoryUnusable(StartupError):
    """The branch's directory cannot be created, read or written."""

    exit_code = 3


class DirectoryLocked(StartupError):
    """Another branch runs on the same directory or database."""

    exit_code = 4


class AddressUnavailable(StartupError):
    """An address, of HTTP or of the cluster, cannot be bound."""

    exit_code = 5


class SchemaTooNew(StartupError):
    """The database was written by a newer Cyme."""

    exit_code = 6


class DatabaseUnusable(StartupError):
    """The database cannot be opened or is damaged."""

    exit_code = 7


class EmbeddedBrokerFailed(StartupError):
    """The embedded broker could not be started."""

    exit_code = 8


class DuplicateBranch(StartupError):
    """Another branch of this id is alive in the cluster."""

    exit_code = 9
