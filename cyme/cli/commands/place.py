"""``cyme move``, ``drain``, ``undrain``, ``rebalance``: where instances are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from cyme.cli import deeds, kinds
from cyme.cli.options import NO_HEADERS, NOWAIT, OUTPUT, Command, pass_session, takes
from cyme.cli.printing import form_of, print_data, print_written
from cyme.cli.reading import row_of
from cyme.cli.selection import BRANCH, INSTANCE
from cyme.cli.session import Session
from cyme.cli.text.tables import Column, table_lines

_MOVES = (
    Column("INSTANCE", lambda row: str(row.get("instance") or ""), flexible=True),
    Column("FROM", lambda row: str(row.get("source") or ""), flexible=True),
    Column("TO", lambda row: str(row.get("target") or ""), flexible=True),
    Column("REASON", lambda row: str(row.get("reason") or ""), flexible=True),
)


@click.command(
    "move",
    cls=Command,
    examples="""
    cyme move w1 branch2
    cyme move w1                                wherever there is room
    """,
    help="Move an instance to another branch: its worker runs there before it stops here.",
)
@click.argument("name", metavar="INSTANCE", shell_complete=INSTANCE)
@click.argument("branch", required=False, shell_complete=BRANCH)
@takes(OUTPUT, NOWAIT)
@pass_session
def move(session: Session, name: str, branch: str | None) -> None:
    """Move an instance."""
    print_written(session, kinds.INSTANCES, deeds.move(session, name, branch))


@click.command(
    "drain",
    cls=Command,
    examples="cyme drain branch2                          before its machine is serviced",
    help="Have a branch take no instances, and move those that it has.",
)
@click.argument("branch", shell_complete=BRANCH)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@takes(OUTPUT, NO_HEADERS)
@pass_session
def drain(session: Session, branch: str, yes: bool) -> int:
    """Empty a branch."""
    found = row_of(session, kinds.BRANCHES, branch)
    session.confirm(
        f"Move the {found['instances']} instances of the branch {branch} elsewhere",
        count=int(found["instances"]),
        yes=yes,
    )
    moves = session.post("branches", branch, "drain")
    session.say(f"The branch {branch} takes no instances any more; those that it has move.")
    return _show(session, moves)


@click.command("undrain", cls=Command, help="Have a drained branch take instances again.")
@click.argument("branch", shell_complete=BRANCH)
@pass_session
def undrain(session: Session, branch: str) -> None:
    """Let a branch take instances again."""
    session.post("branches", branch, "undrain")
    session.say(f"The branch {branch} takes instances again.")


@click.command(
    "rebalance",
    cls=Command,
    examples="cyme rebalance --dry-run",
    help="Move instances so that all branches are about equally full.",
)
@click.option("--dry-run", is_flag=True, help="Only tell which would move.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@takes(OUTPUT, NO_HEADERS)
@pass_session
def rebalance(session: Session, dry_run: bool, yes: bool) -> int:
    """Spread instances evenly."""
    planned = session.post("cluster", "rebalance", dry_run=True)
    if dry_run or not planned:
        return _show(session, planned)
    moving = [each for each in planned if each.get("target")]
    session.confirm(f"Move {len(moving)} instances", count=len(moving), yes=yes)
    return _show(session, session.post("cluster", "rebalance"))


def _show(session: Session, moves: Sequence[Mapping[str, Any]]) -> int:
    """Print moves; an instance that cannot move is a failure."""
    form = form_of(session)
    if form.name == "name":
        session.out_lines(f"instance/{move['instance']}" for move in moves)
    elif not form.is_table:
        print_data(session, {"items": list(moves)}, form)
    elif moves:
        session.out_lines(
            table_lines(
                _MOVES,
                moves,
                headers=session.given.headers,
                width=session.width,
                colour=session.colour,
            )
        )
    else:
        session.say("No instance moves.")
    stuck = [move for move in moves if not move.get("target")]
    if stuck:
        session.say(
            f"{len(stuck)} cannot move by rule; 'cyme move INSTANCE BRANCH' moves what is pinned."
        )
    return 1 if stuck else 0
