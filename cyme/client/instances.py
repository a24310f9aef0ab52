"""Instances: Celery workers under management."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from cyme.client.calls import Calls
from cyme.client.errors import Timeout
from cyme.client.events import Event
from cyme.client.info import Info
from cyme.client.logs import LogStream, log_query, open_log
from cyme.client.messages import Deadline, as_text, path_of
from cyme.client.models import (
    ASYNC,
    Configured,
    Member,
    conditions,
    list_of,
    mapping,
    maybe,
    moment,
    name_of,
    names,
    object_of,
)
from cyme.client.queues import Consumers, Queue
from cyme.client.sections import Section

#: A state is looked at so often while one waits for it, in seconds.
POLL_S = 0.25

_KEY_BYTES = 16

#: A worker may take so long to start, in seconds.
START_TIMEOUT_S = 60.0

#: Segments of the path of an instance whose app is not known.
_PATH_OF_ALL = 2

#: A branch gives a move a minute, for a worker starts elsewhere meanwhile.
MOVE_TIMEOUT_S = 70.0


class Instance(Configured):
    """An instance: how its worker is run, and how it fares.

    Where it takes a parameter from its app or from the usual defaults, that is what is shown.
    """

    kind = "Instance"

    branch: Member[str] = Member(maybe, "The branch that owns it.")
    broker: Member[Info | None] = Member(maybe, "Its broker: ``hostname``, ``port``, ``url``, ...")
    result_backend: Member[str | None] = Member(maybe, "Where its results go.")
    pool: Member[str | None] = Member(maybe, "The pool of its worker.")
    min_concurrency: Member[int] = Member(maybe, "The lower limit of its concurrency.")
    max_concurrency: Member[int] = Member(maybe, "The upper limit of its concurrency.")
    is_enabled: Member[bool] = Member(bool, "Whether its worker is to run.")
    queue_names: tuple[str, ...]
    arguments: Member[str | None] = Member(maybe, "Options of its worker.")
    extra_config: Member[str | None] = Member(maybe, "Celery's settings for its worker.")
    celery_app: Member[str | None] = Member(maybe, "Celery's own app, its ``-A``.")
    workdir: Member[str | None] = Member(maybe, "The directory it runs in.")
    python: Member[str | None] = Member(maybe, "The interpreter that runs it.")
    env: Member[Mapping[str, str]] = Member(mapping, "Its environment variables.")
    labels: Member[Mapping[str, str]] = Member(mapping, "What its branch must have.")
    state: Member[str] = Member(maybe, "``running``, ``stopped``, ``starting``, ...")
    reason: Member[str] = Member(maybe, "Why it is in that state.")
    since: Member[datetime | None] = Member(moment, "When it came into that state.")
    pids: Member[tuple[int, ...]] = Member(tuple, "Its processes, the main one first.")
    restarts: Member[int] = Member(maybe, "How often its worker was restarted.")
    pinned: Member[bool] = Member(bool, "Whether it stays on its branch.")
    as_of: Member[datetime | None] = Member(moment, "When all that was so.")
    created_at: Member[datetime | None] = Member(moment, "When it was created.")
    updated_at: Member[datetime | None] = Member(moment, "When it was changed.")
    version: Member[int] = Member(maybe, "How often it was changed.")

    @property  # type: ignore[no-redef] # the reference names it otherwise than the API does
    def queue_names(self) -> tuple[str, ...]:
        """The names of the queues that it consumes from."""
        return names(self.member("queues"))

    @property
    def queues(self) -> list[Queue]:
        """The declarations of the queues that it consumes from, read when they are asked for."""
        return self.consumers.all()

    @property
    def consumers(self) -> Consumers:
        """The queues that it consumes from, to add to and to delete from."""
        return Consumers(self._calls, self)

    @property
    def app(self) -> str:
        """The name of its app."""
        return self._path[0] if len(self._path) > _PATH_OF_ALL else str(self.member("app"))

    # --- what it says of itself -----------------------------------------------------------------

    def stats(self) -> Info:
        """Return what ``celery inspect stats`` says of its worker.

        Raises:
            Unavailable: The worker does not answer.
        """
        return Info(object_of(self._calls.ask("GET", self._verb("stats"))))

    def events(self) -> list[Event]:
        """Return what happened to it, the oldest event first."""
        return [Event.of(each) for each in list_of(self._calls.ask("GET", self._verb("events")))]

    def log(self, lines: int = 100, *, since: float | datetime | str | None = None) -> str:
        """Return the end of its worker's log.

        Args:
            lines: How many lines, up to 10,000.
            since: Only what was written since this moment, or so many seconds ago.
        """
        query = log_query(lines, since)
        return self._calls.ask("GET", self._verb("log"), query=query).body.decode(errors="replace")

    def follow_log(
        self, lines: int = 10, *, since: float | datetime | str | None = None
    ) -> LogStream:
        """Return the lines of its worker's log as they are written; close it when done."""
        return open_log(self._calls, self._verb("log"), lines, since)

    # --- what can be done with it ---------------------------------------------------------------

    def start(self) -> Instance:
        """Have its worker run. Return it."""
        return self.update(is_enabled=True)

    def stop(self) -> Instance:
        """Have its worker stopped. Return it."""
        return self.update(is_enabled=False)

    def restart(self) -> None:
        """Have its worker restarted warmly; a disabled one gets a new restart budget."""
        self._calls.ask("POST", self._verb("restart"))

    def move(self, branch: str | None = None, nowait: bool = False) -> Instance:
        """Move it to another branch: its worker runs there before it stops here. Return it.

        Args:
            branch: Where to; whichever is fit if None.
            nowait: Whether to return before it has moved.

        Raises:
            Conflict: The branch is not fit, or none is.
            Timeout: It takes longer than a minute, and goes on.
        """
        reply = self._calls.ask(
            "POST",
            self._verb("move", nowait),
            query={"branch": branch},
            timeout_s=max(MOVE_TIMEOUT_S, self._calls.timeout_s),
        )
        if not nowait:
            self._take(reply)
        return self

    def autoscale(
        self,
        max: int | None = None,  # noqa: A002 - what users know it by
        min: int | None = None,  # noqa: A002 - as above
        nowait: bool = False,
    ) -> Info:
        """Return the limits of its concurrency, ``max`` and ``min``, after setting those given."""
        if max is None and min is None:
            return Info(object_of(self._calls.ask("GET", self._verb("autoscale"))))
        limits = {name: value for name, value in (("max", max), ("min", min)) if value is not None}
        reply = self._calls.ask("PUT", self._verb("autoscale", nowait), members=limits)
        return Info(object_of(reply) if not nowait else limits)

    def scale(self, max: int, min: int | None = None) -> Info:  # noqa: A002 - as autoscale has it
        """Set the limits of its concurrency, both to ``max`` if ``min`` is None."""
        return self.autoscale(max=max, min=max if min is None else min)

    def wait(
        self, states: str | Iterable[str] = "running", *, timeout_s: float = START_TIMEOUT_S
    ) -> Instance:
        """Wait until it is in one of the states, and return it.

        Args:
            states: One state or several.
            timeout_s: How long to wait, in seconds.

        Raises:
            Timeout: It is in none of them by then.
        """
        wanted = {states} if isinstance(states, str) else set(states)
        deadline = Deadline(timeout_s)
        while True:
            self.refresh()
            if self.state in wanted:
                return self
            if deadline.left_s() == 0:
                told = " or ".join(sorted(wanted))
                raise Timeout(
                    f"The instance {self.name!r} is not {told} after {timeout_s:g} s: it is "
                    f"{self.state} ({self.reason})."
                )
            time.sleep(deadline.at_most_s(POLL_S))

    def _verb(self, verb: str, nowait: bool = False) -> str:
        return path_of(self.app, "instances", *([ASYNC] if nowait else []), self.name, verb)


