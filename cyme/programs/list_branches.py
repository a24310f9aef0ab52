"""``cyme-list-branches``: the ids of a cluster's branches, as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from cyme.client import Client, ClientError
from cyme.client.addresses import DEFAULT_URL
from cyme.programs.registry import RunningBranch, running, state_dir

PROGRAM = "cyme-list-branches"
TIMEOUT_S = 10.0

_REFUSED = 1
_USAGE = 2

_ABOUT = """\
Print the ids of the branches of a cluster as a JSON list.

The cluster is found as the command cyme finds it: by CYME_URL (and CYME_TOKEN), else by a branch
that runs on this machine, else at http://127.0.0.1:8000.
"""


def main() -> NoReturn:
    """Run the program."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Print the ids, and return the exit code: 0, 1 if no branch answers, 2 for bad options."""
    given = _parser().parse_args(arguments)
    if given.limit is not None and given.limit < 0:
        return _complain("--limit takes a whole number, 0 or more.", _USAGE)
    try:
        with _client(os.environ) as client:
            ids = _ids(client, given.broker)
    except ClientError as exc:
        return _complain(exc.detail, _REFUSED)
    except ValueError as exc:
        return _complain(str(exc), _USAGE)
    sys.stdout.write(json.dumps(ids[: given.limit]) + "\n")
    return 0


def _ids(client: Client, broker: str | None) -> list[str]:
    """Return the ids, sorted; with a broker only of those that own instances on it."""
    if broker is None:
        return sorted(client.branches)
    from cyme.client.fleet.secrets import masked_url  # noqa: PLC0415 - few ask for it

    wanted = masked_url(broker)
    return sorted(
        {
            instance.branch
            for instance in client.instances.all()
            if instance.broker is not None and instance.broker.url == wanted
        }
    )


def _client(environ: Mapping[str, str]) -> Client:
    if environ.get("CYME_URL"):
        return Client.from_environment(environ, timeout_s=TIMEOUT_S)
    state = state_dir(environ)
    found = [each for each in (running(state) if state is not None else []) if each.url]
    if not found:
        return Client(DEFAULT_URL, token=environ.get("CYME_TOKEN") or None, timeout_s=TIMEOUT_S)
    first, *others = [str(each.url) for each in found if each.cluster == found[0].cluster]
    tokens = {str(each.url): token for each in found if (token := _token(each, environ))}
    return Client(first, urls=others, token=tokens, timeout_s=TIMEOUT_S)


def _token(branch: RunningBranch, environ: Mapping[str, str]) -> str | None:
    named = environ.get("CYME_TOKEN")
    if named:
        return named
    try:
        return branch.token_file.read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        PROGRAM, description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "-b",
        "--broker",
        metavar="URL",
        help="only the branches that own instances on this broker",
    )
    parser.add_argument("-l", "--limit", metavar="N", type=int, help="at most so many ids")
    return parser


def _complain(what: str, code: int) -> int:
    sys.stderr.write(f"{PROGRAM}: {what}\n")
    return code


if __name__ == "__main__":
    main()
