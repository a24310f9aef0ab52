"""Use cases of apps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cyme.core.access import Caller, Role, require
from cyme.core.changes import (
    app_tombstone,
    instance_tombstone,
    queue_tombstone,
    spec_with,
    what_changed,
)
from cyme.core.launch import effective_spec
from cyme.core.model import EPOCH_STAMP, App, AppName, Instance, Record, WorkerSpec
from cyme.core.names import check_name
from cyme.core.parameters import SPEC_PARAMETERS, check_changes, check_spec
from cyme.errors import Conflict, Fault, InvalidRequest, TooLarge
from cyme.runtime.service.answers import Written, check_match
from cyme.runtime.service.cluster import Cluster
from cyme.runtime.service.ground import APPS_MAX, names_told
from cyme.runtime.service.remote import remote


class Apps(Cluster):
    """Apps: the defaults of their instances, and the broker that all in them share."""

    def app_names(self) -> list[str]:
        """Return the names of all apps, sorted."""
        return [app.name for app in self.apps()]

    def apps(self) -> list[App]:
        """Return all apps, sorted by name."""
        return self._replica.apps()

    def instances_of(self, app: str) -> list[Instance]:
        """Return the instances of an app, sorted by name.

        Raises:
            NotFound: There is no such app.
        """
        return self._replica.instances_of(self.app(app).name)

    def put_app(
        self,
        name: str,
        changes: Mapping[str, object],
        *,
        caller: Caller,
        if_match: int | None = None,
        timeout_s: float,
    ) -> Written[App]:
        """Create an app, or change it.

        An app keeps the URL of the broker that it was created with, be it the default one.

        Args:
            name: The app.
            changes: Fields of ``WorkerSpec``; what is not given stays, None resets.
            caller: Who asks.
            if_match: The version that the caller has read, None for any.
            timeout_s: How long it may take, in seconds.

        Raises:
            InvalidRequest: The name or a parameter cannot be accepted.
            Forbidden: The caller may not do this.
            PreconditionFailed: The app is at another version.
            TooLarge: There are too many apps.
            StorageUnavailable: The database does not take it.
            DeadlineExceeded: It took too long.
        """
        require(caller, Role.OPERATOR, "create or change apps")
        check_name("app", name)
        check_changes(changes)
        if "queues" in changes:
            raise InvalidRequest.of("queues", "an app consumes from no queues; its instances do")
        deadline = self._deadline(timeout_s)
        with self._holding_app(name, deadline, alone=True):
            before = self._replica.app(name)
            check_match("app", before, if_match)
            after = self._app_after(before, self._new_app(name), changes)
            if after == before:
                return Written(after, created=False, changed=False)
            changed = what_changed(before.spec if before else WorkerSpec(), after.spec)
            self._allow_change(caller, {key: changes[key] for key in changed if key in changes})
            self._check_app(after)
            self._commit([after], deadline)
            self._tell_app(after, caller, created=before is None, changed=changed)
        return Written(after, created=before is None, changed=True)

    def delete_app(
        self,
        name: str,
        *,
        force: bool = False,
        caller: Caller,
        if_match: int | None = None,
        timeout_s: float,
    ) -> None:
        """Delete an app and its queues; with ``force`` its instances too.

        Raises:
            NotFound: There is no such app.
            Conflict: It has instances, and ``force`` is not given.
            Forbidden: The caller may not do this.
            PreconditionFailed: The app is at another version.
            OwnerUnreachable: An instance belongs to a branch that cannot be asked.
            StorageUnavailable: The database does not take it; nothing changed.
            DeadlineExceeded: It took too long.
        """
        require(caller, Role.OPERATOR, "delete apps")
        deadline = self._deadline(timeout_s)
        check_match("app", self.app(name), if_match)
        # No lock is held while others work, as they might wait for this branch meanwhile.
        gone = self._at_all_owners(
            self._deletable(name, force=force),
            self.delete_instances_here,
            deadline=deadline,
            app=name,
            caller=caller,
        )
        with self._holding_app(name, deadline, alone=True):
            app = self.app(name)
            check_match("app", app, if_match)
            instances = [i for i in self._deletable(name, force=force) if i.name not in gone]
            self._check_all_mine(instances)
            now, stamp = self._clock.wall(), self._replica.next_stamp()
            tombstones = [instance_tombstone(instance, stamp, now) for instance in instances]
            records: list[Record] = [
                *tombstones,
                *(queue_tombstone(queue, stamp, now) for queue in self._replica.queues_of(name)),
                app_tombstone(app, stamp, now),
            ]
            self._commit(records, deadline)
            self._tell_buried(tombstones, caller)
            self._tell("app.deleted", caller, "deleted", app=name)

    @remote(writes=True)
    def delete_instances_here(
        self, app: str, names: tuple[str, ...], *, caller: Caller, timeout_s: float
    ) -> tuple[Instance, ...]:
        """Delete instances that this branch owns, all or none, with their app.

        Args:
            app: The app.
            names: The instances of it; what is deleted already is passed over.
            caller: Who asks.
            timeout_s: How long it may take, in seconds.

        Returns:
            What is left of them.

        Raises:
            NotOwner: Another branch owns one of them by now.
            StorageUnavailable: The database does not take it; nothing changed.
            DeadlineExceeded: It took too long.
        """
        deadline = self._deadline(timeout_s)
        with self._holding_app(app, deadline, alone=True):
            now, stamp = self._clock.wall(), self._replica.next_stamp()
            living = [name for name in names if self._replica.instance(name) is not None]
            tombstones = [instance_tombstone(self._owned(name, app), stamp, now) for name in living]
            self._commit(tombstones, deadline)
            self._tell_buried(tombstones, caller)
        return tuple(tombstones)

    def _deletable(self, app: str, *, force: bool) -> list[Instance]:
        """Return the instances that are to be deleted with their app.

        Raises:
            Conflict: There are some, and ``force`` is not given.
        """
        instances = self._replica.instances_of(app)
        if instances and not force:
            raise Conflict(
                f"The app {app!r} has instances: {names_told([i.name for i in instances])}. "
                "Delete them first, or give force=true to delete all of it."
            )
        return instances

    def _tell_buried(self, tombstones: Sequence[Instance], caller: Caller) -> None:
        for each in tombstones:
            deed = "deleted with its app"
            self._tell("instance.deleted", caller, deed, app=each.app, instance=each.name)

    def _new_app(self, name: str) -> App:
        """Return the app as it is when it is created with nothing said."""
        now = self._clock.wall()
        tombstone = self._replica.app_or_tombstone(name)
        return App(
            name=AppName(name),
            spec=WorkerSpec(broker=self._default_broker),
            stamp=self._replica.next_stamp(),
            version=tombstone.version + 1 if tombstone is not None else 1,
            created_at=now,
            updated_at=now,
        )

    def _implied_app(self, name: str) -> App:
        """Return the app that an instance brings with it.

        Its stamp is the least that there may be: what anybody has said of the app counts more,
        be it that this branch has not heard of it yet.
        """
        tombstone = self._replica.app_or_tombstone(name)
        before = tombstone.stamp if tombstone is not None else EPOCH_STAMP
        return replace(self._new_app(name), stamp=before.next(0, self._replica.branch_id))

    def _app_after(self, before: App | None, new: App, changes: Mapping[str, object]) -> App:
        start = before if before is not None else new
        spec = spec_with(
            start.spec, {name: value for name, value in changes.items() if name in SPEC_PARAMETERS}
        )
        if spec.broker is None:
            spec = replace(spec, broker=self._default_broker)
        if before is None:
            return replace(new, spec=spec)
        if spec == before.spec:
            return before
        return replace(
            before,
            spec=spec,
            stamp=new.stamp,
            version=before.version + 1,
            updated_at=new.updated_at,
        )

    def _check_app(self, app: App) -> None:
        """Check that the app makes sense, alone and under each of its instances."""
        if self._replica.app(app.name) is None and len(self._replica.apps()) >= APPS_MAX:
            raise TooLarge(f"There are {APPS_MAX} apps already. Delete one first.")
        check_spec(app.spec, effective_spec(None, app, self._default_broker))
        for instance in self._replica.instances_of(app.name):
            try:
                check_spec(
                    instance.spec.over(app.spec),
                    effective_spec(instance, app, self._default_broker),
                )
            except InvalidRequest as exc:
                faults = [
                    Fault(f.parameter, f"for the instance {instance.name!r}: {f.detail}")
                    for f in exc.faults
                ]
                raise InvalidRequest(
                    f"The instance {instance.name!r} would not fit any more: {exc.detail}. "
                    "Change it first.",
                    faults,
                ) from exc

    def _tell_app(self, app: App, caller: Caller, *, created: bool, changed: list[str]) -> None:
        if created:
            self._tell("app.created", caller, "created", app=app.name)
        else:
            deed = f"{', '.join(changed)} changed"
            self._tell("app.changed", caller, deed, app=app.name, changed=changed)
