"""Results of tasks, kept for those who ask later: some time, so many, so much."""

from __future__ import annotations

import re

from peewee import chunked, fn

from cyme.adapters.database.models import TASK_ID_CHARS_MAX, KeptResult
from cyme.adapters.database.session import Session
from cyme.errors import TooLarge

RESULTS_MAX = 10_000
RESULT_BYTES_MAX = 8 * 1024 * 1024
RESULTS_BYTES_MAX = 512 * 1024 * 1024

#: How much is removed at once when a limit is passed, so that it is not passed again at once.
_EVICTED_SHARE = 0.1
_DELETED_AT_ONCE = 500

_TASK_ID = re.compile(rf"[!-~]{{1,{TASK_ID_CHARS_MAX}}}")


def is_task_id(task_id: str) -> bool:
    """Tell whether a result can have been kept under this id."""
    return _TASK_ID.fullmatch(task_id) is not None


def check_payload(payload: bytes) -> None:
    """Let pass what fits.

    Raises:
        TooLarge: The result exceeds ``RESULT_BYTES_MAX``.
    """
    if len(payload) > RESULT_BYTES_MAX:
        raise TooLarge(
            f"The result has {len(payload)} bytes; at most {RESULT_BYTES_MAX} can be kept."
        )


class Results:
    """The table of results. Its methods are work for the native thread.

    It counts what it holds, so that keeping a result costs no look at the whole table.
    """

    def __init__(self) -> None:
        self._counted = False
        self._count = 0
        self._bytes = 0

    def keep(self, session: Session, task_id: str, payload: bytes, expires_at: float) -> None:
        """Keep a result in place of an earlier one; the first to expire make room."""
        row = {
            "task_id": task_id,
            "payload": payload,
            "payload_bytes": len(payload),
            "expires_at": expires_at,
        }
        session.upsert(KeptResult, [row])
        if not self._counted:
            self._recount(session)
        else:
            self._count += 1
            self._bytes += len(payload)
        if self._count > RESULTS_MAX or self._bytes > RESULTS_BYTES_MAX:
            self._evict(session)

    def fetch(self, session: Session, task_id: str) -> bytes | None:
        """Return the result of a task, if it is kept."""
        query = KeptResult.select(KeptResult.payload).where(KeptResult.task_id == task_id)
        found = list(query.tuples().execute(session.db))
        return bytes(found[0][0]) if found else None

    def prune(self, session: Session, now: float) -> int:
        """Remove what has expired and return how much that was."""
        self._counted = False
        query = KeptResult.delete().where(KeptResult.expires_at <= now)
        return int(query.execute(session.db))

    def _recount(self, session: Session) -> None:
        totals = KeptResult.select(
            fn.COUNT(KeptResult.task_id), fn.COALESCE(fn.SUM(KeptResult.payload_bytes), 0)
        )
        ((count, size),) = totals.tuples().execute(session.db)
        self._count, self._bytes = int(count), int(size)
        self._counted = True

    def _evict(self, session: Session) -> None:
        """Remove the first to expire, where the limits are really passed.

        Replaced results and transactions that failed make the counts too high, never too low.
        """
        self._recount(session)
        if self._count <= RESULTS_MAX and self._bytes <= RESULTS_BYTES_MAX:
            return
        surplus = self._count - RESULTS_MAX * (1 - _EVICTED_SHARE)
        surplus_bytes = self._bytes - RESULTS_BYTES_MAX * (1 - _EVICTED_SHARE)
        oldest = KeptResult.select(KeptResult.task_id, KeptResult.payload_bytes)
        evicted: list[str] = []
        for task_id, size in oldest.order_by(KeptResult.expires_at).tuples().execute(session.db):
            if surplus <= 0 and surplus_bytes <= 0:
                break
            surplus -= 1
            surplus_bytes -= size
            evicted.append(task_id)
        for chunk in chunked(evicted, _DELETED_AT_ONCE):
            KeptResult.delete().where(KeptResult.task_id.in_(chunk)).execute(session.db)
        self._counted = False
