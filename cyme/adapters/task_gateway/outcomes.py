"""What Celery's result backends hold of a task, read as plain JSON: nothing is unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping

from cyme.core.tasks import Outcome, TaskState

#: What a task is told to have become if its worker wrote what nobody but Python can read.
UNREADABLE = Outcome(
    state=TaskState.FAILURE,
    result={
        "exc_type": "ResultUnreadable",
        "exc_message": "The worker stored the result in another form than JSON. Set "
        "result_serializer to json in the worker's application.",
    },
)

#: Stands for a result that cannot be read.
UNREADABLE_PAYLOAD = b"null"

_STATES = frozenset(TaskState)
_WITH_EXCEPTION = frozenset({TaskState.FAILURE, TaskState.RETRY, TaskState.REVOKED})
_SURROGATE = b"\\ud"


def outcome_of(payload: bytes) -> Outcome:
    """Read the JSON that a result backend holds of a task.

    Args:
        payload: ``celery.backends.base.Backend``'s meta: ``status``, ``result``, ``traceback``.

    Returns:
        The outcome; ``UNREADABLE`` for what is no such thing.
    """
    try:
        meta = json.loads(payload, object_hook=_plain)
        if _SURROGATE in payload.lower():
            # Half a character cannot be written as UTF-8, so a reply could not hold it.
            text = json.dumps(meta, ensure_ascii=False).encode(errors="replace")
            meta = json.loads(text)
    except (ValueError, RecursionError):
        return UNREADABLE
    if not isinstance(meta, dict) or not isinstance(meta.get("status"), str):
        return UNREADABLE
    # A state of the user's own making is one that a task has while it runs.
    state = TaskState(meta["status"]) if meta["status"] in _STATES else TaskState.STARTED
    result, traceback = meta.get("result"), meta.get("traceback")
    if state in _WITH_EXCEPTION and isinstance(result, dict):
        result = _exception(result)
    return Outcome(
        state=state,
        result=result,
        traceback=traceback if isinstance(traceback, str) else None,
    )


def _plain(found: dict[str, object]) -> object:
    """Return what Kombu wrote for a type that JSON lacks (a date, a UUID) as its text."""
    if found.keys() == {"__type__", "__value__"}:
        return found["__value__"]
    return found


def _exception(result: Mapping[str, object]) -> Mapping[str, str]:
    """Return an exception as ``Backend.prepare_exception`` wrote it, its arguments as text."""
    message = result.get("exc_message")
    arguments = message if isinstance(message, list) else [message]
    return {
        "exc_type": str(result.get("exc_type")),
        "exc_message": ", ".join(str(argument) for argument in arguments if argument is not None),
    }
