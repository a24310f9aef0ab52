"""The latest results, in memory: bounded by count and by bytes."""

from __future__ import annotations

from collections import OrderedDict

RECENT_MAX = 2000
RECENT_BYTES_MAX = 8 * 1024 * 1024


class Recent:
    """Payloads by task; the ones least recently put or asked for make room."""

    def __init__(self) -> None:
        self._payloads: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def put(self, task_id: str, payload: bytes) -> None:
        """Remember a payload in place of the task's earlier one."""
        self._bytes += len(payload) - len(self._payloads.pop(task_id, b""))
        self._payloads[task_id] = payload
        while self._bytes > RECENT_BYTES_MAX or len(self._payloads) > RECENT_MAX:
            _, oldest = self._payloads.popitem(last=False)
            self._bytes -= len(oldest)

    def get(self, task_id: str) -> bytes | None:
        """Return a task's payload, if it is still remembered."""
        payload = self._payloads.get(task_id)
        if payload is not None:
            self._payloads.move_to_end(task_id)
        return payload
