"""The exit codes of the command: one table, which the help and the documentation print."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class Exit(IntEnum):
    """What the command returns to its caller."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    NOT_ALLOWED = 4
    CONFLICT = 5
    UNREACHABLE = 6
    TIMED_OUT = 7
    PARTLY = 8
    REFUSED = 9
    INTERRUPTED = 130
    BROKEN_PIPE = 141


MEANINGS: Mapping[Exit, str] = {
    Exit.OK: "it is done, or all is well",
    Exit.FAILED: "it failed; the task failed; status: something is not well; diff: it differs",
    Exit.USAGE: "the command line, a file or a parameter cannot be accepted; nothing was changed",
    Exit.NOT_FOUND: "there is no such app, instance, queue, branch, task, token or context",
    Exit.NOT_ALLOWED: "a token is needed, is not known, or may not do this",
    Exit.CONFLICT: "it contradicts what exists, or that has changed meanwhile",
    Exit.UNREACHABLE: "no branch, or not what stands behind it, can be reached",
    Exit.TIMED_OUT: "it was not done in time; it may still happen",
    Exit.PARTLY: "some of it was done and some was not; what was is told",
    Exit.REFUSED: "you were asked and said no, or nobody could be asked and --yes was not given",
    Exit.INTERRUPTED: "Ctrl-C",
    Exit.BROKEN_PIPE: "whoever read the output stopped reading it",
}
