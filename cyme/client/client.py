"""A cluster, through one of its branches."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from cyme.client.addresses import DEFAULT_URL, address_of
from cyme.client.apps import App, Apps
from cyme.client.branches import Branch, Move, Tokens
from cyme.client.calls import Calls
from cyme.client.events import Event, Row
from cyme.client.info import Info
from cyme.client.instances import Instances, instances_of
from cyme.client.messages import Reply, Transport, path_of
from cyme.client.models import list_of, object_of
from cyme.client.queues import Queue, all_queues
from cyme.client.sections import details
from cyme.client.streams import HEARTBEAT_S, RECONNECTS_MAX, EventStream

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 30.0
RETRIES = 2


class Client:
    """A cluster, through one of its branches; any of them answers for all.

    Safe to use from several threads, and from greenlets under gevent.

    Args:
        url: The URL of a branch.
        token: What the branch asks for, or one for each URL; None where it asks for none.
        urls: Further branches, asked in turn where one cannot be reached.
        ca: A file with the certificates to trust instead of the system's.
        timeout_s: How long a call may take in all, in seconds.
        retries: How often a call is tried again that may be.
        transport: Carries the requests in place of HTTP; the URLs, tokens and ``ca`` are of no
            use then.

    Raises:
        ValueError: A URL is none of a branch.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        token: str | Mapping[str, str] | None = None,
        urls: Iterable[str] = (),
        ca: str | Path | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
        transport: Transport | None = None,
    ) -> None:
        if transport is None:
            transport = _connections([url, *urls], token, ca)
        self._transport = transport
        self._calls = Calls(transport, timeout_s=timeout_s, retries=retries)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **options: Any) -> Self:
        """Make a client of ``CYME_URL`` (several are separated by commas) and ``CYME_TOKEN``.

        Args:
            environment: Where the two are looked up; the process's own environment if None.
            options: What else ``Client`` takes.

        Raises:
            ValueError: A URL is none of a branch.
        """
        given = os.environ if environment is None else environment
        first, *others = [
            each.strip() for each in given.get("CYME_URL", "").split(",") if each.strip()
        ] or [DEFAULT_URL]
        return cls(first, urls=others, token=given.get("CYME_TOKEN") or None, **options)

    @property
    def url(self) -> str:
        """The branch that the next request goes to."""
        return self._transport.url

    @property
    def calls(self) -> Calls:
        """What asks the cluster, for requests that have no method here."""
        return self._calls

    # --- apps -----------------------------------------------------------------------------------

    @property
    def apps(self) -> Apps:
        """The apps."""
        return Apps(self._calls, ())

    def all(self) -> list[str]:
        """Return the names of the apps."""
        return self.apps.all_names()

    def keys(self) -> list[str]:
        """Return the names of the apps, as ``all`` does."""
        return self.all()

    def add(
        self,
        name: str,
        broker: str | Mapping[str, Any] | None = None,
        arguments: str | None = None,
        extra_config: str | None = None,
        nowait: bool = False,
        **options: Any,
    ) -> App:
        """Create an app, or change one, and return it; see ``Apps.add``."""
        return self.apps.add(name, broker, arguments, extra_config, nowait, **options)

    def get(self, name: str) -> App:
        """Return an app.

        Raises:
            NotFound: There is none of this name; it is a ``KeyError`` too.
        """
        return self.apps.get(name)

    def delete(self, name: str | App, nowait: bool = False, *, force: bool = False) -> None:
        """Delete an app, by name or model.

        Raises:
            NotFound: There is none of this name.
            Conflict: It has instances, and ``force`` is not given.
        """
        self.apps.delete(name, nowait, force=force)

    def __getitem__(self, name: str) -> App:
        return self.get(name)

    def __delitem__(self, name: str) -> None:
        self.delete(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self.all())

    def __bool__(self) -> bool:
        return True

    def __contains__(self, wanted: object) -> bool:
        return wanted in self.apps

    # --- what is in all apps --------------------------------------------------------------------

    @property
    def instances(self) -> Instances:
        """The instances of all apps."""
        return instances_of(self._calls)

    def all_queues(self) -> list[Queue]:
        """Return the queues of all apps."""
        return all_queues(self._calls, self.all)

    # --- branches -------------------------------------------------------------------------------

    @property
    def branches(self) -> list[str]:
        """The ids of the branches."""
        return list_of(self._calls.ask("GET", "/branches/"))

    def branch(self, id: str) -> Branch:  # noqa: A002 - what it is called
        """Return a branch.

        Raises:
            NotFound: There is none of this id.
        """
        reply = self._calls.ask("GET", path_of("branches", id))
        return Branch(self._calls, ("branches", id), object_of(reply))

    def branch_info(self, id: str) -> Info:  # noqa: A002 - what it is called
        """Return one branch's details.

        Raises:
            NotFound: There is none of this id.
        """
        return self.branch(id).info

    def all_branches(self) -> list[Branch]:
        """Return all branches, read in one request where the branch can do that."""
        found = details(self._calls, "/branches/")
        if found is None:
            return [self.branch(each) for each in self.branches]
        return [Branch(self._calls, ("branches", str(each["id"])), each) for each in found]

    def tokens(self, branch: str | None = None) -> Tokens:
        """Return the tokens that a branch knows; of the one that is asked if None."""
        return Tokens(self._calls, branch or str(self.cluster().branch))

    # --- the cluster ----------------------------------------------------------------------------

    def cluster(self) -> Info:
        """Return the cluster as the branch that is asked sees it."""
        return Info(object_of(self._calls.ask("GET", "/cluster/")))

    def rebalance(self, *, dry_run: bool = False) -> list[Move]:
        """Have instances move until all branches are about equally full; return which do.

        Args:
            dry_run: Whether to only tell which would.
        """
        reply = self._calls.ask("POST", "/cluster/rebalance/", query={"dry_run": dry_run})
        return [Move(**each) for each in list_of(reply)]

    def vitals(self) -> Info:
        """Return how instances, queues, tasks and branches do, and what should alarm."""
        return Info(object_of(self._calls.ask("GET", "/cluster/vitals/")))

    def tasks(
        self,
        *,
        app: str | None = None,
        queue: str | None = None,
        state: str | None = None,
        q: str | None = None,
        limit: int = 50,
    ) -> list[Info]:
        """Return recent tasks that are known by their events, newest first.

        Args:
            app: Only those of this app.
            queue: Only those of this queue.
            state: Only those in this state.
            q: Only those whose name or id contains this.
            limit: So many at most.
        """
        query = {"app": app, "queue": queue, "state": state, "q": q, "limit": limit}
        return [
            Info(each) for each in list_of(self._calls.ask("GET", "/cluster/tasks/", query=query))
        ]

    def task(self, uuid: str) -> Info:
        """Return a recent task that is known by its events.

        Raises:
            NotFound: None of this id is known.
        """
        return Info(object_of(self._calls.ask("GET", path_of("cluster", "tasks", uuid))))

    # --- events ---------------------------------------------------------------------------------

    def stream(
        self,
        *,
        after: str | None = None,
        timeout_s: float | None = None,
        heartbeat_s: float = HEARTBEAT_S,
        reconnects: int = RECONNECTS_MAX,
        **filters: Any,
    ) -> EventStream[Event]:
        """Return events as they happen, across breaks of connections and ends of branches.

        Args:
            after: The id of the event to go on after.
            timeout_s: When the iteration ends, in seconds from now; None is never.
            heartbeat_s: After so much silence the connection is given up, in seconds.
            reconnects: So many attempts in a row may fail.
            filters: ``app``, ``instance``, ``branch``, ``kind`` (each one or several; a kind may
                end with ``.*``), ``since`` (a moment, or seconds ago), ``limit`` (so many of the
                past first), ``tasks`` (Celery's task events too).
        """
        return EventStream(
            self._calls,
            filters,
            after=after,
            timeout_s=timeout_s,
            heartbeat_s=heartbeat_s,
            reconnects=reconnects,
        )

    def live(
        self,
        *,
        timeout_s: float | None = None,
        heartbeat_s: float = HEARTBEAT_S,
        reconnects: int = RECONNECTS_MAX,
        **filters: Any,
    ) -> EventStream[Event | Row]:
        """Return events and the rows that changed, for a screen; see ``stream``."""
        return EventStream(
            self._calls,
            {"rows": True, **filters},
            timeout_s=timeout_s,
            heartbeat_s=heartbeat_s,
            reconnects=reconnects,
            with_rows=True,
        )

    def events(
        self, *, since: float | datetime | str | None = None, limit: int = 100, **filters: Any
    ) -> list[Event]:
        """Return what happened lately, the oldest first; see ``stream`` for the filters."""
        query = {"since": since, "limit": limit, "follow": False, **filters}
        return [Event.of(each) for each in list_of(self._calls.ask("GET", "/events/", query=query))]

    # --- the branch that is asked ---------------------------------------------------------------

    def ping(self) -> bool:
        """Tell whether the branch answers."""
        return bool(object_of(self._calls.ask("GET", "/ping/")).get("ok") == "pong")

    def metrics(self) -> str:
        """Return what Prometheus reads of the branch."""
        headers = {"Accept": "text/plain"}
        return self._calls.ask("GET", "/metrics", headers=headers).body.decode()

    def openapi(self) -> Info:
        """Return the description of the HTTP API."""
        return Info(object_of(self._calls.ask("GET", "/openapi.json")))

    def ask(self, method: str, path: str, **options: Any) -> Reply:
        """Ask for what no method here asks; see ``cyme.client.calls.Calls.ask``.

        Raises:
            ClientError: It was refused, or there is no answer.
        """
        return self._calls.ask(method, path, **options)

    def close(self) -> None:
        """Close the connections that are kept; the client can be used again."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client: {self.url}>"


def _connections(
    urls: Iterable[str], token: str | Mapping[str, str] | None, ca: str | Path | None
) -> Transport:
    from cyme.client.connections import Connections  # noqa: PLC0415 - a client may do without HTTP

    addresses = list(dict.fromkeys(address_of(url) for url in urls))
    if token is None:
        tokens = {}
    elif isinstance(token, str):
        tokens = {each.url: token for each in addresses}
    else:
        tokens = {address_of(url).url: each for url, each in token.items()}
    for each in tokens.values():
        if not each.isascii() or not each.isprintable():
            raise ValueError("The token has characters that no token has.")
    return Connections(addresses, tokens, ca=ca)
