"""What a branch says of the things of one kind, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cyme.cli import kinds
from cyme.cli.exits import Exit
from cyme.cli.faults import BadUsage, CommandFailed, did_you_mean, told
from cyme.cli.kinds import Kind
from cyme.cli.text.tables import Row
from cyme.client.errors import NotFound

if TYPE_CHECKING:
    from cyme.cli.session import Session

_DETAILS = {"details": True}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of the things of a kind.

    Attributes:
        names: These; all if empty.
        labels: Only those with these labels.
        queue: Tasks of this queue; instances and consumers that take from it.
        state: Those in this state.
        text: Tasks in which this is found.
        limit: So many tasks or events at most.
        branch: Tokens and events of this branch; instances on it.
        with_vitals: Whether queues come with depths and rates, branches with their load.
    """

    names: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    queue: str | None = None
    state: str | None = None
    text: str | None = None
    limit: int | None = None
    branch: str | None = None
    with_vitals: bool = False


def rows_of(session: Session, kind: Kind, wanted: Wanted) -> list[Row]:
    """Return the things of a kind that are wanted.

    Raises:
        CommandFailed: One that was named is not there.
        ClientError: The branch cannot say.
    """
    rows = _READERS[kind](session, wanted)
    if wanted.labels:
        rows = [row for row in rows if has_labels(row, wanted.labels)]
    if wanted.state is not None:
        rows = [row for row in rows if str(row.get("state")).lower() == wanted.state.lower()]
    return rows


def row_of(session: Session, kind: Kind, name: str) -> Row:
    """Return one thing."""
    return rows_of(session, kind, Wanted(names=[name], limit=1))[0]


def has_labels(row: Row, labels: Mapping[str, str]) -> bool:
    """Tell whether something has all of the labels."""
    own = row.get("labels") or {}
    return all(own.get(name) == value for name, value in labels.items())


def instance(session: Session, name: str) -> Row:
    """Return an instance, of the app that was named if one was.

    Raises:
        CommandFailed: There is none.
    """
    app = session.given.app
    try:
        found: Row = session.get(*((app,) if app else ()), "instances", name)
    except NotFound as exc:
        others = _names(session, *((app,) if app else ()), "instances")
        raise _missing(exc, name, others) from exc
    return found


def _instances(session: Session, wanted: Wanted) -> list[Row]:
    app = session.given.app or (session.app if not wanted.names else None)
    if wanted.names:
        rows = [instance(session, name) for name in wanted.names]
    else:
        rows = session.get(*((app,) if app else ()), "instances", **_DETAILS)
    if wanted.branch is not None:
        rows = [row for row in rows if row.get("branch") == wanted.branch]
    if wanted.queue is not None:
        rows = [row for row in rows if wanted.queue in (row.get("queues") or ())]
    return rows


def _apps(session: Session, wanted: Wanted) -> list[Row]:
    if not wanted.names:
        rows: list[Row] = session.get(**_DETAILS)
        return rows
    return [_one(session, (), name) for name in wanted.names]


def _queues(session: Session, wanted: Wanted) -> list[Row]:
    app = session.app
    rows: list[Row]
    if wanted.names:
        app = app or _app_of_queue(session, wanted.names[0])
        rows = [{"app": app, **_one(session, (app, "queues"), name)} for name in wanted.names]
    else:
        rows = session.get(*((app,) if app else ()), "queues", **_DETAILS)
    if wanted.with_vitals:
        known = {(each.get("app"), each.get("name")): each for each in queues_in(vitals(session))}
        rows = [{**known.get((row.get("app"), row.get("name")), {}), **row} for row in rows]
    return rows


def _app_of_queue(session: Session, name: str) -> str:
    """Return the only app that has a queue of this name."""
    apps = [str(each["app"]) for each in session.get("queues") if each["name"] == name]
    if len(apps) != 1:
        found = f"The apps {', '.join(apps)} have one" if apps else "No app has a queue"
        raise CommandFailed(
            f"{found} named {name!r}; name the app with -a.",
            Exit.USAGE if apps else Exit.NOT_FOUND,
        )
    return apps[0]


def _branches(session: Session, wanted: Wanted) -> list[Row]:
    if not wanted.names:
        rows: list[Row] = session.get("branches", **_DETAILS)
        loads = vitals(session).get("branches", {}) if wanted.with_vitals else {}
        return [{**row, **loads.get(row["id"], {})} for row in rows]
    return [_one(session, ("branches",), name) for name in wanted.names]


