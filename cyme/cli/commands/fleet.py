"""``cyme apply``, ``diff``, ``export``: a cluster as a file says."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cyme.cli import environment, waiting
from cyme.cli.exits import Exit
from cyme.cli.faults import BadUsage, CommandFailed, exit_of
from cyme.cli.options import AT_A_TIME, OUTPUT, Command, pass_session, takes
from cyme.cli.printing import form_of, print_data
from cyme.cli.session import Session
from cyme.cli.text.clean import one_line
from cyme.cli.text.paint import Paint, painted
from cyme.client import fleet
from cyme.client.fleet import Action, Change, FleetFault, InvalidFleet, Kind, Plan, Prune

if TYPE_CHECKING:
    from cyme.client.errors import ClientError

_PAINTS = {"+": Paint.GOOD, "-": Paint.BAD, "~": Paint.BUSY}

_FILE = click.option(
    "-f",
    "--file",
    "file",
    required=True,
    metavar="FILE",
    help="The fleet file; - is standard input.",
    type=click.Path(dir_okay=False, allow_dash=True),
)
_ENV_FILE = click.option(
    "--env-file",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Variables that the file refers to, as 'export' writes them; before the environment's.",
)
_PRUNE = click.option(
    "--prune",
    is_flag=False,
    flag_value=str(Prune.WITHIN),
    metavar="[within|all]",
    type=click.Choice([str(Prune.WITHIN), str(Prune.ALL)]),
    help="Delete queues and instances of the file's apps that it does not have; with 'all' whole "
    "apps too.",
)


@click.command(
    "diff",
    cls=Command,
    examples="""
    cyme diff -f fleet.toml
    cyme diff -f fleet.toml --prune all || echo 'somebody changed something'
    """,
    help="Show what 'apply' would change. Returns 0 if nothing, 1 if something.",
)
@_FILE
@_ENV_FILE
@_PRUNE
@takes(OUTPUT)
@pass_session
def diff(session: Session, file: str, env_file: str | None, prune: str | None) -> int:
    """Show what would change."""
    plan = _plan(session, file, env_file, prune)
    _show(session, plan)
    return Exit.FAILED if plan else Exit.OK


@click.command(
    "apply",
    cls=Command,
    examples="""
    cyme apply -f fleet.toml                    shows what changes, and asks
    cyme apply -f fleet.toml --dry-run
    cyme apply -f fleet.toml --yes --wait       in a pipeline
    cyme apply -f fleet.toml --prune            and delete what the file does not have
    cyme apply -f fleet.toml --rolling          some workers restart at a time, not all
    """,
    help="Make the cluster as a file says, after showing what changes and whose workers restart. "
    "Applied twice, the second time changes nothing. Where something fails it is told what was "
    "done and what was not. With --rolling, what workers are started with is taken up by some of "
    "an app's instances at a time; where one does not run with it nothing more is done, and what "
    "the app gave it is set back.",
)
@_FILE
@_ENV_FILE
@_PRUNE
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--rolling", is_flag=True, help="Restart the instances of an app in turn.")
@AT_A_TIME
@click.option("--wait", is_flag=True, help="Wait until what was created or changed runs.")
@click.option(
    "--wait-timeout", type=float, metavar="SECONDS", help="So long; a turn too.  [default: 120]"
)
@takes(OUTPUT)
@pass_session
def apply(
    session: Session,
    file: str,
    env_file: str | None,
    prune: str | None,
    dry_run: bool,
    yes: bool,
    rolling: bool,
    at_a_time: int | None,
    wait: bool,
    wait_timeout: float | None,
) -> int:
    """Make the cluster as a file says."""
    plan = _plan(session, file, env_file, prune)
    if not plan:
        session.say("Nothing changes: the cluster is as the file says.")
        return Exit.OK
    in_turn = rolling or at_a_time is not None
    if in_turn:
        from cyme.cli.rollout import check_rollout  # noqa: PLC0415 - on request only

        check_rollout(plan)
    _show(session, plan)
    if dry_run:
        return Exit.OK
    asked = len(plan.changes) if environment.may_ask() else plan.count(Action.DELETE)
    session.confirm("Do that", count=asked, yes=yes)
    if in_turn:
        code, done = _apply_in_turn(session, plan, at_a_time, wait_timeout)
    else:
        code, done = _apply_at_once(session, plan)
    if code is Exit.OK:
        session.say(f"{len(done)} {'change is' if len(done) == 1 else 'changes are'} made.")
        if wait:
            _wait(session, done, wait_timeout)
    return code


def _apply_at_once(session: Session, plan: Plan) -> tuple[Exit, Sequence[Change]]:
    outcome = fleet.apply(session.client, plan, lambda change, error: _told(session, change, error))
    if outcome.is_complete:
        return Exit.OK, outcome.done
    session.warn(
        f"{len(outcome.done)} of {len(plan.changes)} changes are made, "
        f"{len(outcome.failed)} failed, {len(outcome.not_tried)} were not tried:"
    )
    for change in outcome.not_tried:
        session.warn(f"not tried: {change.title}")
    return Exit.PARTLY if outcome.done else exit_of(outcome.failed[0].error), outcome.done


def _apply_in_turn(
    session: Session, plan: Plan, at_a_time: int | None, timeout_s: float | None
) -> tuple[Exit, Sequence[Change]]:
    from cyme.cli.rollout import Rollout  # noqa: PLC0415 - on request only

    rollout = Rollout(
        session, plan, at_a_time, timeout_s, lambda change, error: _told(session, change, error)
    )
    code = rollout.perform()
    if code is not Exit.OK:
        session.warn(f"{len(rollout.done)} of {len(plan.changes)} changes are made. Not made:")
        for change in plan.changes:
            if change not in rollout.done:
                session.warn(f"not made: {change.title}")
    return code, rollout.done


@click.command(
    "export",
    cls=Command,
    examples="""
    cyme export > fleet.toml
    cyme export shop --env-file shop.env -f shop.toml
    """,
    help="Write what there is as a fleet file. No secret stands in it: it refers to variables, "
    "which --env-file writes into a file that only you can read.",
)
@click.argument("apps", nargs=-1, metavar="[APP]...")
@click.option(
    "-f", "--file", "file", metavar="FILE", type=click.Path(dir_okay=False), help="Write it there."
)
@click.option(
    "--env-file", metavar="FILE", type=click.Path(dir_okay=False), help="Write the variables there."
)
@pass_session
def export(session: Session, apps: Sequence[str], file: str | None, env_file: str | None) -> None:
    """Write what there is as a file."""
    chosen = list(apps) or ([session.app] if session.app else None)
    exported = fleet.export(session.client, chosen)
    if file is None:
        session.out(exported.text.rstrip("\n"))
    else:
        _write(Path(file), exported.text, mode=0o644)
        session.say(f"{file} is written.")
    if not exported.variables:
        return
    if env_file is not None:
        # What is not told is left open: an empty secret would be set where the file is applied.
        lines = [
            f"#{name}=''" if value is None else f"{name}={_quoted(value)}"
            for name, value in exported.variables.items()
        ]
        _write(Path(env_file), "\n".join(lines) + "\n", mode=0o600)
        session.say(f"{env_file} holds the variables that it refers to; only you can read it.")
    else:
        session.warn(
            f"It refers to the variables {', '.join(exported.variables)}; --env-file FILE writes "
            "them, and 'cyme diff' and 'cyme apply' read them with it, or from the environment."
        )
    untold = [name for name, value in exported.variables.items() if value is None]
    if untold:
        session.warn(
            f"The branch does not tell {', '.join(untold)}, so set what is meant yourself: "
            "a result_backend's password is told to nobody, other secrets to operators."
        )


def _plan(session: Session, file: str, env_file: str | None, prune: str | None) -> Plan:
    environ = {**environment.whole(), **(_variables(Path(env_file)) if env_file else {})}
    try:
        if file == "-":
            text = sys.stdin.read()
            wanted = fleet.parse(text, file="standard input", environ=environ)
        else:
            wanted = fleet.read(file, environ)
    except InvalidFleet as exc:
        for fault in exc.faults:
            session.warn(str(fault))
        count = len(exc.faults)
        raise BadUsage(
            f"The file cannot be accepted for {'this fault' if count == 1 else f'{count} faults'}; "
            f"nothing was changed.{_UNSET if any(_is_unset(each) for each in exc.faults) else ''}"
        ) from exc
    return fleet.plan(fleet.observe(session.client), wanted, Prune(prune or Prune.NOTHING))


_UNSET = (
    " --env-file FILE reads the variables that 'cyme export --env-file FILE' wrote; those of the "
    "environment count too."
)


def _is_unset(fault: FleetFault) -> bool:
    return "which is not set" in fault.detail


def _variables(path: Path) -> dict[str, str]:
    """Return what a file of variables says, quoted as for a shell.

    Raises:
        BadUsage: It cannot be read, or says something else.
    """
    try:
        words = shlex.split(path.read_text(encoding="utf-8"), comments=True)
    except OSError as exc:
        raise BadUsage(f"{path} cannot be read: {exc.strerror}.") from exc
    except ValueError as exc:
        raise BadUsage(f"{path} cannot be read: a quote in it has no end.") from exc
    pairs = [word.partition("=") for word in words if word != "export"]
    if not all(name.isidentifier() and equals for name, equals, _ in pairs):
        raise BadUsage(f"{path} must hold lines such as NAME='value', and holds something else.")
    return {name: value for name, _, value in pairs}


def _show(session: Session, plan: Plan) -> None:
    form = form_of(session)
    if form.name == "name":
        session.out_lines(f"{change.kind}/{change.name}" for change in plan.changes)
        return
    if not form.is_table:
        changes = [_data(change) for change in plan.changes]
        print_data(session, {"items": changes, "restarts": list(plan.restarts)}, form)
        return
    colour = session.colour
    for line in plan.lines():
        session.out(painted(one_line(str(line)), _PAINTS.get(line.mark), colour=colour))
    session.say(plan.summary())


def _data(change: Change) -> dict[str, Any]:
    """Return a change as data, without secrets."""
    return {
        "action": str(change.action),
        "kind": str(change.kind),
        "app": change.app,
        "name": change.name,
        "fields": [
            {"name": each.name, "old": each.shown_old, "new": each.shown_new}
            for each in change.fields
        ],
    }


def _told(session: Session, change: Change, error: ClientError | None) -> None:
    if error is None:
        session.say(f"done: {change.title}")
    else:
        session.warn(f"failed: {change.title}: {error.detail}")


def _wait(session: Session, done: Sequence[Change], timeout_s: float | None) -> None:
    """Wait until the instances that were created, changed or moved run, if they are to."""
    names = {
        change.name
        for change in done
        if change.kind is Kind.INSTANCE and change.action is not Action.DELETE
    }
    rows = session.get("instances", details=True)
    wanted = [row["name"] for row in rows if row["name"] in names and row.get("is_enabled", True)]
    if wanted:
        waiting.wait_for(session, wanted, waiting.is_running, what="running", timeout_s=timeout_s)


def _write(path: Path, text: str, *, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    try:
        with os.fdopen(os.open(path, flags, mode), "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
    except OSError as exc:
        raise CommandFailed(f"{path} cannot be written: {exc.strerror}.") from exc


def _quoted(text: str) -> str:
    """Return a value as a shell and systemd's EnvironmentFile both take it."""
    return "'" + text.replace("'", "'\\''") + "'"
