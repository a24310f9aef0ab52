"""Keeping the addresses of known branches, one write after the other."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent
from gevent.event import Event as Signalled

from cyme.errors import CymeError
from cyme.runtime.cluster.seldom import Seldom

logger = logging.getLogger(__name__)

#: What changes within so long of a write is written together, in seconds.
PAUSE_S = 0.1

#: What could not be kept is kept after so long, in seconds.
RETRY_S = 5.0


class Remembering:
    """Keeps the latest addresses.

    Args:
        remember: Keeps them; may take its time.
        seldom: Where it is told that they could not be kept.
    """

    def __init__(self, remember: Callable[[tuple[str, ...]], None], seldom: Seldom) -> None:
        self._remember = remember
        self._seldom = seldom
        self._latest: tuple[str, ...] | None = None
        self._wake = Signalled()
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to keep what is taken."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout_s: float) -> None:
        """Keep what was taken last, and nothing from then on."""
        if self._greenlet is not None:
            self._greenlet.kill(timeout=timeout_s)
            self._greenlet = None
        self._keep()

    def take(self, endpoints: tuple[str, ...]) -> None:
        """Have addresses kept soon, in place of those before."""
        self._latest = endpoints
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._keep():
                gevent.sleep(PAUSE_S)
            else:
                self._wake.set()
                gevent.sleep(RETRY_S)

    def _keep(self) -> bool:
        """Keep the latest, if it is not kept yet; tell whether that went well."""
        endpoints = self._latest
        if endpoints is None:
            return True
        try:
            self._remember(endpoints)
        except CymeError as exc:
            self._seldom.warn("the addresses of branches could not be kept", exc.detail)
            return False
        if self._latest is endpoints:
            self._latest = None
        return True
