"""Ports of what is kept: records, events, tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cyme.core.access import Role, TokenInfo, TokenMade
from cyme.core.events import Event
from cyme.core.model import Record


class Store(Protocol):
    """Durable storage of records."""

    def load(self) -> Sequence[Record]:
        """Return all records, tombstones included.

        Raises:
            DatabaseUnusable: The database cannot be read.
        """

    def write(self, records: Sequence[Record], *, timeout_s: float) -> None:
        """Store the records, all or none; they are durable when this returns.

        Raises:
            StorageFull: There is no room; nothing was written.
            StorageUnavailable: The database cannot be written; nothing was written.
            DeadlineExceeded: It took too long; whether it was written is not known.
        """

    def forget(self, records: Sequence[Record]) -> None:
        """Remove tombstones that nobody needs any more."""

    def fault(self) -> str | None:
        """Return why nothing can be written now, as far as is known; None if it can."""


class EventLog(Protocol):
    """Keeps the events of this branch from one start to the next; one call at a time."""

    def load(self) -> Sequence[Event]:
        """Return what was kept, the oldest first."""

    def append(self, events: Sequence[Event]) -> None:
        """Keep events, behind all others.

        Raises:
            StorageUnavailable: It cannot be written now; some of the events may be kept.
        """


class TokenKeeping(Protocol):
    """Where the tokens of this branch are kept; its methods may take as long as a disk does."""

    def list(self) -> list[TokenInfo]:
        """Return all tokens by name."""

    def put(self, name: str, role: Role, secret: str | None) -> TokenMade:
        """Make a token, or take one that was made elsewhere.

        Raises:
            InvalidRequest: The name can be none, or the secret is not one of a token of that role.
            Conflict: There is another token of that name.
            TooLarge: There are too many tokens.
            StorageUnavailable: It cannot be written; nothing changed.
        """

    def revoke(self, name: str) -> None:
        """Make a token worthless.

        Raises:
            NotFound: There is no token of that name.
            StorageUnavailable: It cannot be written; nothing changed.
        """
