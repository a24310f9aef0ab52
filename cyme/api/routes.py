"""Every route of the API, each with its other spellings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import falcon

from cyme.api.apps import Apps
from cyme.api.branches import Branches
from cyme.api.celery_tasks import SeenTasks
from cyme.api.cluster import Cluster
from cyme.api.consumers import Consumers
from cyme.api.events import Events
from cyme.api.health import Health
from cyme.api.instances import Instances
from cyme.api.logs import WorkerLogs
from cyme.api.operations import ASYNC_SEGMENT, Operation, Request, operation_of
from cyme.api.queues import Queues
from cyme.api.representations.workers import Representations
from cyme.api.streaming.broadcaster import Broadcaster
from cyme.api.tasks import QueuedUrls, Tasks
from cyme.api.tokens import BranchTokens
from cyme.api.vitals import Vitals
from cyme.runtime.service import Service

_VERBS = ("get", "head", "post", "put", "patch", "delete", "options", "trace", "connect")


@dataclass(frozen=True, slots=True)
class Route:
    """A path and what answers there.

    Attributes:
        template: The path, names in braces, without the trailing slash that is optional.
        resource: The object whose ``on_<verb>`` methods answer.
        suffix: What is added to the names of those methods.
    """

    template: str
    resource: object
    suffix: str | None = None

    def operations(self) -> dict[str, Operation]:
        """Return what there is to do, by verb in lower case."""
        found = {verb: operation_of(self.responder(verb)) for verb in _VERBS}
        return {verb: described for verb, described in found.items() if described is not None}

    def method(self, verb: str) -> str:
        """Return the name of the method that answers a verb in lower case."""
        return f"on_{verb}_{self.suffix}" if self.suffix else f"on_{verb}"

    def responder(self, verb: str) -> Any:
        """Return what answers a verb in lower case, None if nothing does."""
        return getattr(self.resource, self.method(verb), None)

    def resource_at(self, template: str) -> object:
        """Return what answers at one of the spellings."""
        return _Asynchronous(self) if ASYNC_SEGMENT in template else self.resource

    @property
    def async_template(self) -> str | None:
        """The path with ``!`` after the collection, None if nothing here may be asynchronous."""
        if not any(described.may_be_async for described in self.operations().values()):
            return None
        if self.suffix == "collection":
            return f"{self.template}/{ASYNC_SEGMENT}"
        before, name = self.template.rsplit("/{", 1)
        return f"{before}/{ASYNC_SEGMENT}/{{{name}"

    @property
    def spellings(self) -> tuple[str, ...]:
        """All paths that lead here, the canonical one first."""
        paths = [self.template]
        if self.async_template:
            paths.append(self.async_template)
        paths += [
            path.replace("/instances", "/instance", 1)
            for path in list(paths)
            if path.startswith("/{app}/instances")
        ]
        return tuple(paths)


class _Asynchronous:
    """Answers at the path with ``!`` of a route, where reads are refused and not offered."""

    def __init__(self, route: Route) -> None:
        operations = route.operations()
        for verb in operations:
            setattr(self, route.method(verb), route.responder(verb))
        self._allowed = ", ".join(
            sorted(verb.upper() for verb, described in operations.items() if described.may_be_async)
        )
        setattr(self, route.method("options"), self._options)

    def _options(self, _req: Request, resp: falcon.Response, **_names: str) -> None:
        resp.set_header("Allow", self._allowed)
        resp.set_header("Content-Length", "0")


def routes(service: Service, streams: Broadcaster) -> list[Route]:
    """Return the routes that serve the reference."""
    representations = Representations()
    apps = Apps(service, representations)
    instances = Instances(service, representations)
    logs = WorkerLogs(service)
    queues = Queues(service)
    consumers = Consumers(service)
    branches = Branches(service)
    tokens_of = BranchTokens(service)
    cluster = Cluster(service)
    vitals = Vitals(service)
    queued = QueuedUrls(service)
    tasks = Tasks(service)
    seen_tasks = SeenTasks(service)
    events = Events(service, streams)
    health = Health(service)
    one = "/{app}/instances/{name}"
    return [
        Route("/", apps, "collection"),
        Route("/{app}", apps),
        Route("/instances", instances, "all"),
        Route("/queues", queues, "all"),
        Route("/instances/{name}", instances),
        Route("/instances/{name}/log", logs),
        Route("/{app}/instances", instances, "collection"),
        Route(one, instances),
        Route(f"{one}/stats", instances, "stats"),
        Route(f"{one}/autoscale", instances, "autoscale"),
        Route(f"{one}/restart", instances, "restart"),
        Route(f"{one}/move", instances, "move"),
        Route(f"{one}/events", instances, "events"),
        Route(f"{one}/log", logs),
        Route(f"{one}/queues", consumers, "collection"),
        Route(f"{one}/queues/{{queue}}", consumers),
        Route("/{app}/queues", queues, "collection"),
        Route("/{app}/queues/{name}", queues),
        Route("/{app}/queues/{name}/stats", vitals, "queue"),
        Route("/{app}/queues/{name}/purge", vitals, "purge"),
        Route("/{app}/queue/{queue}", queued),
        Route("/{app}/queue/{queue}/{url:path}", queued),
        Route("/{app}/query/{task}/state", tasks, "state"),
        Route("/{app}/query/{task}/result", tasks, "result"),
        Route("/{app}/query/{task}/wait", tasks, "wait"),
        Route("/branches", branches, "collection"),
        Route("/branches/{branch}", branches),
        Route("/branches/{branch}/drain", branches, "drain"),
        Route("/branches/{branch}/undrain", branches, "undrain"),
        Route("/branches/{branch}/tokens", tokens_of, "collection"),
        Route("/branches/{branch}/tokens/{name}", tokens_of),
        Route("/cluster", cluster),
        Route("/cluster/vitals", vitals),
        Route("/cluster/rebalance", cluster, "rebalance"),
        Route("/cluster/tasks", seen_tasks, "collection"),
        Route("/cluster/tasks/{task}", seen_tasks),
        Route("/events", events),
        Route("/ping", health, "ping"),
        Route("/healthz", health, "alive"),
        Route("/readyz", health, "ready"),
    ]
