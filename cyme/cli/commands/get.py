"""``cyme get``: lists, and the events that change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

import click

from cyme.cli import kinds
from cyme.cli.completing import typed_names
from cyme.cli.faults import BadUsage, did_you_mean
from cyme.cli.options import NO_HEADERS, OUTPUT, Command, pass_session, takes
from cyme.cli.printing import print_rows
from cyme.cli.reading import Wanted, labels_in, rows_of
from cyme.cli.selection import BRANCH, QUEUE
from cyme.cli.session import Session

if TYPE_CHECKING:
    from cyme.cli.text.tables import Row

_EXAMPLES = """
cyme get instances                          all of the cluster
cyme get i -a shop -l zone=a -o wide        of one app, with a label, in full width
cyme get instance w1 -o yaml
cyme get instances -o 'jsonpath={.items[?(@.state=="running")].name}'
cyme get queues -o wide                     with rates and declarations too
cyme get tasks --state FAILURE --limit 20
cyme get instances -w                       and every change from now on
"""


#: States of instances, branches and tasks, for a shell to complete.
_STATES = (
    "backoff", "disabled", "pending", "running", "starting", "stopped", "stopping", "unknown",
    "unresponsive",
    "alive", "failed", "leaving", "left", "suspect",
    "FAILURE", "PENDING", "RECEIVED", "RETRY", "REVOKED", "STARTED", "SUCCESS",
)  # fmt: skip

#: What things can be chosen by: the option, and the kinds of those that have it.
_CHOICES: Mapping[str, tuple[str, Sequence[kinds.Kind]]] = {
    "labels": ("--selector", (kinds.APPS, kinds.INSTANCES, kinds.CONSUMERS, kinds.BRANCHES)),
    "state": ("--state", (kinds.INSTANCES, kinds.CONSUMERS, kinds.BRANCHES, kinds.TASKS)),
    "branch": ("--branch", (kinds.INSTANCES, kinds.CONSUMERS, kinds.EVENTS, kinds.TOKENS)),
    "queue": ("--queue", (kinds.INSTANCES, kinds.CONSUMERS, kinds.TASKS)),
    "text": ("--search", (kinds.TASKS,)),
    "limit": ("--limit", (kinds.TASKS, kinds.EVENTS)),
}


def _states(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    return [state for state in _STATES if state.startswith(incomplete)]


@click.command(
    "get",
    cls=Command,
    examples=_EXAMPLES,
    help="List things of a type: apps, instances, queues, consumers, branches, tasks, events, "
    "alerts or tokens, by singular, plural or short name (a, i, q, c, b, t, e).",
)
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="TYPE [NAME]...",
    shell_complete=typed_names(kinds.KINDS),
)
@takes(OUTPUT, NO_HEADERS)
@click.option("-w", "--watch", is_flag=True, help="Go on and show what changes, until Ctrl-C.")
@click.option(
    "-l",
    "--selector",
    "labels",
    multiple=True,
    metavar="KEY=VALUE",
    help="Only those with this label.",
)
@click.option("--state", metavar="STATE", shell_complete=_states, help="Only those in this state.")
@click.option("--branch", metavar="ID", shell_complete=BRANCH, help="What is on this branch.")
@click.option(
    "--queue",
    metavar="NAME",
    shell_complete=QUEUE,
    help="Tasks of this queue; instances that consume from it.",
)
@click.option("-q", "--search", "text", metavar="TEXT", help="Tasks in which this is found.")
@click.option(
    "--limit", type=click.IntRange(1, 10000), metavar="N", help="So many tasks or events at most."
)
@click.option("--sort", metavar="MEMBER", help="Sort by this member; -MEMBER backwards.")
@pass_session
def command(
    session: Session,
    words: Sequence[str],
    watch: bool,
    labels: Sequence[str],
    sort: str | None,
    **filters: Any,
) -> None:
    """List things of a type."""
    kind, names = kinds.split_types(words, kinds.KINDS)
    given = {name for name, value in filters.items() if value is not None}
    if labels:
        given.add("labels")
    _refuse(kind, given)
    wanted = Wanted(
        names=names,
        labels=labels_in(labels),
        with_vitals=session.given.output != "name",
        **filters,
    )
    if watch:
        if sort:
            raise BadUsage("What is watched comes as it changes; leave --sort out.")
        from cyme.cli.watching import watch_rows  # noqa: PLC0415 - on request

        watch_rows(session, kind, wanted)
        return
    rows = rows_of(session, kind, wanted)
    if sort:
        _sort(kind, rows, sort.lstrip("-"), reverse=sort.startswith("-"))
    print_rows(session, kind, rows, single=len(names) == 1, is_part=bool(given))


def _refuse(kind: kinds.Kind, given: Set[str]) -> None:
    """Refuse a choice that things of a kind do not have, before all of them pass for chosen."""
    for name in sorted(given):
        option, chosen = _CHOICES[name]
        if kind not in chosen:
            raise BadUsage(
                f"{option} is for {', '.join(each.plural for each in chosen)}; {kind.plural} "
                "cannot be chosen by it."
            )


def _sort(kind: kinds.Kind, rows: list[Row], member: str, *, reverse: bool) -> None:
    known = sorted({name for row in rows for name in row})
    if rows and member not in known:
        raise BadUsage(
            f"No {kind.singular} has {member!r} to sort by.{did_you_mean(member, known)} "
            f"There are {', '.join(known)}."
        )
    rows.sort(key=lambda row: _rank(row.get(member)), reverse=reverse)


def _rank(value: object) -> tuple[int, float, str]:
    """Return what sorts values of any type: what is missing first, figures before texts."""
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, int | float):
        return (1, float(value), "")
    return (2, 0.0, kinds.text_of(value))
