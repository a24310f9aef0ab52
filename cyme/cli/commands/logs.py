"""``cyme logs``: what workers log, whichever branches they are on."""

from __future__ import annotations

from collections.abc import Sequence

import click

from cyme.cli import kinds
from cyme.cli.logging_out import LogPrinter, Source, follow, show
from cyme.cli.moments import since_in
from cyme.cli.options import Command, pass_session
from cyme.cli.reading import Wanted, labels_in, rows_of
from cyme.cli.selection import BRANCH, INSTANCE
from cyme.cli.session import Session
from cyme.cli.text.tables import Row

TAIL_MAX = 10_000
_TAIL_OF_ONE, _TAIL_OF_MANY = 100, 20


@click.command(
    "logs",
    cls=Command,
    examples="""
    cyme logs w1                                its last hundred lines
    cyme logs w1 -f                             and those to come, until Ctrl-C
    cyme logs -a shop --since 10m               of all its instances, in order of time
    cyme logs --branch branch2 -f --tail 0
    """,
    help="Show what the workers of instances log: of those named, of an app, of a branch, or of "
    "all. Each line of several is marked with its instance; those that come later are followed "
    "too.",
)
@click.argument("names", nargs=-1, metavar="[INSTANCE]...", shell_complete=INSTANCE)
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until Ctrl-C.")
@click.option(
    "--tail",
    type=click.IntRange(0, TAIL_MAX),
    metavar="N",
    help="So many of the last lines.  [default: 100; of several instances 20]",
)
@click.option(
    "--since", metavar="WHEN", help="Those since: 90s, 10m, 2h, 1d ago, or 2030-01-31T12:00:00Z."
)
@click.option(
    "--branch", metavar="ID", shell_complete=BRANCH, help="Of the instances on this branch."
)
@click.option(
    "-l",
    "--selector",
    "labels",
    multiple=True,
    metavar="KEY=VALUE",
    help="Of those with this label.",
)
@click.option("--no-prefix", is_flag=True, help="Do not mark lines with their instance.")
@pass_session
def command(
    session: Session,
    names: Sequence[str],
    following: bool,
    tail: int | None,
    since: str | None,
    branch: str | None,
    labels: Sequence[str],
    no_prefix: bool,
) -> None:
    """Show logs."""
    wanted = Wanted(
        names=[name.removeprefix("instance/") for name in names],
        branch=branch,
        labels=labels_in(labels),
    )
    moment = since_in(since)

    def sources() -> list[Source]:
        return [_source(row) for row in rows_of(session, kinds.INSTANCES, wanted)]

    found = sources()
    is_one = len(names) == 1
    if tail is None:
        tail = TAIL_MAX if moment is not None else _TAIL_OF_ONE if is_one else _TAIL_OF_MANY
    printer = LogPrinter(session, marked=not is_one and not no_prefix)
    if following:
        follow(session, printer, found, tail, moment, look=None if names else sources)
    elif found:
        show(session, printer, found, tail, moment)
    else:
        session.say("There are no such instances.")


def _source(row: Row) -> Source:
    return Source(str(row["app"]), str(row["name"]))
