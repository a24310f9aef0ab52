"""What the command does to a cluster: one function a deed, for all spellings of a command."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cyme.cli import kinds
from cyme.cli.exits import Exit
from cyme.cli.faults import CommandFailed, exit_of, told
from cyme.cli.reading import instance, row_of
from cyme.client.calls import value_of
from cyme.client.errors import ClientError, ConnectionFailed, PreconditionFailed
from cyme.client.messages import path_of

if TYPE_CHECKING:
    from cyme.cli.session import Session
    from cyme.cli.text.tables import Row

ASYNC = "!"

#: What a branch answers where nothing is new.
_OK = 200
_CREATED = "created"
_AS_GIVEN = "there already, and has what is given here"
MOVE_TIMEOUT_S = 75.0


def create_app(session: Session, name: str, members: Mapping[str, Any], *, may_exist: bool) -> Row:
    """Create an app.

    Raises:
        CommandFailed: It exists, and may not.
    """
    members = _with_broker(session, members)
    written, is_new = _created(session, "app", (name,), members, may_exist=may_exist)
    session.say(_done(session, f"The app {name} is {_CREATED if is_new else _AS_GIVEN}."))
    return written


def create_instance(
    session: Session, app: str, name: str | None, members: Mapping[str, Any], *, may_exist: bool
) -> Row:
    """Create an instance, named by the branch if it is given no name.

    Raises:
        CommandFailed: It exists, and may not; or there is no such app, which the API would create.
    """
    row_of(session, kinds.APPS, app)
    members = _with_broker(session, members)
    written: Row
    is_new = True
    if name is None:
        collection = (app, "instances", *((ASYNC,) if session.given.nowait else ()))
        written = session.calls.value(
            "POST",
            path_of(*collection),
            members=members,
            headers={"Idempotency-Key": str(uuid.uuid4())},
            is_idempotent=True,
        )
    else:
        written, is_new = _created(
            session, "instance", (app, "instances", name), members, may_exist=may_exist
        )
    where = f" on the branch {written['branch']}" if written.get("branch") else ""
    told = f"{_CREATED}{where}" if is_new else _AS_GIVEN
    session.say(_done(session, f"The instance {written['name']} is {told}."))
    return written


def create_queue(
    session: Session, app: str, name: str, members: Mapping[str, Any], *, may_exist: bool
) -> Row:
    """Declare a queue.

    Raises:
        CommandFailed: It exists, and may not.
    """
    written, is_new = _created(
        session, "queue", (app, "queues", name), members, may_exist=may_exist
    )
    told = "declared" if is_new else _AS_GIVEN
    session.say(_done(session, f"The queue {name} of the app {app} is {told}."))
    return written


def add_consumer(session: Session, name: str, queue: str) -> Row:
    """Have an instance consume from a queue."""
    app = _app_of(session, name)
    session.calls.value("PUT", _path(session, app, "instances", name, "queues", queue))
    session.say(_done(session, f"The instance {name} consumes from the queue {queue}."))
    return {"app": app, "instance": name, "queue": queue}


def change(
    session: Session,
    kind: str,
    segments: tuple[str, ...],
    members: Mapping[str, Any],
    *,
    what: str = "is changed",
) -> Row:
    """Change parameters of what exists; ``If-Match: *`` so that nothing is created by a typo.

    Args:
        session: What is asked.
        kind: What it is, in words.
        segments: Its path.
        members: The parameters.
        what: What is told of it then.
    """
    written: Row = session.calls.value(
        "PUT", _path(session, *segments), members=members, headers={"If-Match": "*"}
    )
    session.say(_done(session, f"The {kind} {segments[-1]} {what}."))
    return written


def delete_app(session: Session, name: str, *, force: bool = False) -> None:
    """Delete an app."""
    _delete(session, (name,), force=force)
    session.say(_done(session, f"The app {name} is deleted."))


def delete_instance(session: Session, name: str, *, force: bool = False) -> None:
    """Delete an instance; its worker ends warmly."""
    _delete(session, (_app_of(session, name), "instances", name), force=force)
    session.say(_done(session, f"The instance {name} is deleted."))


def delete_queue(session: Session, app: str, name: str, *, force: bool = False) -> None:
    """Delete the declaration of a queue."""
    _delete(session, (app, "queues", name), force=force)
    session.say(_done(session, f"The queue {name} of the app {app} is deleted."))


def delete_consumer(session: Session, name: str, queue: str) -> None:
    """Have an instance consume from a queue no more."""
    app = _app_of(session, name)
    session.calls.value("DELETE", _path(session, app, "instances", name, "queues", queue))
    session.say(_done(session, f"The instance {name} consumes from the queue {queue} no more."))


def limits(session: Session, name: str) -> Mapping[str, Any]:
    """Return the limits of an instance's concurrency."""
    found: Mapping[str, Any] = session.get(_app_of(session, name), "instances", name, "autoscale")
    return found


