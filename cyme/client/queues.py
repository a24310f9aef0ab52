"""Queue declarations, what is in the queues, and who consumes from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cyme.client.calls import Calls
from cyme.client.errors import NotFound
from cyme.client.info import Info
from cyme.client.messages import path_of
from cyme.client.models import (
    Configured,
    Member,
    asynchronous,
    conditions,
    maybe,
    name_of,
    object_of,
)
from cyme.client.sections import Names, Section
from cyme.client.tasks import Task, queue_url

if TYPE_CHECKING:
    from cyme.client.instances import Instance


class Queue(Configured):
    """The declaration of a queue; None is what its maker left to the default."""

    kind = "Queue"

    exchange: Member[str | None] = Member(maybe, "The exchange it is bound to.")
    exchange_type: Member[str | None] = Member(maybe, "The type of that.")
    routing_key: Member[str | None] = Member(maybe, "The routing key it is bound by.")
    options: Member[Mapping[str, Any] | None] = Member(maybe, "What kombu takes besides.")

    @property
    def app(self) -> str:
        """The name of its app."""
        return self._path[0]

    def stats(self) -> Info:
        """Return ``depth``, ``consumers``, ``oldest_s``, ``in_rate``, ``out_rate``, asked now."""
        return Info(object_of(self._calls.ask("GET", path_of(*self._path, "stats"))))

    def purge(self, expect: int | None = None) -> int:
        """Throw away the messages that wait in it, and return how many they were.

        Args:
            expect: How many there should be about; if there are far more, nothing is purged.

        Raises:
            Conflict: There are far more.
        """
        query = {"expect": self.stats().depth if expect is None else expect}
        reply = self._calls.ask("POST", path_of(*self._path, "purge"), query=query)
        return int(object_of(reply)["purged"])

    def send(self, url: str, **options: Any) -> Task:
        """Queue a URL for a worker to request; see ``App.queue_url``."""
        return queue_url(self._calls, self.app, self.name, url, **options)


class Queues(Section[Queue]):
    """The queues of an app."""

    model = Queue

    def add(
        self,
        name: str,
        exchange: str | None = None,
        exchange_type: str | None = None,
        routing_key: str | None = None,
        nowait: bool = False,
        *,
        must_be_new: bool = False,
        if_match: str | None = None,
        **options: Any,
    ) -> Queue:
        """Declare a queue, or change its declaration, and return it.

        Args:
            name: Its name.
            exchange: The exchange it is bound to; the queue's name if None.
            exchange_type: The type of that; direct if None.
            routing_key: The routing key; the queue's name if None.
            nowait: Whether to return before it is done.
            must_be_new: Whether to refuse if there is one of this name.
            if_match: An entity tag; nothing is written if that is no longer its own.
            options: What kombu takes for queue, exchange and binding besides; also as one
                mapping, ``options={...}``.

        Raises:
            InvalidRequest: A parameter cannot be accepted.
            PreconditionFailed: A condition does not hold.
        """
        members = {
            "exchange": exchange,
            "exchange_type": exchange_type,
            "routing_key": routing_key,
            "options": _options(options),
        }
        headers = conditions(if_match, must_be_new=must_be_new)
        return self._put(name, members, nowait=nowait, headers=headers)


def _options(given: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the options of a queue, be they given one by one or as one mapping."""
    one_by_one = {name: value for name, value in given.items() if name != "options"}
    return {**(given.get("options") or {}), **one_by_one} or None


class Consumers(Names[Queue]):
    """The queues that an instance consumes from, by name."""

    model = Queue

    def __init__(self, calls: Calls, instance: Instance) -> None:
        super().__init__(calls, (instance.app, "instances", instance.name, "queues"))
        self._instance = instance

    def all(self) -> list[Queue]:
        """Return the queues with their declarations."""
        wanted = self.all_names()
        if not wanted:
            return []
        declared = Queues(self._calls, (self._instance.app, "queues"))
        by_name = {queue.name: queue for queue in declared.all()}
        return [by_name[name] for name in wanted if name in by_name]

    def add(self, queue: str | Queue, nowait: bool = False) -> None:
        """Have the instance consume from a queue.

        Raises:
            NotFound: There is no such queue.
        """
        self._calls.ask("PUT", self._writing(name_of(queue), nowait))

    def delete(self, queue: str | Queue, nowait: bool = False) -> None:
        """Have the instance stop consuming from a queue.

        Raises:
            NotFound: It does not consume from it.
        """
        self._calls.ask("DELETE", self._writing(name_of(queue), nowait))

    def __delitem__(self, name: str) -> None:
        self.delete(name)

    def _writing(self, name: str, nowait: bool) -> str:
        return (asynchronous if nowait else path_of)(*self._path, name)

    def _path_to(self, name: str, members: Mapping[str, Any]) -> tuple[str, ...]:
        del members
        return (self._instance.app, "queues", name)

    def __repr__(self) -> str:
        return f"<Consumers: {self._instance.name}>"


def all_queues(calls: Calls, apps: Callable[[], list[str]]) -> list[Queue]:
    """Return the queues of all apps, read in one request where the branch can do that."""
    try:
        found = calls.value("GET", "/queues/", query={"details": 1})
    except NotFound:
        found = None
    if not isinstance(found, list):
        return [queue for app in apps() for queue in Queues(calls, (app, "queues")).all()]
    return [Queue(calls, (str(each["app"]), "queues", str(each["name"])), each) for each in found]
