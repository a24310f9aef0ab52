"""What a branch that does not run has in the place of its supervisor, brokers and cluster."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import NoReturn

from cyme.adapters.celery_multi import CeleryMulti
from cyme.core.access import Caller, Role
from cyme.core.branches import BranchInfo, BranchState, ClusterView
from cyme.core.model import BranchId, Broker, Instance
from cyme.core.ports import Clock, Control
from cyme.core.status import InstanceState, InstanceStatus
from cyme.core.tasks import Outcome
from cyme.core.vitals import InstanceVitals
from cyme.core.workers import Process
from cyme.errors import OwnerUnreachable, Unavailable
from cyme.runtime.replica import Replica
from cyme.runtime.service import Service
from cyme.settings import Settings

_TOKEN_BYTES = 16

#: Workers are looked for anew after so long, in seconds: a look goes through all processes.
_LOOK_S = 1.0

_AWAKE = InstanceStatus(
    state=InstanceState.UNKNOWN,
    reason="its branch runs and serves no HTTP, so it cannot be asked",
)
_GONE = InstanceStatus(
    state=InstanceState.STOPPED, reason="its branch does not run, and neither does its worker"
)


def _needs_branch() -> NoReturn:
    raise Unavailable(
        "This needs the branch, which does not answer: start it with cyme-branch, with HTTP."
    )


class AsleepSupervisor:
    """Starts, asks and stops no worker, and looks only whether they are there.

    Args:
        workers: Finds the workers of the branch; None if it runs, and knows more of them.
        replica: Holds the instances.
        clock: The time.
    """

    def __init__(self, workers: CeleryMulti | None, replica: Replica, clock: Clock) -> None:
        self._workers = workers
        self._replica = replica
        self._clock = clock
        self._found: Mapping[str, Process] = {}
        self._looked_at = -_LOOK_S

    def status(self, instance: str) -> InstanceStatus:
        """Return whether its worker is there; how that fares nobody knows."""
        if self._workers is None:
            return _AWAKE
        now = self._clock.monotonic()
        if now >= self._looked_at + _LOOK_S:
            names = [each.name for each in self._replica.instances_owned()]
            self._found, self._looked_at = self._workers.find(names), now
        process = self._found.get(instance)
        pids = self._workers.look(process).pids if process is not None else ()
        if not pids:
            return _GONE
        return InstanceStatus(
            state=InstanceState.UNKNOWN,
            reason="its branch does not run; its worker does, and is left alone until then",
            pids=pids,
        )

    def wait_for(
        self,
        instance: str,
        states: Collection[InstanceState],  # noqa: ARG002 - the service's signature
        timeout_s: float,  # noqa: ARG002 - as above
    ) -> InstanceStatus:
        """Return at once how it is: nothing comes of waiting."""
        return self.status(instance)

    def wait_gone(self, instance: str, timeout_s: float) -> bool:  # noqa: ARG002 - as above
        """Tell that nobody can tell."""
        return False

    def restart(self, instance: str) -> None:  # noqa: ARG002 - as above
        """Refuse."""
        _needs_branch()

    def vitals(self) -> Sequence[InstanceVitals]:
        """Return nothing."""
        return ()


class AsleepService(Service):
    """Serves what a branch has recorded; what is created there is for it, though it has left."""

    def _is_there(self, info: BranchInfo) -> bool:
        return info.id == self._replica.branch_id


class NoControls:
    """Reaches no broker."""

    def control(self, broker: Broker) -> Control:  # noqa: ARG002 - the service's signature
        """Refuse."""
        _needs_branch()


class NoTasks:
    """Sends no task."""

    def new_id(self) -> str:
        """Refuse."""
        _needs_branch()

    def send(self, task_id: str, **_: object) -> None:  # noqa: ARG002 - the port's signature
        """Refuse."""
        _needs_branch()

    def outcome(self, task_id: str, **_: object) -> Outcome:  # noqa: ARG002 - as above
        """Refuse."""
        _needs_branch()

    def wait(self, task_id: str, **_: object) -> Outcome:  # noqa: ARG002 - as above
        """Refuse."""
        _needs_branch()

    def stop(self, timeout_s: float) -> None:
        """Do nothing."""


class AsleepMembers:
    """A cluster of the one branch whose directory it is.

    Args:
        branch: The branch.
        settings: What it would be started with, as far as environment and file tell.
        state: ``LEFT`` if it does not run.
    """

    def __init__(self, branch: BranchId, settings: Settings, state: BranchState) -> None:
        self._info = BranchInfo(
            id=branch,
            state=state,
            loglevel=settings.loglevel,
            sup_interval_s=settings.sup_interval_s,
            labels=tuple(sorted(settings.labels)),
            boot=0,
        )
        self._name = settings.cluster

    def ids(self) -> Sequence[BranchId]:
        """Return the id of the branch."""
        return [self._info.id]

    def info(self, branch: str) -> BranchInfo | None:
        """Return what is known of the branch."""
        return self._info if branch == self._info.id else None

    def view(self) -> ClusterView:
        """Return the cluster without the others."""
        return ClusterView(
            name=self._name,
            branch=self._info.id,
            digest="0" * 16,
            fenced=True,
            branches=(self._info,),
            epochs={},
        )

    def status(self, instance: Instance) -> tuple[InstanceStatus, float]:
        """Return that nothing is known of an instance of another branch."""
        reason = f"its branch {instance.owner!r} cannot be asked from here"
        return InstanceStatus(state=InstanceState.UNKNOWN, reason=reason), 0.0

    def may_act(self) -> bool:
        """Tell that nothing is done to workers."""
        return False

    def forward(
        self,
        branch: BranchId,
        call: str,
        arguments: Mapping[str, object],  # noqa: ARG002 - the port's signature
        *,
        timeout_s: float,  # noqa: ARG002 - as above
    ) -> object:
        """Refuse."""
        raise OwnerUnreachable(
            f"It belongs to branch {branch!r}, which cannot be asked from this directory ({call}). "
            "Ask a branch that runs."
        )

    def take(self, instance: Instance, *, timeout_s: float) -> Instance:  # noqa: ARG002 - as above
        """Refuse."""
        _needs_branch()

    def drain(self, drained: bool, *, remembered: bool = True) -> None:  # noqa: ARG002 - as above
        """Refuse."""
        _needs_branch()


class OwnersToken:
    """Knows one token, that of whoever can read and write the directory.

    Attributes:
        secret: The token; it never leaves the process.
    """

    def __init__(self) -> None:
        self.secret = secrets.token_hex(_TOKEN_BYTES)

    def authenticate(self, token: str) -> Caller | None:
        """Return the directory's owner."""
        if not secrets.compare_digest(token.encode(), self.secret.encode()):
            return None
        return Caller(Role.ADMIN, "local")
