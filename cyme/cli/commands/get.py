"""``cyme get``: lists, and the events that change them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from cyme.cli import kinds
from cyme.cli.completing import typed_names
from cyme.cli.options import NO_HEADERS, OUTPUT, Command, pass_session, takes
from cyme.cli.printing import print_rows
from cyme.cli.reading import Wanted, labels_in, rows_of
from cyme.cli.selection import BRANCH
from cyme.cli.session import Session

_EXAMPLES = """
cyme get instances                          all of the cluster
cyme get i -a shop -l zone=a -o wide        of one app, with a label, in full width
cyme get instance w1 -o yaml
cyme get instances -o 'jsonpath={.items[?(@.state=="running")].name}'
cyme get queues -o wide                     with depth, consumers, rates, trouble
cyme get tasks --state FAILURE --limit 20
cyme get instances -w                       and every change from now on
"""


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
@click.option("--state", metavar="STATE", help="Only those in this state.")
@click.option(
    "--branch", metavar="ID", shell_complete=BRANCH, help="Instances on this branch; tokens of it."
)
@click.option("--queue", metavar="NAME", help="Tasks of this queue.")
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
    is_wide = session.given.output not in {None, "table", "name"}
    wanted = Wanted(
        names=names,
        labels=labels_in(labels),
        with_vitals=kind is kinds.QUEUES and is_wide,
        **filters,
    )
    if watch:
        from cyme.cli.watching import watch_rows  # noqa: PLC0415 - on request

        watch_rows(session, kind, wanted)
        return
    rows = rows_of(session, kind, wanted)
    if sort:
        rows.sort(key=lambda row: _rank(row.get(sort.lstrip("-"))), reverse=sort.startswith("-"))
    print_rows(session, kind, rows, single=len(names) == 1)


def _rank(value: object) -> tuple[int, float, str]:
    """Return what sorts values of any type: what is missing first, figures before texts."""
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, int | float):
        return (1, float(value), "")
    return (2, 0.0, kinds.text_of(value))