def _consumers(session: Session, wanted: Wanted) -> list[Row]:
    return [
        {**{key: row.get(key) for key in ("app", "branch", "state", "labels")},
         "instance": row["name"], "queue": queue}
        for row in _instances(session, wanted)
        for queue in row.get("queues") or ()
        if wanted.queue in {None, queue}
    ]  # fmt: skip


def _tasks(session: Session, wanted: Wanted) -> list[Row]:
    if wanted.names:
        return [session.get("cluster", "tasks", name) for name in wanted.names]
    rows: list[Row] = session.get(
        "cluster", "tasks", app=session.app, queue=wanted.queue, state=wanted.state,
        q=wanted.text, limit=wanted.limit,
    )  # fmt: skip
    return rows


def _events(session: Session, wanted: Wanted) -> list[Row]:
    rows: list[Row] = session.get(
        "events", follow=0, app=session.given.app, limit=wanted.limit,
        instance=",".join(wanted.names) or None, branch=wanted.branch,
    )  # fmt: skip
    return rows


def _tokens(session: Session, wanted: Wanted) -> list[Row]:
    branch = wanted.branch or here(session)
    rows: list[Row] = session.get("branches", branch, "tokens")
    if wanted.names:
        by_name = {str(row["name"]): row for row in rows}
        missing = [name for name in wanted.names if name not in by_name]
        if missing:
            raise CommandFailed(
                f"The branch {branch!r} has no token named {missing[0]!r}."
                f"{did_you_mean(missing[0], by_name)}",
                Exit.NOT_FOUND,
            )
        rows = [by_name[name] for name in wanted.names]
    return rows


def _alerts(session: Session, wanted: Wanted) -> list[Row]:
    rows: list[Row] = vitals(session).get("alerts", [])
    return [row for row in rows if not wanted.names or row.get("subject") in wanted.names]


def vitals(session: Session) -> Mapping[str, Any]:
    """Return how the cluster does: instances, queues, tasks, branches and alerts."""
    found: Mapping[str, Any] = session.get("cluster", "vitals")
    return found


def queues_in(vitals: Mapping[str, Any]) -> list[Row]:
    """Return the queues of what ``vitals`` returned, each with its ``trouble`` in words.

    That is why it cannot be looked at, and what its alerts say; empty where all is well. The kinds
    of these are in ``alerts``.
    """
    told: dict[tuple[Any, Any], list[Row]] = {}
    for alert in vitals.get("alerts", []):
        if str(alert.get("kind")).startswith("queue-"):
            told.setdefault((alert.get("app"), alert.get("subject")), []).append(alert)

    def with_trouble(row: Row) -> Row:
        alerts = told.get((row.get("app"), row.get("name")), [])
        reasons = [row.get("error"), *(alert["reason"] for alert in alerts)]
        return {
            **row,
            "trouble": "; ".join(str(reason) for reason in reasons if reason),
            "alerts": [alert["kind"] for alert in alerts],
        }

    return [with_trouble(row) for row in vitals.get("queues", [])]


def here(session: Session) -> str:
    """Return the id of the branch that is asked."""
    return str(session.get("cluster")["branch"])


def labels_in(texts: Sequence[str]) -> dict[str, str]:
    """Return the labels in texts such as ``zone=a,disk=ssd``.

    Raises:
        BadUsage: One has no value.
    """
    labels = {}
    for part in ",".join(texts).split(","):
        name, equals, value = part.strip().partition("=")
        if name and not equals:
            raise BadUsage(f"The label {name!r} has no value; say {name}=VALUE.")
        if name:
            labels[name] = value
    return labels


def _one(session: Session, collection: tuple[str, ...], name: str) -> Row:
    try:
        found: Row = session.get(*collection, name)
    except NotFound as exc:
        raise _missing(exc, name, _names(session, *collection)) from exc
    return found


def _names(session: Session, *collection: str) -> Sequence[str]:
    """Return the names that there are, for a suggestion; none where that cannot be said."""
    from cyme.client.errors import ClientError  # noqa: PLC0415 - only after a miss

    try:
        return [str(name) for name in session.get(*collection)]
    except ClientError:
        return []


def _missing(exc: NotFound, name: str, known: Sequence[str]) -> CommandFailed:
    return CommandFailed(f"{told(exc)}{did_you_mean(name, known)}", Exit.NOT_FOUND)


_READERS = {
    kinds.APPS: _apps,
    kinds.INSTANCES: _instances,
    kinds.QUEUES: _queues,
    kinds.CONSUMERS: _consumers,
    kinds.BRANCHES: _branches,
    kinds.TASKS: _tasks,
    kinds.EVENTS: _events,
    kinds.TOKENS: _tokens,
    kinds.ALERTS: _alerts,
}
