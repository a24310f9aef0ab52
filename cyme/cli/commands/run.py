"""``cyme start``, ``stop``, ``restart``, and the same for all instances of a branch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from cyme.cli import deeds, kinds, rolling, waiting
from cyme.cli.options import AT_A_TIME, Command, pass_session
from cyme.cli.reading import Wanted, here, rows_of
from cyme.cli.selection import BRANCH, count, selected, selects_instances
from cyme.cli.session import Session

if TYPE_CHECKING:
    from cyme.cli.text.tables import Row

_YES = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
_WAIT = click.option("--wait", is_flag=True, help="Wait until it is so.")
_WAIT_TIMEOUT = click.option(
    "--wait-timeout", type=float, metavar="SECONDS", help="So long.  [default: 120]"
)


def _command(name: str, summary: str, examples: str) -> Callable[[Any], click.Command]:
    def decorate(function: Any) -> click.Command:
        for option in (_WAIT_TIMEOUT, _WAIT):
            function = option(function)
        function = selects_instances(function)
        made: click.Command = click.command(name, cls=Command, help=summary, examples=examples)(
            function
        )
        return made

    return decorate


@_command(
    "start",
    "Start instances. One that its branch has given up is given another chance.",
    """
    cyme start w1 w2 --wait
    cyme start -a shop --all
    """,
)
@pass_session
def start(
    session: Session, names: Sequence[str], wait: bool, wait_timeout: float | None, **choice: Any
) -> int:
    """Start instances."""
    rows = selected(session, names, **choice)
    return _run(session, rows, deeds.start, wait, wait_timeout, waiting.is_running, "running")


@_command(
    "stop",
    "Stop instances. Their workers finish the tasks that they run; they stay stopped until they "
    "are started.",
    """
    cyme stop w1 --wait
    cyme stop -l zone=a --yes
    """,
)
@_YES
@pass_session
def stop(
    session: Session,
    names: Sequence[str],
    wait: bool,
    wait_timeout: float | None,
    yes: bool,
    **choice: Any,
) -> int:
    """Stop instances."""
    rows = selected(session, names, **choice)
    _confirm(session, "Stop", rows, names, yes=yes)
    return _run(session, rows, deeds.stop, wait, wait_timeout, waiting.is_stopped, "stopped")


@_command(
    "restart",
    "Restart the workers of instances, warmly: they finish the tasks that they run. Of several a "
    "quarter at a time, and the next when these run again, so that the others go on with the "
    "work; where one does not come back, the rest is not touched. Stopped ones stay so.",
    """
    cyme restart w1 --wait
    cyme restart -a shop --all --yes            a quarter of them at a time
    cyme restart -a shop --all --at-a-time 1
    cyme restart -a shop --all --at-a-time all  all at once, without waiting
    """,
)
@AT_A_TIME
@_YES
@pass_session
def restart(
    session: Session,
    names: Sequence[str],
    wait: bool,
    wait_timeout: float | None,
    yes: bool,
    at_a_time: int | None,
    **choice: Any,
) -> int:
    """Restart instances."""
    rows = selected(session, names, **choice)
    if not names:
        stopped = [row for row in rows if row.get("state") == "stopped"]
        rows = [row for row in rows if row.get("state") != "stopped"]
        if stopped:
            session.say(f"Left stopped: {', '.join(str(row['name']) for row in stopped)}.")
    each_turn = min(at_a_time or rolling.usual_count(len(rows)), len(rows))
    in_turn = 0 < each_turn < len(rows)
    how = f", {each_turn} at a time" if in_turn else ""
    _confirm(session, "Restart", rows, names, yes=yes, how=how)
    if in_turn:
        if names or yes:
            session.say(f"{count(rows)} restart{how}.")
        return rolling.restart_in_turn(session, rows, each_turn, wait_timeout)
    goal = waiting.runs_anew({str(row["name"]): row.get("pids", ()) for row in rows})
    return _run(session, rows, deeds.restart, wait, wait_timeout, goal, "running anew")


def _confirm(
    session: Session,
    verb: str,
    rows: Sequence[Row],
    names: Sequence[str],
    *,
    yes: bool,
    how: str = "",
) -> None:
    """Ask about what was chosen by a rule; who names instances knows which."""
    if not names:
        session.confirm(f"{verb} {count(rows)}{how}", count=len(rows), yes=yes)


def _run(
    session: Session,
    rows: Sequence[Row],
    deed: Callable[[Session, Row], None],
    wait: bool,
    wait_timeout: float | None,
    goal: waiting.Goal,
    what: str,
) -> int:
    if not rows:
        session.say("There are no such instances.")
        return 0
    code = deeds.each_of(session, rows, lambda row: deed(session, row))
    if wait and not code:
        names = [str(row["name"]) for row in rows]
        waiting.wait_for(session, names, goal, what=what, timeout_s=wait_timeout)
    return code


def _of_branch(name: str, summary: str, deed: Callable[[Session, Row], None], verb: str) -> Any:
    @click.command(name, cls=Command, help=summary)
    @click.option(
        "--branch",
        metavar="ID",
        shell_complete=BRANCH,
        help="That branch.  [default: the one that is asked]",
    )
    @_YES
    @pass_session
    def command(session: Session, branch: str | None, yes: bool) -> int:
        branch = branch or here(session)
        rows = rows_of(session, kinds.INSTANCES, Wanted(branch=branch))
        if verb:
            session.confirm(
                f"{verb} {count(rows)} of the branch {branch}", count=len(rows), yes=yes
            )
        if not rows:
            session.say(f"The branch {branch} has no instances.")
            return 0
        return deeds.each_of(session, rows, lambda row: deed(session, row))

    return command


start_all = _of_branch("start-all", "Start all instances of a branch.", deeds.start, "")
restart_all = _of_branch(
    "restart-all", "Restart the workers of all instances of a branch.", deeds.restart, "Restart"
)
shutdown_all = _of_branch(
    "shutdown-all",
    "Stop all instances of a branch, as its machine is about to be switched off; 'start-all' "
    "starts them again.",
    deeds.stop,
    "Stop",
)
