"""Use cases of instances."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

from cyme.core.access import Caller, Role, require
from cyme.core.changes import instance_tombstone, spec_with, what_changed
from cyme.core.model import (
    App,
    AppName,
    BranchId,
    Instance,
    InstanceName,
    Queue,
    QueueName,
    WorkerSpec,
)
from cyme.core.names import check_name
from cyme.core.parameters import check_changes
from cyme.errors import Conflict, NotOwner
from cyme.runtime.service.answers import Written, check_match
from cyme.runtime.service.placing import labels_of
from cyme.runtime.service.remote import remote
from cyme.runtime.service.room import Room

_ANONYMOUS = uuid.UUID("6b8f5b0e-6a0b-4c55-9d51-0c9c53b9a5c4")


class Instances(Room):
    """Instances: Celery workers, each run by the branch that owns it."""

    # --- creating and changing ------------------------------------------------------------------

    def put_instance(
        self,
        app: str,
        name: str | None,
        changes: Mapping[str, object],
        *,
        branch: str | None = None,
        pinned: bool | None = None,
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
            branch: Where to create it, and to keep it unless ``pinned`` is false; None for
                anywhere.
            pinned: Whether it stays on the branch that it is on then, or goes wherever it fits;
                None for as it is, or as ``branch`` says.
            caller: Who asks.
            if_match: The version that the caller has read, None for any.
            idempotency_key: Makes a second request for the same anonymous instance find it, as it
                is then.
            timeout_s: How long it may take, in seconds.

        Raises:
            InvalidRequest: A name or a parameter cannot be accepted.
            Forbidden: The caller may not do this.
            Conflict: The name belongs to another app's instance, or to another branch.
            NotFound: There is no such branch.
            PreconditionFailed: The instance is at another version.
            TooLarge: The branch or the cluster is full.
            OwnerUnreachable: Its branch cannot be asked.
            Unavailable: It is to be pinned away from its home, and its branch does not know yet
                what it owns.
            StorageUnavailable: The database does not take it.
            DeadlineExceeded: It took too long.
        """
        require(caller, Role.OPERATOR, "create or change instances")
        check_name("app", app)
        is_retriable = not name and idempotency_key is not None
        name = check_name("instance", name or _anonymous_name(app, idempotency_key))
        check_changes(changes)
        found = self._instance_before(app, name) if is_retriable else None
        if found is not None:
            return Written(found, created=False, changed=False)
        known = self._replica.app(app)
        home = known if known is not None else self._implied_app(app)
        written = self._at_owner(
            self._existing_or_place(home, name, changes, branch),
            self.put_instance_here,
            home=home,
            name=name,
            changes=changes,
            context=self._context(app, _queues(changes, ())),
            pinned=True if pinned is None and branch is not None else pinned,
            caller=caller,
            if_match=if_match,
            timeout_s=timeout_s,
        )
        if self._replica.app(app) is None:
            self._take_in([home])
        return written

    @remote(writes=True)
    def put_instance_here(
        self,
        home: App,
        name: str,
        changes: Mapping[str, object],
        *,
        context: tuple[App | Queue, ...],
        pinned: bool | None,
        caller: Caller,
        if_match: int | None,
        timeout_s: float,
    ) -> Written[Instance]:
        """Create an instance on this branch, or change one that it owns.

        Args:
            home: The app; it is created with the instance if it is not known here.
            name: The instance.
            changes: As in ``put_instance``.
            context: What the branch that asks knows of the app and the queues, and this one may
                not have heard yet.
            pinned: Whether it shall stay on this branch; None for as it is.
            caller: Who asks.
            if_match: The version that the caller has read, None for any.
            timeout_s: How long it may take, in seconds.

        Raises:
            NotOwner: Another branch owns it.
            CymeError: As in ``put_instance``.
        """
        deadline = self._deadline(timeout_s)
        check_changes(changes)
        self._take_in(context)
        app = home.name
        is_new_app = self._replica.app(app) is None
        with (
            self._holding_app(app, deadline, alone=is_new_app),
            self._locks.exclusive(("instance", name), deadline=deadline),
        ):
            known = self._replica.app(app)
            if known is None and not is_new_app:
                raise Conflict(f"The app {app!r} was deleted at this moment. Try again.")
            before = self._instance_before(app, name)
            if before is not None and before.owner != self._replica.branch_id:
                raise NotOwner(before.owner, before.epoch)
            check_match("instance", before, if_match)
            after = self._instance_after(before, app, name, changes, pinned=pinned)
            if after == before:
                return Written(after, created=False, changed=False)
            changed = _differences(before, after)
            self._allow_change(caller, {key: changes[key] for key in changed if key in changes})
            belongs_to = known if known is not None else self._not_outdated(home)
            self._check_instance(after, belongs_to, is_new=before is None)
            self._commit([after] if known is not None else [belongs_to, after], deadline)
            if known is None:
                self._tell("app.created", caller, "created with its first instance", app=app)
            self._tell_instance(after, caller, created=before is None, changed=changed)
        return Written(after, created=before is None, changed=True)

    def _existing_or_place(
        self, home: App, name: str, changes: Mapping[str, object], branch: str | None
    ) -> Instance | BranchId:
        """Return an instance that exists, or the place for one that does not."""
        existing = self._instance_before(home.name, name)
        if existing is None:
            labels = labels_of(spec_with(WorkerSpec(), changes), home)
            return self._place(name, labels, wanted=branch)
        if branch not in (None, existing.owner):
            path = f"/{home.name}/instances/{name}/move/?branch={branch}"
            raise Conflict(
                f"The instance {name!r} is on branch {existing.owner!r}. POST {path} moves it."
            )
        return existing

    def _context(self, app: str, queues: Iterable[str]) -> tuple[App | Queue, ...]:
        """Return what is known here of an app and some queues of it."""
        records = (self._replica.app(app), *(self._replica.queue(app, name) for name in queues))
        return tuple(record for record in records if record is not None)

    def _not_outdated(self, home: App) -> App:
        """Return an app that is to be created here: not as it was before it was deleted."""
        tombstone = self._replica.app_or_tombstone(home.name)
        if tombstone is not None and tombstone.stamp > home.stamp:
            return self._implied_app(home.name)
        return home

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
        pinned: bool | None,
    ) -> Instance:
        start = before if before is not None else self._new_instance(app, name)
        if pinned and start.home != start.owner:
            start = self._rehomed(start)
        after = replace(
            start,
            spec=spec_with(start.spec, changes),
            queues=_queues(changes, start.queues),
            pinned=start.pinned if pinned is None else pinned,
        )
        if before is None or after == before:
            return after
        return replace(
            after,
            stamp=self._replica.next_stamp(),
            version=before.version + 1,
            updated_at=self._clock.wall(),
        )

    def _rehomed(self, instance: Instance) -> Instance:
        """Return an instance that this branch runs for another one with this one as its home.

        Its home would take back what is pinned as well, so what is to stay here has its home here.
        """
        self._check_may_act()
        return replace(instance, home=instance.owner, epoch=instance.epoch + 1)

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

    def _tell_instance(
        self, instance: Instance, caller: Caller, *, created: bool, changed: list[str]
    ) -> None:
        kind = "instance.created" if created else "instance.changed"
        deed = "created" if created else _deed(instance, changed)
        self._tell(kind, caller, deed, app=instance.app, instance=instance.name, changed=changed)

    # --- deleting and restarting ----------------------------------------------------------------

    def delete_instance(
        self,
        name: str,
        app: str | None = None,
        *,
        force: bool = False,
        caller: Caller,
        if_match: int | None = None,
        timeout_s: float,
    ) -> None:
        """Delete an instance; its worker is stopped soon after.

        With ``force`` an instance is deleted here whose branch is gone. Should that come back, it
        learns so and stops the worker.

        Raises:
            NotFound: There is none of that name, or it belongs to another app.
            Forbidden: The caller may not do this.
            PreconditionFailed: The instance is at another version.
            OwnerUnreachable: Its branch cannot be asked, and ``force`` is not given or the branch
                is not held to have failed or left.
            StorageUnavailable: The database does not take it; nothing changed.
            DeadlineExceeded: It took too long.
        """
        require(caller, Role.OPERATOR, "delete instances")
        instance = self.instance(name, app)
        if force and self._is_absent(instance.owner):
            self._delete_instance(
                self.instance,
                name,
                instance.app,
                caller=caller,
                if_match=if_match,
                timeout_s=timeout_s,
            )
            return
        self._at_owner(
            instance,
            self.delete_instance_here,
            name=name,
            app=instance.app,
            caller=caller,
            if_match=if_match,
            timeout_s=timeout_s,
        )

    @remote(writes=True)
    def delete_instance_here(
        self, name: str, app: str, *, caller: Caller, if_match: int | None, timeout_s: float
    ) -> Instance:
        """Delete an instance of this branch and return what is left of it.

        Raises:
            NotOwner: Another branch owns it.
            CymeError: As in ``delete_instance``.
        """
        return self._delete_instance(
            self._owned, name, app, caller=caller, if_match=if_match, timeout_s=timeout_s
        )

    def _delete_instance(
        self,
        find: Callable[[str, str], Instance],
        name: str,
        app: str,
        *,
        caller: Caller,
        if_match: int | None,
        timeout_s: float,
    ) -> Instance:
        deadline = self._deadline(timeout_s)
        with self._holding_instance(app, name, deadline):
            instance = find(name, app)
            check_match("instance", instance, if_match)
            stamp = self._replica.next_stamp()
            tombstone = instance_tombstone(instance, stamp, self._clock.wall())
            self._commit([tombstone], deadline)
            self._tell("instance.deleted", caller, "deleted", app=app, instance=name)
        return tombstone

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
            instance,
            self.restart_instance_here,
            name=name,
            app=instance.app,
            caller=caller,
            timeout_s=timeout_s,
        )

    @remote(writes=True)
    def restart_instance_here(
        self,
        name: str,
        app: str,
        *,
        caller: Caller,
        timeout_s: float,  # noqa: ARG002 - every call that may be forwarded has one
    ) -> None:
        """Have the worker of an instance of this branch restarted.

        Raises:
            NotOwner: Another branch owns it.
            CymeError: As in ``restart_instance``.
        """
        if not self.effective(self._owned(name, app)).is_enabled:
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
    # What has its pin and runs away from its home is pinned anew where it runs.
    if (after.pinned, after.home) != (
        (before.pinned, before.home) if before else (False, after.home)
    ):
        changed.append("pinned")
    return changed


def _deed(after: Instance, changed: Sequence[str]) -> str:
    """Return in words what was changed, and where a pin that was changed holds it."""
    others = [name for name in changed if name != "pinned"]
    deeds = [f"{', '.join(others)} changed"] if others else []
    if "pinned" in changed:
        deeds.append(f"pinned to branch {after.owner!r}" if after.pinned else "pin removed")
    return " and ".join(deeds)
