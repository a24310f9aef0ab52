"""Every route of the API, each with its other spellings."""

from __future__ import annotations

from dataclasses import dataclass

from cyme.api.apps import Apps
from cyme.api.branches import Branches
from cyme.api.cluster import Cluster
from cyme.api.consumers import Consumers
from cyme.api.health import Health
from cyme.api.instances import Instances
from cyme.api.operations import ASYNC_SEGMENT, Operation, operation_of
from cyme.api.queues import Queues
from cyme.api.representations import Representations
from cyme.api.tasks import QueuedUrls, Tasks
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
        end = f"_{self.suffix}" if self.suffix else ""
        found = {
            verb: operation_of(getattr(self.resource, f"on_{verb}{end}", None)) for verb in _VERBS
        }
        return {verb: described for verb, described in found.items() if described is not None}

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


def routes(service: Service) -> list[Route]:
    """Return the routes that serve the reference."""
    representations = Representations()
    apps = Apps(service, representations)
    instances = Instances(service, representations)
    queues = Queues(service)
    consumers = Consumers(service)
    branches = Branches(service)
    cluster = Cluster(service)
    queued = QueuedUrls(service)
    tasks = Tasks(service)
    health = Health(service)
    one = "/{app}/instances/{name}"
    return [
        Route("/", apps, "collection"),
        Route("/{app}", apps),
        Route("/instances", instances, "all"),
        Route("/instances/{name}", instances),
        Route("/{app}/instances", instances, "collection"),
        Route(one, instances),
        Route(f"{one}/stats", instances, "stats"),
        Route(f"{one}/autoscale", instances, "autoscale"),
        Route(f"{one}/restart", instances, "restart"),
        Route(f"{one}/move", instances, "move"),
        Route(f"{one}/events", instances, "events"),
        Route(f"{one}/queues", consumers, "collection"),
        Route(f"{one}/queues/{{queue}}", consumers),
        Route("/{app}/queues", queues, "collection"),
        Route("/{app}/queues/{name}", queues),
        Route("/{app}/queue/{queue}", queued),
        Route("/{app}/queue/{queue}/{url:path}", queued),
        Route("/{app}/query/{task}/state", tasks, "state"),
        Route("/{app}/query/{task}/result", tasks, "result"),
        Route("/{app}/query/{task}/wait", tasks, "wait"),
        Route("/branches", branches, "collection"),
        Route("/branches/{branch}", branches),
        Route("/branches/{branch}/drain", branches, "drain"),
        Route("/branches/{branch}/undrain", branches, "undrain"),
        Route("/cluster", cluster),
        Route("/cluster/rebalance", cluster, "rebalance"),
        Route("/ping", health, "ping"),
        Route("/healthz", health, "alive"),
        Route("/readyz", health, "ready"),
    ]