def set_limits(
    session: Session, name: str, most: int | None, least: int | None
) -> Mapping[str, Any]:
    """Set the limits of an instance's concurrency, and return them."""
    members = {key: value for key, value in (("max", most), ("min", least)) if value is not None}
    app = _app_of(session, name)
    path = _path(session, app, "instances", name) + "autoscale/"
    written: Mapping[str, Any] = session.calls.value("PUT", path, members=members)
    return written


def start(session: Session, row: Row) -> None:
    """Start an instance; one that its branch has given up is given another chance."""
    path = (str(row["app"]), "instances", str(row["name"]))
    if not row.get("is_enabled", True):
        session.calls.value("PUT", path_of(*path), members={"is_enabled": True})
    elif row.get("state") in {"disabled", "backoff"}:
        session.post(*path, "restart")
    session.say(f"The instance {row['name']} is to run.")


def stop(session: Session, row: Row) -> None:
    """Stop an instance until it is started."""
    path = (str(row["app"]), "instances", str(row["name"]))
    session.calls.value("PUT", path_of(*path), members={"is_enabled": False})
    session.say(f"The instance {row['name']} is to stop.")


def restart(session: Session, row: Row) -> None:
    """Restart the worker of an instance."""
    session.post(str(row["app"]), "instances", str(row["name"]), "restart")
    session.say(f"The instance {row['name']} restarts.")


def move(session: Session, name: str, branch: str | None) -> Row:
    """Move an instance; to whichever branch is fit if none is named."""
    before = instance(session, name)
    app = str(before["app"])
    path = _path(session, app, "instances", name) + "move/"
    moved: Row = session.calls.value(
        "POST",
        path,
        query={"branch": branch},
        timeout_s=session.given.timeout_s or MOVE_TIMEOUT_S,
    )
    to = moved.get("branch")
    if to is not None and to == before.get("branch"):
        session.say(f"The instance {name} was on the branch {to} already, and stays there.")
        return moved
    where = f" to the branch {to}" if to else ""
    session.say(_done(session, f"The instance {name} has moved{where}."))
    return moved


def each_of(
    session: Session,
    things: Sequence[Any],
    deed: Callable[[Any], object],
    *,
    missing_ok: bool = False,
) -> Exit:
    """Do something to each of several things, whatever becomes of the others.

    Args:
        session: Where to say what failed.
        things: What it is done to.
        deed: What is done.
        missing_ok: Whether it is as good as done where the thing is not there.

    Returns:
        OK, the code of the only kind of failure where none succeeded, or PARTLY.

    Raises:
        ClientError: There is only one thing, and it failed; or no branch can be reached.
    """
    done, codes = 0, []
    for thing in things:
        try:
            deed(thing)
        except (ClientError, CommandFailed) as exc:
            code = exit_of(exc)
            if missing_ok and code is Exit.NOT_FOUND:
                done += 1
                continue
            if len(things) == 1 or (isinstance(exc, ConnectionFailed) and not done):
                raise
            session.warn(told(exc))
            codes.append(code)
        else:
            done += 1
    if not codes:
        return Exit.OK
    if done:
        session.warn(f"Done: {done} of {len(things)}. Not done: {len(codes)}.")
        return Exit.PARTLY
    return codes[0]


def _created(
    session: Session,
    kind: str,
    segments: tuple[str, ...],
    members: Mapping[str, Any],
    *,
    may_exist: bool,
) -> tuple[Row, bool]:
    """Write what may exist, and return it and whether it is new, as far as that is known."""
    headers = {} if may_exist else {"If-None-Match": "*"}
    try:
        reply = session.calls.ask(
            "PUT", _path(session, *segments), members=members, headers=headers
        )
    except PreconditionFailed as exc:
        raise CommandFailed(
            f"There is already the {kind} {segments[-1]}. 'cyme set {kind} {segments[-1]} "
            "NAME=VALUE' changes it.",
            Exit.CONFLICT,
        ) from exc
    return value_of(reply), reply.status != _OK


def _delete(session: Session, segments: tuple[str, ...], *, force: bool) -> None:
    session.calls.value("DELETE", _path(session, *segments), query={"force": force or None})


def _path(session: Session, *segments: str) -> str:
    """Return the path of a write, in its asynchronous spelling if nobody wants to wait."""
    if not session.given.nowait:
        return path_of(*segments)
    *before, name = segments
    return path_of(*before, ASYNC, name)


def _app_of(session: Session, name: str) -> str:
    return session.given.app or str(instance(session, name)["app"])


def _with_broker(session: Session, members: Mapping[str, Any]) -> Mapping[str, Any]:
    broker = session.given.broker
    return {"broker": broker, **members} if broker else members


def _done(session: Session, text: str) -> str:
    return f"{text[:-1]}, or will be soon." if session.given.nowait else text
