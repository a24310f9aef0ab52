"""The few colours that the command uses, each with a meaning, never alone: a word goes with it."""

from __future__ import annotations

from enum import StrEnum

_RESET = "\x1b[0m"


class Paint(StrEnum):
    """What a colour means."""

    GOOD = "\x1b[32m"
    BUSY = "\x1b[33m"
    BAD = "\x1b[31m"
    FAINT = "\x1b[2m"
    BOLD = "\x1b[1m"
    CYAN = "\x1b[36m"


#: What is told apart by colour only, such as the instances in a log, takes these in turn.
_HUES = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)

_BY_STATE = {
    **dict.fromkeys(("running", "alive", "SUCCESS", "succeeded", "ok"), Paint.GOOD),
    **dict.fromkeys(
        (
            *("pending", "starting", "restarting", "stopping", "backoff"),
            *("suspect", "leaving", "drained"),
            *("STARTED", "RETRY", "started", "retried", "received", "sent"),
        ),
        Paint.BUSY,
    ),
    **dict.fromkeys(
        ("unresponsive", "disabled", "failed", "unknown", "FAILURE", "REVOKED", "rejected"),
        Paint.BAD,
    ),
    **dict.fromkeys(("stopped", "left", "gone", "revoked", "PENDING"), Paint.FAINT),
}


def painted(text: str, paint: Paint | None, *, colour: bool) -> str:
    """Return a text in a colour, or as it is where there are none."""
    return f"{paint}{text}{_RESET}" if colour and paint is not None and text else text


def hue(index: int, text: str, *, colour: bool) -> str:
    """Return a text in one of ten colours."""
    return f"\x1b[{_HUES[index % len(_HUES)]}m{text}{_RESET}" if colour else text


def state_paint(state: str) -> Paint | None:
    """Return the colour of a state, of whatever is in it."""
    return _BY_STATE.get(state)
