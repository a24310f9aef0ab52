# ruff: noqa: E402 - patching comes before all other imports
"""Writes records for ever and prints the name of each that is acknowledged; it is to be killed."""

from gevent import monkey

monkey.patch_all()

import sys
from pathlib import Path

import gevent

from cyme.adapters.database import Database
from tests.adapters.database.samples import BRANCH, app

WRITERS = 8


def main() -> None:
    url, backups = sys.argv[1:]
    store = Database(url, branch_id=BRANCH, backup_dir=Path(backups))
    store.open()

    def write(writer: int) -> None:
        number = 0
        while True:
            name = f"w{writer}-{number}"
            store.write([app(name), app(f"pair-{name}")], timeout_s=10)
            sys.stdout.write(f"{name}\n")
            sys.stdout.flush()
            number += 1

    gevent.joinall([gevent.spawn(write, writer) for writer in range(WRITERS)], raise_error=True)


if __name__ == "__main__":
    main()
