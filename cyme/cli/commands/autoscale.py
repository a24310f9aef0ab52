"""``cyme autoscale``: the limits of an instance's concurrency."""

from __future__ import annotations

import click

from cyme.cli.commands.nouns import show_or_set_limits
from cyme.cli.options import NOWAIT, OUTPUT, Command, pass_session, takes
from cyme.cli.selection import INSTANCE
from cyme.cli.session import Session


@click.command(
    "autoscale",
    cls=Command,
    examples="""
    cyme autoscale w1                           the limits now, as MIN-MAX
    cyme autoscale w1 10 2                      at most 10, at least 2
    """,
    help="Show or set how many tasks an instance runs at a time, at most and at least.",
)
@click.argument("name", metavar="INSTANCE", shell_complete=INSTANCE)
@click.argument("most", metavar="[MAX]", required=False, type=click.IntRange(1))
@click.argument("least", metavar="[MIN]", required=False, type=click.IntRange(1))
@takes(OUTPUT, NOWAIT)
@pass_session
def command(session: Session, name: str, most: int | None, least: int | None) -> None:
    """Show or set the limits."""
    show_or_set_limits(session, name, most, least)
