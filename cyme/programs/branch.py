"""``cyme-branch``: the program's first and last lines."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main() -> None:
    """Run the command line of this process and exit with its code.

    A process that is going to run a branch is patched before anything else is loaded; one that
    only prints something loads no gevent at all.
    """
    arguments = sys.argv[1:]
    if _runs_a_branch(arguments):
        from gevent import monkey  # noqa: PLC0415 - it must come first, and only here

        monkey.patch_all()
    from cyme.programs.command_line import run  # noqa: PLC0415 - what it loads must find it patched

    sys.exit(run(arguments))


def _runs_a_branch(arguments: Sequence[str]) -> bool:
    words = set(arguments)
    if words & {"-h", "--help", "--version"} or arguments[:1] in (["token"], ["broker"]):
        return False
    # With --detach a second process runs the branch, and is told by --ready-fd.
    return "--detach" not in words or any(word.startswith("--ready-fd") for word in words)


if __name__ == "__main__":
    main()
