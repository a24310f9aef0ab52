"""``cyme scale``: so many instances of an app."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from cyme.cli import deeds, kinds, waiting
from cyme.cli.exits import Exit
from cyme.cli.faults import CommandFailed
from cyme.cli.options import OUTPUT, Command, pass_session, takes
from cyme.cli.printing import print_rows
from cyme.cli.reading import has_labels, instance, labels_in
from cyme.cli.selection import APP_NAME, INSTANCE
from cyme.cli.session import Session

if TYPE_CHECKING:
    from cyme.cli.text.tables import Row

COUNT_MAX = 1000

#: Which of the instances go first: those that do least.
_IDLE_FIRST = ("disabled", "stopped", "backoff", "unknown", "unresponsive", "pending", "starting")


@click.command(
    "scale",
    cls=Command,
    examples="""
    cyme scale shop 4                           shop-1, shop-2, shop-3, shop-4
    cyme scale shop 2 --prefix shop-fast        those whose names begin so
    cyme scale shop 6 -l zone=a --wait          those with a label, which new ones get too
    cyme scale shop 3 --like w1                 new ones are as w1 is
    """,
    help="""Have so many instances of an app, or of a group of its instances.

The group is all instances of the app; with --prefix those named PREFIX-N; with --selector those
with the labels. New ones are called PREFIX-N with the lowest numbers that are free, and have the
parameters and queues of the oldest of the group (or of --like). Where there are too many, those go
first that do not run, then the youngest.""",
)
@click.argument("app_name", metavar="APP", shell_complete=APP_NAME)
@click.argument("count", metavar="N", type=click.IntRange(0, COUNT_MAX))
@click.option(
    "--prefix", metavar="PREFIX", help="The group of this name.  [default: APP, for names]"
)
@click.option(
    "-l",
    "--selector",
    "labels",
    multiple=True,
    metavar="KEY=VALUE",
    help="The group with this label.",
)
@click.option("--like", metavar="INSTANCE", shell_complete=INSTANCE, help="What new ones are like.")
@click.option("-q", "--queues", metavar="NAMES", help="What new ones consume from, by commas.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before any are deleted.")
@click.option("--wait", is_flag=True, help="Wait until they run, or are gone.")
@click.option("--wait-timeout", type=float, metavar="SECONDS", help="So long.  [default: 120]")
@takes(OUTPUT)
@pass_session
def command(
    session: Session,
    app_name: str,
    count: int,
    prefix: str | None,
    labels: Sequence[str],
    like: str | None,
    queues: str | None,
    yes: bool,
    wait: bool,
    wait_timeout: float | None,
) -> int:
    """Have so many instances."""
    session.get(app_name)  # or it is told that there is none
    everything = session.get("instances", details=True)
    wanted_labels = labels_in(labels)
    group = [
        row
        for row in everything
        if row["app"] == app_name
        and (prefix is None or re.fullmatch(rf"{re.escape(prefix)}-\d+", row["name"]))
        and has_labels(row, wanted_labels)
    ]
    if count >= len(group):
        taken = {str(row["name"]) for row in everything}
        names = list(_free_names(prefix or app_name, taken, count - len(group)))
        model = instance(session, like) if like else min(group, key=_birth, default=None)
        members = _own(model) | ({"queues": queues} if queues else {})
        if wanted_labels:
            members["labels"] = {**(members.get("labels") or {}), **wanted_labels}
        code = deeds.each_of(
            session,
            names,
            lambda name: deeds.create_instance(session, app_name, name, members, may_exist=False),
        )
        goal, what = waiting.is_running, "running"
    else:
        names = [str(row["name"]) for row in _surplus(group, len(group) - count)]
        session.confirm(f"Delete {', '.join(names)}", count=len(names), yes=yes)
        code = deeds.each_of(session, names, lambda name: deeds.delete_instance(session, name))
        goal, what = waiting.is_gone, "gone"
    if not names:
        session.say(f"The app {app_name} has {count} instances already.")
    if wait and names and not code:
        waiting.wait_for(session, names, goal, what=what, timeout_s=wait_timeout)
    if session.given.output is not None:
        left = {str(row["name"]) for row in group}
        left = left | set(names) if count >= len(group) else left - set(names)
        print_rows(session, kinds.INSTANCES, [instance(session, name) for name in sorted(left)])
    return code


def _free_names(prefix: str, taken: set[str], count: int) -> Iterator[str]:
    number = 0
    while count > 0:
        number += 1
        if number > COUNT_MAX * 10:
            raise CommandFailed(f"There are too many instances named {prefix}-N.", Exit.CONFLICT)
        name = f"{prefix}-{number}"
        if name not in taken:
            count -= 1
            yield name


def _surplus(group: Sequence[Row], count: int) -> Sequence[Row]:
    """Return those that go: first what does not run, then the youngest."""

    def rank(row: Row) -> tuple[int, str]:
        state = str(row.get("state"))
        return (
            _IDLE_FIRST.index(state) if state in _IDLE_FIRST else len(_IDLE_FIRST),
            "".join(chr(0x10FFFF - ord(character)) for character in _birth(row)),
        )

    return sorted(group, key=rank)[:count]


def _birth(row: Row) -> str:
    return str(row.get("created_at"))


def _own(model: Row | None) -> dict[str, Any]:
    """Return the parameters that an instance has of its own, and its queues."""
    if model is None:
        return {}
    members = {name: model[name] for name in model["own"]}
    members.pop("is_enabled", None)  # a new one is wanted to run
    if model.get("queues"):
        members["queues"] = list(model["queues"])
    return members
