"""``cyme status``: is all well?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import click

from cyme.cli import kinds
from cyme.cli.exits import Exit
from cyme.cli.options import OUTPUT, Command, pass_session, takes
from cyme.cli.printing import form_of, print_data
from cyme.cli.reading import Wanted, rows_of, vitals
from cyme.cli.selection import INSTANCE
from cyme.cli.session import Session
from cyme.cli.text.clean import one_line
from cyme.cli.text.figures import parsed
from cyme.cli.text.paint import Paint, painted, state_paint
from cyme.cli.text.tables import Column, Row, table_lines
from cyme.client.errors import ClientError

#: States in which nobody need do anything.
_WELL = frozenset({"running", "starting", "pending", "stopping"})

#: States before a worker has answered: well at its first start, and to be proved after others.
_UNPROVED = frozenset({"starting", "pending"})

#: A restart that somebody asked for is usual for so long, in seconds.
_RESTART_S = 60.0
_FAILED = ("instance.failed", "instance.disabled")
_ANSWERED = ("instance.started", "instance.adopted", "instance.answers")
_EVENTS_MAX = 1000

#: What is shown of those that are not well.
_OF_BRANCHES = ("ID", "STATE", "URL", "INSTANCES", "IN STATE")
_OF_INSTANCES = ("NAME", "STATE", "BRANCH", "RESTARTS", "IN STATE", "REASON")

_OF_QUEUES = frozenset({"queue-deep", "queue-unconsumed"})
_WELL_BRANCHES = frozenset({"alive", "leaving", "left"})


@click.command(
    "status",
    cls=Command,
    examples="""
    cyme status                                 of the cluster: what is not well
    cyme status w1 w2                           of instances: 0 if they run, 1 if one does not
    cyme status -q || mail -s 'look at cyme' me
    """,
    help="Tell whether all is well, and what is not. Returns 1 if something is not.",
)
@click.argument("names", nargs=-1, metavar="[INSTANCE]...", shell_complete=INSTANCE)
@click.option("-q", "--quiet", is_flag=True, help="Only return 0 or 1.")
@takes(OUTPUT)
@pass_session
def command(session: Session, names: Sequence[str], quiet: bool) -> int:
    """Tell whether all is well."""
    if names:
        rows = rows_of(session, kinds.INSTANCES, Wanted(names=names))
        if not quiet:
            _print_instances(session, rows)
        return Exit.OK if all(row.get("state") == "running" for row in rows) else Exit.FAILED
    found = _cluster(session)
    if not quiet:
        if form_of(session).is_table:
            _print_cluster(session, found)
        else:
            print_data(session, found)
    return Exit.OK if found["ok"] else Exit.FAILED


def _cluster(session: Session) -> dict[str, Any]:
    instances = rows_of(session, kinds.INSTANCES, Wanted())
    branches = session.get("branches", details=True)
    cluster = session.get("cluster")
    alerts: Sequence[Row] = []
    with suppress(ClientError):
        alerts = vitals(session).get("alerts", [])
    restarting = _restarting(session, instances)
    bad = [row for row in instances if not _is_well(row) and row["name"] not in restarting]
    lost = [row for row in branches if row.get("state") not in _WELL_BRANCHES]
    here: Row = next((row for row in branches if row["id"] == cluster.get("branch")), {})
    # A branch that is looked at without running catches up with nobody.
    is_fenced = bool(cluster.get("fenced")) and here.get("state") != "left"
    return {
        "ok": not bad and not lost and not alerts and not is_fenced,
        "cluster": cluster.get("name"),
        "branch": cluster.get("branch"),
        "fenced": is_fenced,
        "branches": dict(Counter(str(row.get("state")) for row in branches)),
        "instances": dict(
            Counter(
                "restarting" if row["name"] in restarting else str(row.get("state"))
                for row in instances
            )
        ),
        "not_well": {"instances": bad, "branches": lost},
        "alerts": list(alerts),
    }


def _is_well(row: Row) -> bool:
    if row.get("state") == "stopped":
        return not row.get("is_enabled", True)
    if row.get("state") in _UNPROVED:
        return not row.get("restarts")  # one that fails again and again starts now and then
    return row.get("state") in _WELL


def _restarting(session: Session, rows: Sequence[Row]) -> frozenset[str]:
    """Return the instances that restart because that was asked for, or what they run with changed.

    It shows in what happened to them: such a worker was stopped, and has not failed since.
    """
    candidates = {
        str(row["name"])
        for row in rows
        if row.get("state") in _UNPROVED and row.get("restarts") and _is_recent(row)
    }
    events: Sequence[Row] = []
    if candidates:
        kinds_told = ",".join(("instance.stopped", *_FAILED, *_ANSWERED))
        with suppress(ClientError):
            events = session.get("events", follow=0, kind=kinds_told, limit=_EVENTS_MAX)
    calm: dict[str, bool] = {}
    for event in events:
        if event["kind"] in _FAILED:
            calm[event["instance"]] = False
        elif event["kind"] in _ANSWERED:
            calm[event["instance"]] = True
        else:
            calm.setdefault(event["instance"], True)
    return frozenset(name for name in candidates if calm.get(name))


def _is_recent(row: Row) -> bool:
    since, as_of = parsed(row.get("since")), parsed(row.get("as_of"))
    if since is None or as_of is None:
        return False
    return (as_of - since).total_seconds() <= _RESTART_S


def _print_cluster(session: Session, found: Mapping[str, Any]) -> None:
    colour = session.colour
    session.out(f"branches   {_counted(found['branches'], colour=colour)}")
    session.out(f"instances  {_counted(found['instances'], colour=colour)}")
    if found["fenced"]:
        session.out(
            painted(
                f"The branch {found['branch']} is fenced: it is catching up with the "
                "cluster, and starts nothing.",
                Paint.BUSY,
                colour=colour,
            )
        )
    for columns, rows in (
        (_titled(kinds.BRANCHES, *_OF_BRANCHES), found["not_well"]["branches"]),
        (_titled(kinds.INSTANCES, *_OF_INSTANCES), found["not_well"]["instances"]),
        (kinds.ALERTS.columns, found["alerts"]),
    ):
        if rows:
            session.out("")
            session.out_lines(table_lines(columns, rows, width=session.width, colour=colour))
    alerts = {str(alert.get("kind")) for alert in found["alerts"]}
    for is_so, hint in (
        (found["not_well"]["instances"], "'cyme describe instance NAME' tells what happened"),
        (found["not_well"]["branches"], "'cyme describe branch ID' tells of a branch"),
        (alerts & _OF_QUEUES, "'cyme describe queue NAME' tells of a queue"),
    ):
        if is_so:
            session.say(f"{hint}, and what to do.")
    if found["ok"]:
        session.out(painted("All is well.", Paint.GOOD, colour=colour))


def _counted(states: Mapping[str, int], *, colour: bool) -> str:
    if not states:
        return "none"
    return ", ".join(
        f"{count} {painted(one_line(state), state_paint(state), colour=colour)}"
        for state, count in sorted(states.items())
    )


def _print_instances(session: Session, rows: Sequence[Row]) -> None:
    if not form_of(session).is_table:
        print_data(session, {"items": list(rows)})
        return
    columns = _titled(kinds.INSTANCES, *_OF_INSTANCES)
    session.out_lines(table_lines(columns, rows, width=session.width, colour=session.colour))


def _titled(kind: kinds.Kind, *titles: str) -> list[Column]:
    """Return columns of a kind; what tells why is read to its end."""
    found = [column for column in kind.columns if column.title in titles]
    return [replace(column, folds=column.title == "REASON") for column in found]
