"""Restarting instances a few at a time, so that the others go on with the work meanwhile.

A parameter of an app is taken up in turn as well: each instance is given it as its own, the app
when all run with it, and then theirs give way to the app's, which changes nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cyme.cli import deeds, waiting
from cyme.cli.exits import Exit
from cyme.cli.faults import CommandFailed, exit_of, told
from cyme.cli.reading import instance
from cyme.client.errors import ClientError

if TYPE_CHECKING:
    from cyme.cli.session import Session
    from cyme.cli.text.tables import Row

#: One in so many is away at a time, unless the user says how many.
USUAL_SHARE = 4
#: What a worker is started with, and takes up by a restart.
STARTED_WITH = frozenset(
    {"celery_app", "workdir", "python", "env", "pool", "arguments", "extra_config"}
)

_NOT_CHANGED = (
    "The app is not changed. Those that run anew have the parameter as their own; 'cyme set "
    "instance NAME PARAMETER=' takes it back."
)


def usual_count(total: int) -> int:
    """Return how many of so many instances restart at a time: a quarter, at least one."""
    return max(1, total // USUAL_SHARE)


def restart_in_turn(
    session: Session, rows: Sequence[Row], at_a_time: int, timeout_s: float | None
) -> Exit:
    """Restart some, wait until each of them runs again, go on; stop where one does not.

    Args:
        session: What is asked.
        rows: The instances.
        at_a_time: How many are away at once, at least 1.
        timeout_s: How long those of one turn may take, in seconds; two minutes if None.

    Returns:
        OK; PARTLY if some run anew and others were left alone.

    Raises:
        CommandFailed: None runs anew.
        ClientError: As above, since no branch could be asked.
    """
    names = [str(row["name"]) for row in rows]
    return in_turn(session, names, at_a_time, timeout_s, lambda row: deeds.restart(session, row))


def set_in_turn(
    session: Session,
    app: str,
    members: Mapping[str, Any],
    write: Callable[[], object],
    at_a_time: int | None,
    timeout_s: float | None,
    own: Mapping[str, Mapping[str, Any]] | None = None,
    write_with: Callable[[str, Mapping[str, Any]], object] | None = None,
) -> Exit:
    """Change parameters of an app so that its instances take them up in turn.

    Where one does not run with them it is set back, and the app is not changed.

    Args:
        session: What is asked.
        app: The app.
        members: The parameters, all of ``STARTED_WITH``.
        write: Changes the app; called once its instances run with the parameters.
        at_a_time: How many are away at once; a quarter if None.
        timeout_s: How long those of one turn may take, in seconds; two minutes if None.
        own: What instances are to have of their own from then on, by their names; None takes back.
        write_with: Changes one of those, given its name and what it takes over from the app
            meanwhile, so that it restarts once for both.

    Returns:
        OK; PARTLY if some run with them and others were left alone, or the app was.

    Raises:
        CommandFailed: None runs with them.
        ClientError: As above, since no branch could be asked; or none had to, and the app cannot be
            changed.
    """
    given: dict[str, dict[str, Any]] = {}
    changed = own or {}
    for row in session.get(app, "instances", details=True):
        after = {**dict.fromkeys(row["own"], True), **changed.get(str(row["name"]), {})}
        inherited = {name: value for name, value in members.items() if after.get(name) is None}
        is_new = any(row[name] != value for name, value in inherited.items())
        if row.get("state") != "stopped" and is_new:
            given[str(row["name"])] = inherited

    def give(row: Row) -> None:
        name = str(row["name"])
        if write_with is not None and name in changed:
            write_with(name, given[name])
        else:
            deeds.change(session, "instance", (app, "instances", name), given[name])

    def drop(name: str, what: str) -> None:
        none = dict.fromkeys(given[name])
        deeds.change(session, "instance", (app, "instances", name), none, what=what)

    def set_back(name: str) -> None:
        drop(name, "is set back")

    names = list(given)
    code = in_turn(session, names, at_a_time, timeout_s, give, undo=set_back)
    if code is not Exit.OK:
        return code
    try:
        write()
    except ClientError as exc:
        if not names:
            raise
        session.warn(told(exc))
        session.warn(_NOT_CHANGED)
        return Exit.PARTLY
    return deeds.each_of(session, names, lambda name: drop(name, f"has it from the app {app} now"))


def in_turn(
    session: Session,
    names: Sequence[str],
    at_a_time: int | None,
    timeout_s: float | None,
    deed: Callable[[Row], None],
    undo: Callable[[str], None] | None = None,
) -> Exit:
    """Do what restarts the worker of an instance to some, and go on when each of them runs anew.

    Args:
        session: What is asked.
        names: The instances.
        at_a_time: How many are away at once; a quarter if None.
        timeout_s: How long those of one turn may take, in seconds; two minutes if None.
        deed: What is done.
        undo: Done to those that do not run anew.

    Returns:
        OK; PARTLY if some run anew and others were left alone.

    Raises:
        CommandFailed: None runs anew.
        ClientError: As above, since no branch could be asked.
    """
    if not names:
        return Exit.OK
    each_turn = at_a_time or usual_count(len(names))
    done: list[str] = []
    turn: list[str] = []
    try:
        while len(done) < len(names):
            turn = list(names[len(done) : len(done) + each_turn])
            _take(session, turn, timeout_s, deed)
            done += turn
    except (ClientError, CommandFailed) as exc:
        code = exit_of(exc)
        session.warn(told(exc))
        _tell(session, names, done, turn)
        if undo is not None:
            deeds.each_of(session, turn, undo)
            if done:
                session.warn(_NOT_CHANGED)
        if done:
            return Exit.PARTLY
        rest = "" if undo is None else " Nothing else was changed."
        raise CommandFailed(f"None was seen to run again.{rest}", code) from exc
    except KeyboardInterrupt:
        _tell(session, names, done, turn)
        raise
    session.say(f"{len(done)} {'instance runs' if len(done) == 1 else 'instances run'} anew.")
    return Exit.OK


def _take(
    session: Session, turn: Sequence[str], timeout_s: float | None, deed: Callable[[Row], None]
) -> None:
    before = {}
    for name in turn:
        before[name] = instance(session, name)
        deed(before[name])
    anew = waiting.runs_anew({name: row.get("pids", ()) for name, row in before.items()})

    def goal(name: str, row: Row | None) -> bool:
        if row is not None and _is_as_before(row, before[name]):
            return False
        if row is not None and row.get("state") == "backoff":
            raise CommandFailed(
                f"The instance {name} did not come back: {row.get('reason')}. 'cyme logs {name}' "
                "shows what its worker said."
            )
        return anew(name, row)

    waiting.wait_for(session, turn, goal, what="running anew", timeout_s=timeout_s)


def _is_as_before(row: Row, before: Row) -> bool:
    """Tell whether its branch has not got round to it yet."""
    return all(row.get(name) == before.get(name) for name in ("state", "since", "pids"))


def _tell(session: Session, names: Sequence[str], done: Sequence[str], turn: Sequence[str]) -> None:
    """Say how far it came."""
    session.warn(f"run anew: {', '.join(done) or 'none'}")
    session.warn(f"told to restart, but not seen to run yet: {', '.join(turn)}")
    left = names[len(done) + len(turn) :]
    session.warn(f"not restarted: {', '.join(left) or 'none'}")