class Instances(Section[Instance]):
    """The instances of an app, or of all apps."""

    model = Instance

    def add(
        self,
        name: str | None = None,
        broker: str | Mapping[str, Any] | None = None,
        arguments: str | None = None,
        config: str | None = None,
        nowait: bool = False,
        *,
        queues: Iterable[str | Queue] | None = None,
        wait_s: float | None = None,
        must_be_new: bool = False,
        if_match: str | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        **options: Any,
    ) -> Instance:
        """Create an instance, or change one, and return it.

        Args:
            name: Its name; a UUID if None.
            broker: The URL of its broker, or the parts of one; its app's if None.
            arguments: Options of its worker.
            config: Celery's settings for its worker, ``key=value``; also ``extra_config``.
            nowait: Whether to return before it is done.
            queues: What it consumes from, by name or model.
            wait_s: Return once its worker runs, or after so many whole seconds.
            must_be_new: Whether to refuse if there is one of this name.
            if_match: An entity tag; nothing is written if that is no longer its own.
            idempotency_key: What makes a second attempt find the instance without a name that
                the first one created; one is made up if None.
            timeout_s: How long the call may take in all, in seconds.
            options: ``pool``, ``min_concurrency``, ``max_concurrency``, ``is_enabled``,
                ``branch``, ``pinned``, ``celery_app``, ``workdir``, ``python``, ``env``,
                ``labels``, ``result_backend``.

        Raises:
            InvalidRequest: A parameter cannot be accepted.
            PreconditionFailed: A condition does not hold.
        """
        members = {
            "broker": broker,
            "arguments": arguments,
            "extra_config": options.pop("extra_config", config),
            "queues": None if queues is None else [name_of(queue) for queue in queues],
            **options,
        }
        headers = conditions(if_match, must_be_new=must_be_new)
        is_idempotent = None
        if name is None:
            headers["Idempotency-Key"] = idempotency_key or os.urandom(_KEY_BYTES).hex()
            is_idempotent = True
        if wait_s is not None:
            headers["Prefer"] = f"wait={as_text(int(wait_s))}"
            timeout_s = max(timeout_s or 0.0, wait_s + self._calls.timeout_s)
        return self._put(
            name,
            members,
            nowait=nowait,
            headers=headers,
            timeout_s=timeout_s,
            is_idempotent=is_idempotent,
        )

    def _path_to(self, name: str, members: Mapping[str, Any]) -> tuple[str, ...]:
        if "app" in members:
            return str(members["app"]), "instances", name
        return (*self._path, name)


def instances_of(calls: Calls, app: str | None = None) -> Instances:
    """Return the section of the instances of an app, or of all apps."""
    return Instances(calls, ("instances",) if app is None else (app, "instances"))
