"""How many processors a worker uses: two looks at its processor time, far enough apart."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cyme.core.workers import Look, Process

#: Looks that are closer than this to each other are not compared, in seconds: processor time is
#: counted in hundredths of a second, and looks may follow each other at once.
WINDOW_S_MIN = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a worker used of the processors.

    Attributes:
        process: Its main process.
        at: When it was looked at (monotonic seconds).
        cpu_s: Processor seconds that it had used then.
        cpu: Processors that it used between the look before and that one, None until there
            were two.
    """

    process: Process
    at: float
    cpu_s: float
    cpu: float | None = None


def used(before: Usage | None, process: Process, look: Look, now: float) -> Usage:
    """Return what a worker used, after a look at it.

    Args:
        before: What was returned after the look before, None if there was none.
        process: Its main process, which another one may have been before.
        look: The look.
        now: Monotonic seconds.
    """
    if before is None or before.process != process:
        return Usage(process=process, at=now, cpu_s=look.cpu_s)
    if now - before.at < WINDOW_S_MIN:
        return before
    # What a child used that nobody reaped is lost with it, so the sum may fall.
    cpu = max(0.0, look.cpu_s - before.cpu_s) / (now - before.at)
    return replace(before, at=now, cpu_s=look.cpu_s, cpu=cpu)
