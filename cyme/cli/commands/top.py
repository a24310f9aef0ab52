"""``cyme top``: branches, instances and queues, live; once where nobody looks on."""

from __future__ import annotations

import sys

import click

from cyme.cli import environment
from cyme.cli.live.figures import look
from cyme.cli.live.view import SORTS, View, view_lines
from cyme.cli.options import Command, pass_session
from cyme.cli.session import Session

_PERIOD_S = 2.0


@click.command(
    "top",
    cls=Command,
    examples="""
    cyme top                                    live: q ends, ? tells the keys
    cyme top -a shop --sort memory
    cyme top --once | head -20
    """,
    help="Watch how branches, instances and queues do: processor, memory, pool slots, depths and "
    "rates. Without a terminal it is told once.",
)
@click.option(
    "-d",
    "--delay",
    "period_s",
    type=click.FloatRange(0.5, 3600),
    metavar="SECONDS",
    default=_PERIOD_S,
    show_default=True,
    help="Between two looks.",
)
@click.option(
    "-s",
    "--sort",
    type=click.Choice(list(SORTS)),
    default="cpu",
    show_default=True,
    help="What instances are sorted by.",
)
@click.option("--once", is_flag=True, help="Tell it once and end.")
@pass_session
def command(session: Session, period_s: float, sort: str, once: bool) -> None:
    """Watch how all do."""
    is_live = environment.is_terminal(sys.stdin) and environment.is_terminal(sys.stdout)
    if once or not is_live:
        figures = look(session)
        session.out_lines(
            view_lines(figures, View(sort=sort), session.width, None, colour=session.colour)
        )
        return
    from cyme.cli.live.loop import run  # noqa: PLC0415 - only on a terminal

    run(session, View(sort=sort), period_s)
