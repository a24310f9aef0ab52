"""Numeric addresses of endpoints, looked up aside.

ZeroMQ looks names up in the one thread that serves all connections, so a name server that does
not answer would silence the branch. It is given numeric endpoints only, and names are looked up
here, again and again, since an address may change while a connection is wanted.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gevent
from gevent import monkey
from gevent import socket as green
from gevent.pool import Pool
from gevent.threadpool import ThreadPool

from cyme.adapters.sockets.endpoints import endpoint_of, is_address, parsed
from cyme.adapters.sockets.traffic import Seldom

logger = logging.getLogger(__name__)

#: A name is looked up again after so long, and forgotten when nobody wanted it for so long.
LOOK_UP_PERIOD_S = 15.0
UNUSED_S = 60.0

NAMES_MAX = 512
THREADS_MAX = 2
#: So many look-ups are under way at a time, each for so long at most.
LOOK_UPS_MAX = 16
LOOK_UP_S = 10.0
STOP_S = 0.2
#: Of a name with several addresses so many are tried, each for so long.
ADDRESSES_MAX = 4
TRY_S = 1.0

_WARN_PERIOD_S = 60.0

# The patched one would use gevent's threads, which serve the files of the branch too.
_getaddrinfo = monkey.get_original("socket", "getaddrinfo")


@dataclass(slots=True)
class _Name:
    """An endpoint with a name in it.

    Attributes:
        target: The numeric endpoint, None until it is known.
        used_at: When somebody wanted it last.
        looked_up_at: When it was looked up last.
    """

    target: str | None
    used_at: float
    looked_up_at: float


class Addresses:
    """Knows the numeric endpoints of endpoints.

    Args:
        on_change: Called when an endpoint that was asked for came to have another one.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._names: dict[str, _Name] = {}
        self._look_ups = Pool(LOOK_UPS_MAX)
        self._threads: ThreadPool | None = None
        self._warning = Seldom(_WARN_PERIOD_S)

    def of(self, endpoint: str) -> str | None:
        """Return the numeric endpoint, None if it is not known (yet)."""
        place = parsed(endpoint)
        if place is None:
            return None
        if is_address(place[0]):
            return endpoint
        now = time.monotonic()
        name = self._names.get(endpoint)
        if name is None:
            if len(self._names) >= NAMES_MAX:
                return None
            name = self._names[endpoint] = _Name(None, now, float("-inf"))
            self._look_up(endpoint, name)
        name.used_at = now
        return name.target

    def tend(self) -> None:
        """Look up again what is due; to be called every second or so."""
        now = time.monotonic()
        for endpoint, name in list(self._names.items()):
            if now > name.used_at + UNUSED_S:
                del self._names[endpoint]
            elif now > name.looked_up_at + LOOK_UP_PERIOD_S:
                self._look_up(endpoint, name)

    def stop(self) -> None:
        """End all look-ups."""
        self._look_ups.kill()
        if self._threads is not None:
            # A thread may wait for a name server; it ends by itself when that has answered.
            with gevent.Timeout(STOP_S, False):
                self._threads.kill()

    def _look_up(self, endpoint: str, name: _Name) -> None:
        if self._look_ups.full():
            return  # the next time
        name.looked_up_at = time.monotonic()
        self._look_ups.spawn(self._find, endpoint, name)

    def _find(self, endpoint: str, name: _Name) -> None:
        place = parsed(endpoint)
        assert place is not None, "it was parsed when it was asked for"
        host, port = place
        try:
            with gevent.Timeout(LOOK_UP_S):
                found = self._resolved(host, port)
            target = endpoint_of(_answering(found, name.target, port), port)
        except (OSError, UnicodeError, gevent.Timeout) as exc:
            # What was known stays: the name server may be away while the branch is not.
            if self._warning.due():
                logger.warning("the address of %s cannot be found: %s", host, exc)
            return
        if target != name.target:
            name.target = target
            self._on_change()

    def _resolved(self, host: str, port: int) -> list[str]:
        if self._threads is None:
            self._threads = ThreadPool(THREADS_MAX)
        found: list[str] | Exception = self._threads.spawn(_look_up, host, port).get()
        if isinstance(found, Exception):
            raise found
        return found


def _look_up(host: str, port: int) -> list[str] | Exception:
    """Return the addresses of a host, or why there are none: gevent prints what a thread raises."""
    try:
        answers = _getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        return exc
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))[:ADDRESSES_MAX]


def _answering(found: Sequence[str], known: str | None, port: int) -> str:
    """Return which of several addresses takes connections; the first if none does.

    ``localhost`` is often both 127.0.0.1 and ::1, and a branch listens to one of them.
    """
    if len(found) == 1:
        return found[0]
    for address in sorted(found, key=lambda address: endpoint_of(address, port) != known):
        try:
            green.create_connection((address, port), timeout=TRY_S).close()
        except OSError:
            continue
        return address
    return found[0]
