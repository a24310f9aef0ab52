"""What changed among all that the lists show, found once for all who look on.

A row is made anew only where a record or a status is not the one that it was made of, so that a
look at a thousand instances that did not change costs little.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any

from cyme.api.replies import in_turns
from cyme.api.representations.branches import branch_reply
from cyme.api.representations.queues import listed_queue_reply
from cyme.api.representations.workers import Representations
from cyme.api.streaming.frames import named_frame
from cyme.core.access import Caller, Role
from cyme.core.branches import BranchInfo
from cyme.core.model import App, Instance, Queue
from cyme.core.status import InstanceStatus
from cyme.runtime.service import Service, Standing

#: As whom rows are made: for those who may write they hold what is masked for others.
_LOOKERS = {
    False: Caller(Role.VIEWER, "whoever looks on"),
    True: Caller(Role.OPERATOR, "whoever looks on"),
}

#: Makes the row that a caller sees.
_Show = Callable[[Caller], object]


class Rows:
    """The rows of the lists, and which of them changed since they were looked at last.

    Args:
        service: The use cases.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._representations = Representations()
        self._instances: dict[str, tuple[Instance, App | None, InstanceStatus]] = {}
        self._branches: dict[str, tuple[BranchInfo, int]] = {}
        self._apps: dict[str, tuple[App, list[str]]] = {}
        self._queues: dict[tuple[str, str], Queue] = {}

    def look(self) -> None:
        """Take all as it is now; what changes from now on is told."""
        for _ in self.changes(()):
            pass

    def changes(self, kinds: Collection[bool]) -> Iterator[dict[bool, bytes]]:
        """Return the frame of every row that changed since the last look.

        Args:
            kinds: Whether for callers who may write, for those who may not, or for both.

        Returns:
            Every frame, by whether it is for callers who may write.
        """
        instances = self._service.instances()
        for name, show in self._changed_instances(instances):
            yield _frames("instance", show, kinds) if show else _gone("instance", name, kinds)
        for name, show in self._changed_apps(instances):
            yield _frames("app", show, kinds) if show else _gone("app", name, kinds)
        for (app, name), show in self._changed_queues():
            yield _frames("queue", show, kinds) if show else _gone("queue", name, kinds, app=app)
        for show in self._changed_branches():
            yield _frames("branch", show, kinds)

    def _changed_instances(
        self, instances: Collection[Instance]
    ) -> Iterator[tuple[str, _Show | None]]:
        service = self._service
        before, self._instances = self._instances, {}
        apps = {app.name: app for app in service.apps()}
        for instance in in_turns(list(instances)):
            standing = service.standing(instance)
            was = before.get(instance.name)
            now = (instance, apps.get(instance.app), standing.status)
            self._instances[instance.name] = now
            if was is None or was[:2] != now[:2] or was[2] != now[2]:
                yield instance.name, self._show_instance(instance, standing)
        for name in before.keys() - self._instances.keys():
            yield name, None

    def _show_instance(self, instance: Instance, standing: Standing) -> _Show:
        spec = self._service.effective(instance)
        return lambda caller: self._representations.instance(instance, spec, standing, caller)

    def _changed_apps(self, instances: Iterable[Instance]) -> Iterator[tuple[str, _Show | None]]:
        names: dict[str, list[str]] = {}
        for instance in instances:
            names.setdefault(instance.app, []).append(instance.name)
        before, self._apps = self._apps, {}
        for app in in_turns(self._service.apps()):
            now = self._apps[app.name] = (app, names.get(app.name, []))
            if now != before.get(app.name):
                yield app.name, self._show_app(*now)
        for name in before.keys() - self._apps.keys():
            yield name, None

    def _show_app(self, app: App, instances: list[str]) -> _Show:
        return lambda caller: self._representations.app(app, instances, caller)

    def _changed_queues(self) -> Iterator[tuple[tuple[str, str], _Show | None]]:
        before, self._queues = self._queues, {}
        for queue in in_turns(self._service.queues()):
            key = (str(queue.app), str(queue.name))
            self._queues[key] = queue
            if before.get(key) != queue:
                yield key, lambda _, queue=queue: listed_queue_reply(queue)  # type: ignore[misc]
        for key in before.keys() - self._queues.keys():
            yield key, None

    def _changed_branches(self) -> Iterator[_Show]:
        before, self._branches = self._branches, {}
        for info in self._service.cluster().branches:
            count = self._service.count_owned(info.id)
            # What grows by itself changes nothing: how long ago it was heard, and what is
            # reckoned from that.
            now = self._branches[info.id] = (replace(info, heard_s=0.0, since=0.0), count)
            if now != before.get(info.id):
                yield lambda _, info=info, count=count: branch_reply(info, count, None)  # type: ignore[misc]


def _frames(name: str, show: Any, kinds: Collection[bool]) -> dict[bool, bytes]:
    return {kind: named_frame(name, show(_LOOKERS[kind])) for kind in kinds}


def _gone(what: str, name: str, kinds: Collection[bool], **key: str) -> dict[bool, bytes]:
    frame = named_frame(f"{what}-gone", {**key, "name": name})
    return dict.fromkeys(kinds, frame)
