"""The façade: all use cases of a branch, and the life of its asynchronous writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from cyme.core.access import Caller
from cyme.errors import NotSupported, ProtocolError
from cyme.runtime.service.access_tokens import AccessTokens
from cyme.runtime.service.draining import Draining
from cyme.runtime.service.happenings import Happenings
from cyme.runtime.service.logs import Logs
from cyme.runtime.service.remote import RemoteCall, calls_of
from cyme.runtime.service.scaling import Scaling
from cyme.runtime.service.task_reports import TaskReports
from cyme.runtime.service.tasks import Tasks
from cyme.runtime.service.vitals import Vitals

#: Of the time that another branch waits so much is kept for the answer, at most so many seconds:
#: it is to hear why something took too long before it gives up itself.
ANSWER_PART = 0.1
ANSWER_S_MAX = 0.5

#: So much of the name of an unknown call is told.
NAME_CHARS_TOLD = 64


class Service(Scaling, Tasks, Draining, Vitals, Happenings, Logs, TaskReports, AccessTokens):
    """Everything that a branch does for those who ask; arguments as for ``Ground``."""

    def stop(self, timeout_s: float) -> None:
        """Wait for asynchronous writes that are under way, at most ``timeout_s`` seconds."""
        self._is_stopping = True
        self._drain_changed.set()
        self._later.stop(timeout_s)
        self.feed.stop(timeout_s)

    def tell_session(self, kind: str, caller: Caller, reason: str) -> None:
        """Record that somebody began or ended to use the page.

        Args:
            kind: ``session.began`` or ``session.ended``.
            caller: Who.
            reason: The same in words.
        """
        self._journal.record(kind, reason, by=caller.name, role=caller.role.label)

    def later(self, write: Callable[[], None]) -> None:
        """Run a write soon, in a greenlet of its own; its failure is logged.

        Raises:
            Overloaded: Too many such writes are under way.
        """
        self._later.run(write)

    def perform(self, method: str, arguments: Mapping[str, object], *, timeout_s: float) -> object:
        """Perform a call for another branch, and return what it returns.

        Args:
            method: Its name, one of ``cyme.runtime.service.calls.CALLS``.
            arguments: Its arguments, of the types that it has there.
            timeout_s: What is left of the caller's time.

        Raises:
            NotSupported: There is no such call.
            ProtocolError: It takes other arguments.
            NotOwner: It is about a record that another branch owns by now.
            CymeError: Whatever the call raises.
        """
        call = CALLS.get(method)
        if call is None:
            raise NotSupported(
                f"{method[:NAME_CHARS_TOLD]!r} is no call that branch "
                f"{self._replica.branch_id!r} performs. Run the same version of Cyme everywhere."
            )
        if not call.required <= arguments.keys() <= call.arguments.keys():
            raise ProtocolError(
                f"{method} takes {', '.join(sorted(call.arguments))}, and other arguments came."
            )
        ours_s = timeout_s - min(ANSWER_S_MAX, timeout_s * ANSWER_PART)
        return getattr(self, method)(timeout_s=ours_s, **arguments)

    def ready(self) -> list[str]:
        """Return why this branch should not be sent requests; nothing when it should."""
        reasons = []
        if not self._replica.loaded:
            reasons.append("the records are not read yet")
        fault = self._replica.storage_fault()
        if fault is not None:
            reasons.append(f"the database does not take writes: {fault}")
        return reasons


#: Every call that a branch performs for another, by name.
CALLS: Final[Mapping[str, RemoteCall]] = calls_of(Service)
