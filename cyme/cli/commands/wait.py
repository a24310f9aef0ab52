"""``cyme wait``: until something is so."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from cyme.cli import kinds, waiting
from cyme.cli.completing import typed_names
from cyme.cli.exits import Exit
from cyme.cli.faults import BadUsage, CommandFailed
from cyme.cli.options import OUTPUT, Command, pass_session, takes
from cyme.cli.reading import Wanted, rows_of
from cyme.cli.session import Session
from cyme.cli.tasks import app_of_task, finish

_AWAITED = (kinds.INSTANCES, kinds.APPS, kinds.TASKS, kinds.QUEUES)
_STATES = ("running", "stopped", "deleted", "pending", "starting", "unresponsive", "disabled")
_POLL_S = 1.0


@click.command(
    "wait",
    cls=Command,
    examples="""
    cyme wait instance w1                       until it runs
    cyme wait instance w1 --for stopped --wait-timeout 30
    cyme wait app shop                          until all that is to run runs
    cyme wait task 0199c5a5-6b52-8d4e-9a62-3f7b0c61d2aa
    cyme wait queue orders -a shop              until it is empty
    """,
    help="Wait until an instance is in a state, all enabled instances of an app run, a task is "
    "done or a queue is empty. Returns 0 then, 1 where it never will be (a task that failed, an "
    "instance that was given up), 7 after the timeout.",
)
@click.argument(
    "words", nargs=-1, required=True, metavar="TYPE NAME...", shell_complete=typed_names(_AWAITED)
)
@click.option(
    "--for",
    "state",
    metavar="STATE",
    type=click.Choice(_STATES),
    help="Of instances: running (the default), stopped, deleted, ...",
)
@click.option(
    "--wait-timeout", "wait_timeout", type=float, metavar="SECONDS", help="So long.  [default: 120]"
)
@takes(OUTPUT)
@pass_session
def command(
    session: Session, words: Sequence[str], state: str | None, wait_timeout: float | None
) -> int:
    """Wait until something is so."""
    kind, names = kinds.split_types(words, _AWAITED)
    if not names:
        raise BadUsage(f"Which {kind.singular}?")
    if kind is kinds.TASKS:
        if len(names) > 1:
            raise BadUsage("One task a call.")
        return finish(session, app_of_task(session, names[0]), names[0], wait_timeout)
    if kind is kinds.QUEUES:
        _wait_for_queues(session, names, wait_timeout or waiting.WAIT_S)
        return Exit.OK
    state = state or "running"
    if kind is kinds.APPS:
        apps = rows_of(session, kinds.APPS, Wanted(names=names))
        known = {str(name) for app in apps for name in app.get("instances") or ()}
        names = [
            str(row["name"])
            for row in session.get("instances", details=True)
            if row["name"] in known and (row.get("is_enabled", True) or state != "running")
        ]
        if not names:
            session.say("There is nothing to wait for.")
            return Exit.OK
    waiting.wait_for(session, names, waiting.in_state(state), what=state, timeout_s=wait_timeout)
    return Exit.OK


def _wait_for_queues(session: Session, names: Sequence[str], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    rows = rows_of(session, kinds.QUEUES, Wanted(names=names))
    for row in rows:
        while True:
            stats = session.get(str(row["app"]), "queues", str(row["name"]), "stats")
            depth = stats.get("depth")
            if depth == 0:
                break
            if time.monotonic() > deadline:
                raise CommandFailed(
                    f"After {timeout_s:g} s the queue {row['name']} still holds "
                    f"{'what nobody can count' if depth is None else f'{depth} messages'}.",
                    Exit.TIMED_OUT,
                )
            time.sleep(min(_POLL_S, max(0.0, deadline - time.monotonic()) + 0.01))
