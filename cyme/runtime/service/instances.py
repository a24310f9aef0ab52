"""Use cases of instances."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

from cyme.core.access import Caller, Role, require
from cyme.core.branches import INSTANCES_MAX, BranchState
from cyme.core.changes import instance_tombstone, spec_with, what_changed
from cyme.core.launch import effective_spec
from cyme.core.model import App, AppName, BranchId, Instance, InstanceName, QueueName, WorkerSpec
from cyme.core.names import check_name
from cyme.core.parameters import check_changes, check_spec
from cyme.core.placement import Candidate, place
from cyme.core.status import InstanceState, InstanceStatus
from cyme.errors import Conflict, Fault, InvalidRequest, TooLarge
from cyme.runtime.brokers import BROKERS_MAX
from cyme.runtime.service.apps import Apps
from cyme.runtime.service.ground import Written, check_match

#: Waiting for an instance to run ends in these states: it runs, or will not by itself.
SETTLED = frozenset({InstanceState.RUNNING, InstanceState.DISABLED, InstanceState.STOPPED})

#: Effective specs kept, because making one costs more than all else of reading an instance.
EFFECTIVE_KEPT_MAX = 10_000

_ANONYMOUS = uuid.UUID("6b8f5b0e-6a0b-4c55-9d51-0c9c53b9a5c4")


class Instances(Apps):
    """Instances: Celery workers, each run by the branch that owns it."""

    # --- reading --------------------------------------------------------------------------------

    def instance_names(self, app: str | None = None) -> list[str]:
        """Return the names of an app's instances, or of all (None), sorted.

        Raises:
            NotFound: There is no such app.
        """
        found = self._replica.instances() if app is None else self.instances_of(app)
        return [instance.name for instance in found]

    def effective(self, instance: Instance) -> WorkerSpec:
        """Return how an instance is run: its own spec over its app's over the defaults."""
        app = self._replica.app(instance.app)
        known = self._effective.get(instance.name)
        if known is not None and known[0] is instance and known[1] is app:
            return known[2]
        spec = effective_spec(instance, app, self._default_broker)
        if len(self._effective) >= EFFECTIVE_KEPT_MAX:
            self._effective.clear()
        self._effective[instance.name] = (instance, app, spec)
        return spec

    def status(self, name: str) -> InstanceStatus:
        """Return the state of an instance, and why.

        Raises:
            NotFound: There is no such instance.
        """
        instance = self.instance(name)
        if instance.owner == self._replica.branch_id:
            return self._supervisor.status(name)
        return InstanceStatus(
            state=InstanceState.UNKNOWN,
            reason=f"it belongs to branch {instance.owner!r}, which cannot be asked",
        )

    def wait_until_running(self, name: str, timeout_s: float) -> InstanceStatus:
        """Return the state of an instance once it runs or will not, or at the deadline.

        Raises:
            NotFound: There is no such instance.
        """
        instance = self.instance(name)
        if instance.owner != self._replica.branch_id:
            return self.status(name)
        return self._supervisor.wait_for(name, SETTLED, timeout_s)

    # --- creating and changing ------------------------------------------------------------------

    def put_instance(
        self,
        app: str,
        name: str | None,
        changes: Mapping[str, object],
        *,
        branch: str | None = None,
        caller: Caller,
        if_match: int | None = None,
        idempotency_key: str | None = None,
        timeout_s: float,
    ) -> Written[Instance]:
        """Create an instance, or change it; an app that is not there is created with it.

        Args:
            app: The app that it belongs to.
            name: Its name; None for an anonymous one, which is created each time.
            changes: Fields of ``WorkerSpec`` and ``queues`` (names); what is not given stays,
                None resets.
            branch: Where to create it, and to keep it; None for anywhere.
            caller: Who asks.
            if_match: The version that the caller has read, None for any.
            idempotency_key: Makes a second request for the same anonymous instance find it.
            timeout_s: How long it may take, in seconds.

        Raises:
            InvalidRequest: A name or a parameter cannot be accepted.
            Forbidden: The caller may not do this.
            Conflict: The name belongs to another app's instance, or to another branch.
            NotFound: There is no such branch.
            PreconditionFailed: The instance is at another version.
            TooLarge: The branch or the cluster is full.
            OwnerUnreachable: Its branch cannot be asked.
            StorageUnavailable: The database does not take it.
            DeadlineExceeded: It took too long.
        """
        require(caller, Role.OPERATOR, "create or change instances")
        check_name("app", app)
        name = check_name("instance", name or _anonymous_name(app, idempotency_key))
        check_changes(changes)
        owner = self._owner_to_be(app, name, branch)
        return self._at_owner(
            owner,
            "put_instance_here",
            self.put_instance_here,
            app=app,
            name=name,
            changes=changes,
            pinned=branch is not None,
            caller=caller,
            if_match=if_match,
            timeout_s=timeout_s,
        )

    def put_instance_here(
        self,
        app: str,
        name: str,
        changes: Mapping[str, object],
        *,
        pinned: bool,
        caller: Caller,
        if_match: int | None,
        timeout_s: float,
    ) -> Written[Instance]:
        """Create an instance on this branch, or change one that it owns.

        ``pinned`` asks that it never leaves this branch; the rest is as in ``put_instance``.
        """
        deadline = self._deadline(timeout_s)
        is_new_app = self._replica.app(app) is None
        with (
            self._holding_app(app, deadline, alone=is_new_app),
            self._locks.exclusive(("instance", name), deadline=deadline),
        ):
            home = self._replica.app(app)
            if home is None and not is_new_app:
                raise Conflict(f"The app {app!r} was deleted at this moment. Try again.")
            before = self._instance_before(app, name)
            check_match("instance", before, if_match)
            after = self._instance_after(before, app, name, changes, pinned=pinned)
            if after == before:
                return Written(after, created=False, changed=False)
            changed = _differences(before, after)
            self._allow_change(caller, {key: changes[key] for key in changed if key in changes})
            belongs_to = home if home is not None else self._new_app(app)
            self._check_instance(after, belongs_to, is_new=before is None)
            self._commit([after] if home is not None else [belongs_to, after], deadline)
            if home is None:
                self._tell("app.created", caller, "created with its first instance", app=app)
            self._tell_instance(after, caller, created=before is None, changed=changed)
        return Written(after, created=before is None, changed=True)

    def _owner_to_be(self, app: str, name: str, branch: str | None) -> BranchId:
        """Return the owner of an instance that exists, or the place for one that does not."""
        existing = self._instance_before(app, name)
        if existing is None:
            return place(self._candidates(), wanted=branch, seed=name)
        if branch not in (None, existing.owner):
            raise Conflict(
                f"The instance {name!r} is on branch {existing.owner!r} and cannot be moved to "
                f"{branch!r}. Delete it and create it there."
            )
        return existing.owner

    def _candidates(self) -> list[Candidate]:
        infos = [info for id_ in self._members.ids() if (info := self._members.info(id_))]
        return [
            Candidate(info.id, self._replica.count_owned(info.id), info.instances_max)
            for info in infos
            if info.state is BranchState.ALIVE
        ]

    def _instance_before(self, app: str, name: str) -> Instance | None:
        """Return the instance if there is one; its name must not be another app's."""
        instance = self._replica.instance(name)
        if instance is not None and instance.app != app:
            raise Conflict(
                f"There is an instance {name!r} in the app {instance.app!r} already, and names "
                "of instances are unique. Choose another name."
            )
        return instance

    def _instance_after(
        self,
        before: Instance | None,
        app: str,
        name: str,
        changes: Mapping[str, object],
        *,
        pinned: bool,
    ) -> Instance:
        start = before if before is not None else self._new_instance(app, name)
        after = replace(
            start,
            spec=spec_with(start.spec, changes),
            queues=_queues(changes, start.queues),
            pinned=pinned or start.pinned,
        )
        if before is None or after == before:
            return after
        return replace(
            after,
            stamp=self._replica.next_stamp(),
            version=before.version + 1,
            updated_at=self._clock.wall(),
        )

    def _new_instance(self, app: str, name: str) -> Instance:
        """Return the instance as it is when it is created with nothing said."""
        now = self._clock.wall()
        tombstone = self._replica.instance_or_tombstone(name)
        return Instance(
            name=InstanceName(name),
            app=AppName(app),
            home=self._replica.branch_id,
            owner=self._replica.branch_id,
            epoch=tombstone.epoch + 1 if tombstone is not None else 1,
            generation=tombstone.generation + 1 if tombstone is not None else 1,
            stamp=self._replica.next_stamp(),
            version=tombstone.version + 1 if tombstone is not None else 1,
            spec=WorkerSpec(),
            created_at=now,
            updated_at=now,
        )

    def _check_instance(self, instance: Instance, app: App, *, is_new: bool) -> None:
        """Check that an instance makes sense in its app and finds room here."""
        check_spec(
            instance.spec.over(app.spec), effective_spec(instance, app, self._default_broker)
        )
        faults = [
            Fault(
                "queues",
                f"the app {app.name!r} has no queue {queue!r}; declare it first "
                f"(PUT /{app.name}/queues/{queue}/)",
            )
            for queue in instance.queues
            if self._replica.queue(app.name, queue) is None
        ]
        if faults:
            raise InvalidRequest("; ".join(fault.detail for fault in faults), faults)
        info = self._members.info(self._replica.branch_id)
        most = info.instances_max if info is not None else INSTANCES_MAX
        if is_new and self._replica.count_owned(self._replica.branch_id) >= most:
            raise TooLarge(f"This branch has {most} instances already. Delete one first.")
        self._check_room_for_broker(instance, app)

    def _check_room_for_broker(self, instance: Instance, app: App) -> None:
        """Check that the branch can speak to an instance's broker beside those in use."""
        broker = effective_spec(instance, app, self._default_broker).broker
        others = {self._default_broker} | {
            self.effective(other).broker
            for other in self._replica.instances_owned()
            if other.name != instance.name
        }
        if broker not in others and len(others) >= BROKERS_MAX:
            raise TooLarge(
                f"The instances of this branch use {BROKERS_MAX} brokers already. Use one of "
                "them, or another branch."
            )

    def _tell_instance(
        self, instance: Instance, caller: Caller, *, created: bool, changed: list[str]
    ) -> None:
        kind = "instance.created" if created else "instance.changed"
        deed = "created" if created else f"{', '.join(changed)} changed"
        self._tell(kind, caller, deed, app=instance.app, instance=instance.name, changed=changed)

    # --- deleting and restarting ----------------------------------------------------------------

    def delete_instance(
        self,
        name: str,
        app: str | None = None,
        *,
        caller: Caller,
        if_match: int | None = None,
        timeout_s: float,
    ) -> None:
        """Delete an instance; its worker is stopped soon after.

        Raises:
            NotFound: There is none of that name, or it belongs to another app.
            Forbidden: The caller may not do this.
            PreconditionFailed: The instance is at another version.
            OwnerUnreachable: Its branch cannot be asked.
            StorageUnavailable: The database does not take it; nothing changed.
            DeadlineExceeded: It took too long.
        """
        require(caller, Role.OPERATOR, "delete instances")
        instance = self.instance(name, app)
        self._at_owner(
            instance.owner,
            "delete_instance",
            self._delete_instance_here,
            name=name,
            app=instance.app,
            caller=caller,
            if_match=if_match,
            timeout_s=timeout_s,
        )

    def _delete_instance_here(
        self, name: str, app: str, *, caller: Caller, if_match: int | None, timeout_s: float
    ) -> None:
        deadline = self._deadline(timeout_s)
        with self._holding_instance(app, name, deadline):
            instance = self.instance(name, app)
            check_match("instance", instance, if_match)
            stamp = self._replica.next_stamp()
            self._commit([instance_tombstone(instance, stamp, self._clock.wall())], deadline)
            self._tell("instance.deleted", caller, "deleted", app=app, instance=name)

    def restart_instance(
        self, name: str, app: str | None = None, *, caller: Caller, timeout_s: float = 10.0
    ) -> None:
        """Have an instance's worker restarted warmly, and its restart budget wiped.

        Raises:
            NotFound: There is none of that name, or it belongs to another app.
            Conflict: The instance is stopped because the user wished so.
            Forbidden: The caller may not do this.
            OwnerUnreachable: Its branch cannot be asked.
        """
        require(caller, Role.OPERATOR, "restart instances")
        instance = self.instance(name, app)
        self._at_owner(
            instance.owner,
            "restart_instance",
            self._restart_instance_here,
            name=name,
            app=instance.app,
            caller=caller,
            timeout_s=timeout_s,
        )

    def _restart_instance_here(
        self,
        name: str,
        app: str,
        *,
        caller: Caller,
        timeout_s: float,  # noqa: ARG002 - every call that may be forwarded has one
    ) -> None:
        if not self.effective(self.instance(name, app)).is_enabled:
            raise Conflict(
                f"The instance {name!r} is stopped, as is_enabled is false. Set it to true."
            )
        self._tell("instance.restart-asked", caller, "restart asked", app=app, instance=name)
        self._supervisor.restart(name)

    @contextmanager
    def _holding_instance(self, app: str, name: str, deadline: float) -> Iterator[None]:
        """Hold the locks that a change of an instance takes."""
        with (
            self._holding_app(app, deadline),
            self._locks.exclusive(("instance", name), deadline=deadline),
        ):
            yield


def _anonymous_name(app: str, idempotency_key: str | None) -> str:
    """Return a name that nobody chose: random, or always the same for the same key."""
    if idempotency_key is None:
        return str(uuid.uuid4())
    return str(uuid.uuid5(_ANONYMOUS, f"{app}\0{idempotency_key}"))


def _queues(changes: Mapping[str, object], before: tuple[QueueName, ...]) -> tuple[QueueName, ...]:
    """Return the queues after the changes, sorted, each once."""
    if "queues" not in changes:
        return before
    names = cast("list[str] | None", changes["queues"])
    return tuple(sorted({QueueName(name) for name in names or ()}))


def _differences(before: Instance | None, after: Instance) -> list[str]:
    """Return what differs, by the names of the parameters."""
    changed = what_changed(before.spec if before else WorkerSpec(), after.spec)
    if after.queues != (before.queues if before else ()):
        changed.append("queues")
    if after.pinned != (before.pinned if before else False):
        changed.append("branch")
    return changed
