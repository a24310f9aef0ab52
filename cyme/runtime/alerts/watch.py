"""Looks every few seconds for trouble that is this branch's to tell of, and tells it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import gevent

from cyme.core.alerts import Alert, AlertBook, AlertKind, Notice
from cyme.runtime.alerts.looked import OF_INSTANCES, Looked, Sources
from cyme.runtime.alerts.outbox import Outbox
from cyme.runtime.journal import Journal
from cyme.runtime.rounds import Rounds

PERIOD_S: Final = 5.0


class AlertWatch:
    """Looks for trouble, and tells of it.

    Args:
        sources: Where it is seen.
        cluster: The name of the cluster.
        journal: Where every alert is told.
        outboxes: Bring alerts to targets.
    """

    def __init__(
        self,
        sources: Sources,
        *,
        cluster: str,
        journal: Journal,
        outboxes: Sequence[Outbox] = (),
    ) -> None:
        self._sources = sources
        self._cluster = cluster
        self._journal = journal
        self._outboxes = outboxes
        self._me = sources.replica.branch_id
        self._book = AlertBook(cluster, self._me)
        self._rounds = Rounds(self.look, period_s=PERIOD_S, what="looking for trouble")

    def start(self) -> None:
        """Begin to look."""
        for outbox in self._outboxes:
            outbox.start()
        self._rounds.start()

    def stop(self, timeout_s: float) -> None:
        """Look no more; what is to be told has ``timeout_s`` seconds to arrive."""
        self._rounds.stop(timeout_s)
        gevent.joinall(
            [gevent.spawn(outbox.stop, timeout_s) for outbox in self._outboxes],
            timeout=2 * timeout_s,
        )

    def firing(self) -> tuple[Alert, ...]:
        """Return the trouble that this branch told of and that is not over, the oldest first."""
        return self._book.firing()

    def look(self) -> None:
        """Look once, and tell what there is to tell."""
        deep = {
            (alert.app, alert.subject)
            for alert in self._book.firing()
            if alert.kind is AlertKind.QUEUE_DEEP
        }
        looked = Looked(self._sources, deep)
        clock = self._sources.clock
        notices = self._book.see(
            looked.conditions(), looked.ground, now=clock.monotonic(), wall=clock.wall()
        )
        for notice in notices:
            self._tell(notice)

    def _tell(self, notice: Notice) -> None:
        alert = notice.alert
        is_instance = alert.kind in OF_INSTANCES.values()
        self._journal.record(
            f"alert.{notice.state}",
            alert.reason,
            app=alert.app,
            instance=alert.subject if is_instance else None,
            alert=alert.kind.value,
            subject=alert.subject,
            id=alert.id,
        )
        body = body_of(notice, branch=self._me, cluster=self._cluster)
        for outbox in self._outboxes:
            outbox.put(f"{alert.id}-{notice.state}", body)


def body_of(notice: Notice, *, branch: str, cluster: str) -> bytes:
    """Return what a target is told."""
    alert = notice.alert
    return json.dumps(
        {
            "id": alert.id,
            "kind": alert.kind.value,
            "state": notice.state.value,
            "subject": alert.subject,
            "app": alert.app,
            "reason": alert.reason,
            "since": _moment(alert.since),
            "at": _moment(notice.at),
            "branch": branch,
            "cluster": cluster,
        }
    ).encode()


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
