"""What went wrong, in a sentence for the person at the terminal, and as an exit code."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cyme.cli.exits import Exit
from cyme.errors import CymeError, StartupError

_CLOSE = 0.5
#: What a branch tells of its API is told of the command here.
_SPELLINGS = (
    (r"GET /(instances|branches)/ lists (?:all of them|those that are there)",
     r"'cyme get \1' lists those that are there"),
    (r"PUT /([^/ ]+)/ creates it", r"'cyme create app \1' creates it"),
    (r"PUT /([^/ ]+)/queues/([^/ ]+)/ declares it",
     r"'cyme create queue \2 -a \1' declares it"),
    (r"declare it first \(PUT /([^/ ]+)/queues/([^/ ]+)/\)",
     r"declare it first ('cyme create queue \2 -a \1')"),
    (r"send 'Authorization: Bearer TOKEN', or the token as the password of Basic\.",
     "'cyme login' keeps one, CYME_TOKEN has one for this once."),
    (r"'cyme-branch token list' shows which are known",
     "'cyme context show' tells where it is from, 'cyme-branch token list' which are known"),
    (r", as in /[^/ ]+/queue/[^/ ]+/(http\S+)", r", as \1"),
    (r"with ca=", "with CYME_CA, or --ca of 'cyme context set'"),
    (r"give token= instead", "'cyme login' keeps a token"),
    (r"(?:give|say) force=true", "say --force"),
    (r"with force=true", "with --force"),
    (r"\(cyme-branch token create\)",
     "('cyme-branch token create' on the branch's machine makes one, 'cyme login' keeps it)"),
)  # fmt: skip


class CommandFailed(CymeError):
    """The command could not do what it was asked.

    Attributes:
        exit_code: What it returns.
    """

    def __init__(self, detail: str, exit_code: Exit = Exit.FAILED) -> None:
        super().__init__(detail)
        self.exit_code = exit_code


class BadUsage(CommandFailed):
    """The command line cannot be accepted."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, Exit.USAGE)


def told(error: CymeError) -> str:
    """Return what went wrong, in the words of whoever uses the command."""
    detail = error.detail
    for spelling, ours in _SPELLINGS:
        detail = re.sub(spelling, ours, detail)
    return detail


def exit_of(error: CymeError) -> Exit:
    """Return the exit code of an error."""
    if isinstance(error, CommandFailed):
        return error.exit_code
    # The client is loaded by whoever could have met one of its errors.
    from cyme.client import errors  # noqa: PLC0415

    for kinds, code in (
        ((errors.InvalidRequest, errors.TooLarge, errors.NotSupported), Exit.USAGE),
        (errors.NotFound, Exit.NOT_FOUND),
        ((errors.NotAuthenticated, errors.Forbidden), Exit.NOT_ALLOWED),
        ((errors.Conflict, errors.PreconditionFailed), Exit.CONFLICT),
        (errors.Timeout, Exit.TIMED_OUT),
        ((errors.ConnectionFailed, errors.Unavailable, errors.Misdirected), Exit.UNREACHABLE),
        ((errors.BadReply,), Exit.UNREACHABLE),
        (StartupError, Exit.UNREACHABLE),
    ):
        if isinstance(error, kinds):
            return code
    return _exit_of_own(error)


def _exit_of_own(error: CymeError) -> Exit:
    """Return the exit code of an error that a branch's own code raised, as in a shell of ours."""
    from cyme import errors  # noqa: PLC0415 - rarely needed

    if isinstance(error, errors.InvalidRequest):
        return Exit.USAGE
    if isinstance(error, errors.NotFound):
        return Exit.NOT_FOUND
    if isinstance(error, errors.Conflict | errors.PreconditionFailed):
        return Exit.CONFLICT
    return Exit.FAILED


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for a word that is nearly a known one, else nothing."""
    import difflib  # noqa: PLC0415 - only after a slip

    by_lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(wrong.lower(), by_lower, n=1, cutoff=_CLOSE)
    if not close:
        starts = sorted(each for each in by_lower if wrong and each.startswith(wrong.lower()))
        close = starts[:1]
    return f" Did you mean {by_lower[close[0]]!r}?" if close else ""
