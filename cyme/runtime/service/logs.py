"""Use cases of worker logs: read and followed from any branch, wherever the worker runs.

The branch that owns an instance reads its log, a piece at a time, from a position that the reader
brings along. So nothing is kept for a reader there: a branch that is started again goes on where
it was, and so does a reader whose instance moves away and comes back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import gevent

from cyme.core.model import BranchId
from cyme.core.ports import WorkerLogs
from cyme.core.worker_logs import LogPiece, LogPosition
from cyme.errors import (
    CymeError,
    DeadlineExceeded,
    NotFound,
    NotOwner,
    NotSupported,
    Overloaded,
    Unavailable,
)
from cyme.runtime.service.remote import remote
from cyme.runtime.service.standings import Standings

#: Readers that follow a log through this branch at a time.
FOLLOWERS_MAX = 100

#: So many of those that other branches ask for may wait here at a time; for whom there is no room,
#: what there is is told at once, and the rest of the cluster can still ask for other things.
WAITING_MAX = 128

#: The owner of an instance is asked to wait so long for more of its log, in seconds; whether
#: the reader is still there is looked at in between.
WAIT_S = 2.0

#: How often it is looked whether there is more.
LOOK_PERIOD_S = 0.2

#: A call for a piece may take so long, beside the wait, in seconds.
PIECE_TIMEOUT_S = 5.0

#: A branch that cannot be asked is asked again after so long, in seconds.
RETRY_S = 1.0

#: When to try again where there are too many readers, in seconds.
_RETRY_AFTER_S = 10.0


class Logs(Standings):
    """The logs of workers."""

    @remote(writes=False)
    def log_here(
        self,
        name: str,
        *,
        position: LogPosition | None = None,
        lines: int | None = None,
        since: float | None = None,
        whole: bool = False,
        wait_s: float = 0.0,
        left: bool = False,
        timeout_s: float,
    ) -> LogPiece:
        """Return a piece of the log of an instance's worker on this branch.

        Args:
            name: The instance.
            position: Where the piece begins; without it the log begins as ``lines`` and
                ``since`` say, or at its very beginning.
            lines: At most so many of the last lines.
            since: Only lines written since then, seconds since 1970.
            whole: Whether what stands at the end without a line's end is a line.
            wait_s: How long to wait if there is nothing, in seconds.
            left: Whether it is read although the instance runs elsewhere by now.
            timeout_s: What is left of the caller's time.

        Raises:
            NotFound: There is none of that name.
            NotOwner: Another branch owns it.
        """
        if left:
            self.instance(name)
        else:
            self._owned(name)
        wait_s = min(wait_s, timeout_s)
        piece = self._piece(name, position, lines, since, whole=whole)
        if piece.text or piece.lost or not self._wait_for_more(name, piece.position, wait_s):
            return piece
        return self._piece(name, piece.position, None, None, whole=whole)

    def _piece(
        self,
        name: str,
        position: LogPosition | None,
        lines: int | None,
        since: float | None,
        *,
        whole: bool,
    ) -> LogPiece:
        logs = self._log_files()
        if position is None:
            return logs.begin(name, lines=lines, since=since, whole=whole)
        return logs.read(name, position, whole=whole)

    def _log_files(self) -> WorkerLogs:
        if self._logs is None:
            raise NotSupported(f"Branch {self._replica.branch_id!r} cannot read logs.")
        return self._logs

    def _wait_for_more(self, name: str, position: LogPosition | None, wait_s: float) -> bool:
        """Wait until there is more behind a position; tell whether there is, by then."""
        left_s = wait_s if self._log_waits < WAITING_MAX else 0.0
        self._log_waits += 1
        try:
            while left_s > 0:
                gevent.sleep(LOOK_PERIOD_S)
                left_s -= LOOK_PERIOD_S
                if self._log_files().has_more(name, position):
                    return True
        finally:
            self._log_waits -= 1
        return False

    def open_log(
        self,
        name: str,
        app: str | None,
        *,
        lines: int | None,
        since: float | None,
        follow: bool,
    ) -> LogReading:
        """Begin to read the log of an instance's worker; it must be closed.

        Args:
            name: The instance.
            app: The app that it must belong to, None for any.
            lines: At most so many of the last lines; None for all.
            since: Only lines written since then, seconds since 1970; None for all.
            follow: Whether to go on with what is written from now on.

        Raises:
            NotFound: There is none of that name, or it belongs to another app.
            OwnerUnreachable: The branch that owns it cannot be asked.
            Overloaded: Too many follow logs already.
        """
        self.instance(name, app)
        if follow and self._followers >= FOLLOWERS_MAX:
            raise Overloaded(
                f"{FOLLOWERS_MAX} readers follow logs through this branch already. Follow it "
                "through another branch, or try again.",
                retry_after_s=_RETRY_AFTER_S,
            )

        def ask(branch: BranchId, **arguments: object) -> LogPiece:
            return self._at(
                branch,
                self.log_here,
                name=name,
                whole=not follow,
                timeout_s=PIECE_TIMEOUT_S + WAIT_S,
                **arguments,
            )

        reading = LogReading(
            name,
            owner=lambda: self._owner_of(name),
            ask=ask,
            wall=self._clock.wall,
            lines=lines,
            since=since,
            follow=follow,
        )
        if follow:
            self._followers += 1
            reading.when_closed(self._note_follower_gone)
        try:
            reading.begin()
        except BaseException:
            reading.close()
            raise
        return reading

    def _owner_of(self, name: str) -> BranchId | None:
        instance = self._replica.instance(name)
        return None if instance is None else instance.owner

    def _note_follower_gone(self) -> None:
        self._followers -= 1


class LogReading:
    """Reads a log piece by piece, on whichever branch the worker runs.

    Iterating yields text; an empty one where there is nothing new, so that whoever iterates can
    look whether to go on. What Cyme has to say stands in lines of its own.

    Args:
        name: The instance.
        owner: Returns the branch that owns it, None once it is deleted.
        ask: Has a branch read a piece.
        wall: Returns seconds since 1970.
        lines: At most so many of the last lines to begin with.
        since: Only lines written since then, seconds since 1970.
        follow: Whether to go on with what is written from now on.
    """

    def __init__(
        self,
        name: str,
        *,
        owner: Callable[[], BranchId | None],
        ask: Callable[..., LogPiece],
        wall: Callable[[], float],
        lines: int | None,
        since: float | None,
        follow: bool,
    ) -> None:
        self._name = name
        self._owner = owner
        self._ask = ask
        self._opened_at = wall()
        self._lines, self._since = lines, since
        self._follow = follow
        self._branch = BranchId("")
        self._first: LogPiece | None = None
        self._positions: dict[BranchId, LogPosition | None] = {}
        self._silent = False
        self._on_close: list[Callable[[], None]] = []

    def begin(self) -> None:
        """Read the first piece; raises what keeps it from being read."""
        owner = self._owner()
        if owner is None:
            raise NotFound("instance", self._name, "It was deleted at this moment.")
        try:
            self._first = self._read(owner, wait_s=0.0)
        except NotOwner as exc:
            owner = BranchId(exc.owner)
            self._first = self._read(owner, wait_s=0.0)
        self._branch = owner

    def when_closed(self, call: Callable[[], None]) -> None:
        """Have ``call`` called once when the reading is closed."""
        self._on_close.append(call)

    def close(self) -> None:
        """Read no more."""
        while self._on_close:
            self._on_close.pop()()

    def __iter__(self) -> Iterator[bytes]:
        first = self._first
        assert first is not None, "it was begun"
        yield first.text
        yield from self._followed() if self._follow else self._rest(first.left_bytes)

    def _read(self, branch: BranchId, *, wait_s: float, left: bool = False) -> LogPiece:
        is_known = branch in self._positions
        piece = self._ask(
            branch,
            position=self._positions.get(branch),
            lines=None if is_known else self._lines,
            since=None if is_known else self._since,
            wait_s=wait_s,
            left=left,
        )
        self._positions[branch] = piece.position
        return piece

    def _rest(self, left_bytes: int) -> Iterator[bytes]:
        """Return what was there when the first piece was read, and no more."""
        while left_bytes > 0:
            try:
                piece = self._read(self._branch, wait_s=0.0, left=True)
            except CymeError as exc:
                yield _note(f"the rest cannot be read: {exc.detail}")
                return
            if not piece.read_bytes:
                return
            left_bytes -= piece.read_bytes
            yield from self._told(piece)

    def _followed(self) -> Iterator[bytes]:
        while True:
            owner = self._owner()
            if owner is None:
                yield _note(f"{self._name} was deleted")
                return
            if owner != self._branch:
                yield from self._move_to(owner)
            asked_at = time.monotonic()
            try:
                piece = self._read(owner, wait_s=WAIT_S)
            except (NotOwner, NotFound):  # it changes hands, or is being deleted
                yield b""
                gevent.sleep(RETRY_S)
            except (Unavailable, DeadlineExceeded):
                yield from self._told_silent()
                gevent.sleep(RETRY_S)
            except CymeError as exc:
                yield _note(f"the log cannot be read: {exc.detail}")
                return
            else:
                if self._silent:
                    self._silent = False
                    yield _note(f"branch {owner} answers again")
                yield from self._told(piece)
                waited_s = time.monotonic() - asked_at
                if not piece.text and waited_s < min(WAIT_S, LOOK_PERIOD_S):
                    gevent.sleep(RETRY_S)  # there was no room to wait

    def _move_to(self, owner: BranchId) -> Iterator[bytes]:
        """Read what is left where the worker ran, and go on where it runs."""
        # It is often because that branch is away that the worker runs elsewhere.
        with suppress(CymeError):
            yield from self._told(self._read(self._branch, wait_s=0.0, left=True))
        yield _note(f"{self._name} runs on branch {owner} now")
        self._branch, self._silent = owner, False
        self._lines, self._since = None, self._opened_at

    def _told_silent(self) -> Iterator[bytes]:
        if self._silent:
            yield b""
            return
        self._silent = True
        yield _note(f"branch {self._branch} cannot be asked; waiting for it")

    def _told(self, piece: LogPiece) -> Iterator[bytes]:
        if piece.lost:
            yield _note(f"lines of {self._name} were rotated away before they could be read")
        yield piece.text


def _note(text: str) -> bytes:
    return f"-- cyme: {text} --\n".encode()
