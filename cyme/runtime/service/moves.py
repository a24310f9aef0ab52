"""Use cases of moving instances from branch to branch.

The new home starts the worker first and then writes that it is the owner; the old one stops its
copy when it learns of that. So a move passes two workers, and never none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cyme.core.access import Caller, Role, require
from cyme.core.model import App, BranchId, Instance, Queue
from cyme.errors import Conflict, CymeError, NotOwner
from cyme.runtime.service.answers import Written
from cyme.runtime.service.consumers import Consumers
from cyme.runtime.service.remote import remote


class Moves(Consumers):
    """Moving instances."""

    def move_instance(
        self,
        name: str,
        app: str | None = None,
        *,
        branch: str | None,
        caller: Caller,
        timeout_s: float,
    ) -> Written[Instance]:
        """Move an instance to another branch: its worker is started there, then stopped here.

        A pinned instance moves only where it is told to, and is pinned to that branch then.

        Args:
            name: The instance.
            app: The app that it must belong to, None for any.
            branch: Where to; None for any other branch that is fit.
            caller: Who asks.
            timeout_s: How long it may take, in seconds.

        Returns:
            The instance as it is then; unchanged if it is on that branch already.

        Raises:
            NotFound: There is no such instance or branch.
            Conflict: It is pinned, moves already, or the branch is not alive or not fit.
            TooLarge: The branch, or every one that is fit, is full.
            Forbidden: The caller may not do this.
            WorkerStartFailed: The worker did not come to run there; nothing changed.
            OwnerUnreachable: Its branch or the new one cannot be asked.
            Unavailable: One of the two does not know yet what it owns.
            DeadlineExceeded: It took too long; it goes on.
        """
        require(caller, Role.OPERATOR, "move instances")
        instance = self.instance(name, app)
        return self._at_owner(
            instance,
            self.move_instance_here,
            name=name,
            app=instance.app,
            branch=branch,
            caller=caller,
            timeout_s=timeout_s,
        )

    @remote(writes=True)
    def move_instance_here(
        self, name: str, app: str, *, branch: str | None, caller: Caller, timeout_s: float
    ) -> Written[Instance]:
        """Move an instance of this branch to another one.

        Raises:
            NotOwner: Another branch owns it.
            CymeError: As in ``move_instance``.
        """
        deadline = self._deadline(timeout_s)
        self._check_may_act()
        with self._only(self._moving, name, "is being moved"):
            instance = self._owned(name, app)
            target = self._target(instance, branch)
            if target == instance.owner:
                return Written(instance, created=False, changed=False)
            try:
                moved = self._at(
                    target,
                    self.take_here,
                    instance=instance,
                    context=self._context(app, instance.queues),
                    caller=caller,
                    timeout_s=self._left_s(deadline),
                )
            except CymeError as exc:
                deed = f"not moved to branch {target!r} ({exc.detail})"
                self._tell("instance.not-moved", caller, deed, app=app, instance=name)
                raise
            deed = f"handed over to branch {target!r}"
            self._tell("instance.handed-over", caller, deed, app=app, instance=name, branch=target)
        return Written(moved, created=False, changed=True)

    @remote(writes=True)
    def take_here(
        self,
        instance: Instance,
        *,
        context: tuple[App | Queue, ...],
        caller: Caller,
        timeout_s: float,
    ) -> Instance:
        """Take an instance over from its owner, which asks for it.

        Args:
            instance: Its record.
            context: What the owner knows of its app and its queues.
            caller: Who moves it.
            timeout_s: How long it may take, in seconds.

        Raises:
            CymeError: As in ``move_instance``.
        """
        deadline = self._deadline(timeout_s)
        self._check_may_act()
        self._take_in([*context, instance])
        known = self.instance(instance.name, instance.app)
        if known.owner == self._replica.branch_id:
            return known
        if known.owner != instance.owner:
            raise NotOwner(known.owner, known.epoch)
        self._check_fit(known)
        with self._only(self._taking, known.name, "is being taken over"):
            # That it has moved is told by whoever decides it, be the caller there still or not.
            self._tell(
                "instance.move-asked",
                caller,
                f"move from branch {known.owner!r} to here asked",
                app=known.app,
                instance=known.name,
                branch=known.owner,
            )
            return self._members.take(known, timeout_s=self._left_s(deadline))

    def _target(self, instance: Instance, branch: str | None) -> BranchId:
        """Return where an instance is to be moved."""
        if branch == instance.owner:
            return instance.owner
        if branch is None and instance.pinned:
            raise Conflict(
                f"The instance {instance.name!r} is pinned to branch {instance.owner!r}. Name the "
                "branch that it is to be moved and pinned to."
            )
        labels = self.effective(instance).labels or ()
        without = () if branch is not None else (instance.owner,)
        return self._place(instance.name, labels, wanted=branch, without=without)

    def _check_fit(self, instance: Instance) -> None:
        """Check that this branch can take an instance."""
        labels = self.effective(instance).labels or ()
        self._place(instance.name, labels, wanted=self._replica.branch_id)
        app = self._replica.app(instance.app)
        if app is None:
            raise Conflict(f"The app {instance.app!r} of {instance.name!r} is not known here.")
        self._check_room_for_broker(instance, app)

    @contextmanager
    def _only(self, names: set[str], name: str, deed: str) -> Iterator[None]:
        """Do something with an instance that must not be done twice at the same time."""
        if name in names:
            raise Conflict(f"The instance {name!r} {deed} already.")
        names.add(name)
        try:
            yield
        finally:
            names.discard(name)
