"""``cyme``: the program's first and last lines."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from cyme.cli.environment import takes_colour, wants_tracebacks
from cyme.cli.exits import Exit
from cyme.cli.root import COMPLETE_VARIABLE, PROGRAM, root
from cyme.cli.text.clean import one_line
from cyme.cli.text.paint import Paint, painted
from cyme.errors import CymeError

_NO_BRANCH = (
    " If none runs on this machine, 'cyme-branch :8000' starts one; --url or CYME_URL names one "
    "elsewhere, or one of another user."
)

#: Why what is printed cannot be written: what it goes to is full, or broken.
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def main() -> None:
    """Run the command line of this process and exit with its code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed before the program began
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 - until the end
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            # What a terminal of another encoding cannot show is escaped, and no reason to fail.
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    code = run(sys.argv[1:])
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; no error passes as a traceback."""
    try:
        code = _dispatch(arguments)
    except BrokenPipeError:
        return _leave_quietly()
    except (click.Abort, EOFError, KeyboardInterrupt):
        code = Exit.INTERRUPTED
    except (click.exceptions.Exit, click.ClickException, CymeError) as exc:
        code = _told(exc)
    except Exception as exc:
        # The person at the terminal is no programmer.
        if wants_tracebacks():
            raise
        code = _told(exc)
    return _flushed(code)


def _dispatch(arguments: Sequence[str]) -> int:
    """Run a command line; click's own ``main`` would hide a reader who is gone."""
    asked = os.environ.get(COMPLETE_VARIABLE)
    if asked:
        from click.shell_completion import shell_complete  # noqa: PLC0415 - only for a Tab

        return shell_complete(root, {}, PROGRAM, COMPLETE_VARIABLE, asked)
    with root.make_context(PROGRAM, list(arguments)) as ctx:
        returned = root.invoke(ctx)
    return returned if isinstance(returned, int) else Exit.OK


def _told(error: Exception) -> int:
    """Say what went wrong, after what was printed before, and return the exit code."""
    if isinstance(error, OSError) and error.errno in _UNWRITABLE and error.filename is None:
        return _unwritten(error)
    _flushed(Exit.FAILED)
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.UsageError():
            error.show()
            return Exit.USAGE
        case click.ClickException():
            _say(error.format_message())
            return Exit.FAILED
        case CymeError():
            return _tell(error)
    _say(
        f"This should not have happened: {type(error).__name__}: {error}. "
        "CYME_DEBUG=1 shows where; please report it."
    )
    return Exit.FAILED


def _tell(error: CymeError) -> int:
    from cyme.cli.faults import exit_of, told  # noqa: PLC0415 - it loads the client's errors

    if wants_tracebacks():
        import traceback  # noqa: PLC0415 - only for a programmer

        traceback.print_exception(error)
    code = exit_of(error)
    _say(told(error) + (_NO_BRANCH if code is Exit.UNREACHABLE and _is_usual(error) else ""))
    return code


def _is_usual(error: CymeError) -> bool:
    """Tell whether it is the usual address that cannot be reached: none was found, or named."""
    from cyme.client.addresses import DEFAULT_URL  # noqa: PLC0415 - as above

    return getattr(error, "url", None) == DEFAULT_URL


def _say(text: str) -> None:
    word = painted(f"{PROGRAM}:", Paint.BAD, colour=takes_colour(sys.stderr))
    with suppress(OSError):
        sys.stderr.write(f"{word} {one_line(text)}\n")


def _flushed(code: int) -> int:
    """Write what was printed before; return the code, or that of what cannot be written."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _leave_quietly()
    except OSError as exc:
        return _unwritten(exc)
    return code


def _leave_quietly() -> int:
    """End as a program does that SIGPIPE ended."""
    _print_no_more()
    return Exit.BROKEN_PIPE


def _unwritten(error: OSError) -> int:
    """Say that what was printed is lost, and return the exit code."""
    _print_no_more()
    _say(f"What it prints cannot be written: {error.strerror}.")
    return Exit.FAILED


def _print_no_more() -> None:
    """Have Python flush into nowhere at its end, where it would tell of the trouble once more."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
