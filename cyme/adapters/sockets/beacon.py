"""The beacon: branches of one cluster find each other on a machine and on a network.

Each says where its ROUTER socket is, a few times quickly at its start, then every two seconds, and
at once when it hears a branch that is new to it. What is said is no secret, and worth nothing to
who cannot connect; the code at its end keeps strangers from sending branches after addresses.

A beacon is at most ``DATAGRAM_BYTES_MAX`` long::

    magic (4) | cluster tag (8) | nonce (8) | length (1) and endpoint | HMAC-SHA256 (32)

The tag is a hash of the cluster's name, so beacons of other clusters are passed over cheaply. The
nonce is drawn at the start of a branch: by it a branch knows its own beacon.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Group

from cyme.adapters.sockets.curve import Keys
from cyme.adapters.sockets.endpoints import ENDPOINT_CHARS_MAX, parsed
from cyme.adapters.sockets.multicast import DATAGRAM_BYTES_MAX, Multicast
from cyme.adapters.sockets.traffic import Seldom, Traffic

logger = logging.getLogger(__name__)

#: When the first beacons are sent, in seconds after the start; then every ``PERIOD_S``.
FIRST_S = (0.0, 0.2, 0.6)
PERIOD_S = 2.0
JITTER = 0.2
#: So many branches are heard at the full rate; with more, each speaks the less often.
CROWD = 20

#: A branch that was not heard for so many periods is new again.
FORGET_PERIODS = 5
#: An endpoint is handed on at most so often.
FOUND_PERIOD_S = 2.0
#: A newcomer is answered at most so often, and after a delay by chance that grows with the crowd.
ANSWER_PERIOD_S = 1.0
ANSWER_DELAY_S = 0.005
ANSWER_DELAY_S_MAX = 0.5

#: So many endpoints are remembered.
HEARD_MAX = 1024
#: Datagrams taken in a row; whoever sends more is read no faster than ``BREATH_S`` allows.
BURST_MAX = 64
BREATH_S = 0.02

REFRESH_PERIOD_S = 30.0
_STOP_S = 1.0
_WARN_PERIOD_S = 600.0

_MAGIC = b"CYB1"
_TAG_BYTES = 8
_NONCE_BYTES = 8
_CODE_BYTES = 32
_HEAD_BYTES = len(_MAGIC) + _TAG_BYTES + _NONCE_BYTES + 1
assert _HEAD_BYTES + ENDPOINT_CHARS_MAX + _CODE_BYTES <= DATAGRAM_BYTES_MAX


@dataclass(slots=True)
class _Heard:
    """One endpoint.

    Attributes:
        at: When it was heard last.
        found_at: When it was handed on last.
    """

    at: float
    found_at: float = field(default=float("-inf"))


class Signature:
    """Makes the beacons of a branch, and reads those of others.

    Args:
        keys: Those of the cluster.
        cluster: Its name.
    """

    def __init__(self, keys: Keys, cluster: str) -> None:
        self._key = keys.beacon
        tag = hashlib.blake2b(cluster.encode(), digest_size=_TAG_BYTES, person=b"cyme beacon")
        self._head = _MAGIC + tag.digest()
        self.nonce = secrets.token_bytes(_NONCE_BYTES)

    def beacon(self, endpoint: str) -> bytes:
        """Return the beacon of this branch."""
        place = endpoint.encode("ascii")
        said = self._head + self.nonce + bytes([len(place)]) + place
        return said + self._code(said)

    def is_of_cluster(self, datagram: bytes) -> bool:
        """Tell whether a datagram calls itself a beacon of this cluster, of another branch."""
        nonce = datagram[len(self._head) : _HEAD_BYTES - 1]
        return datagram.startswith(self._head) and nonce != self.nonce

    def endpoint(self, datagram: bytes) -> str | None:
        """Return the endpoint in a beacon, None if it was not made with the secret."""
        said, code = datagram[:-_CODE_BYTES], datagram[-_CODE_BYTES:]
        if len(said) < _HEAD_BYTES or not hmac.compare_digest(code, self._code(said)):
            return None
        place = said[_HEAD_BYTES:]
        if len(place) != said[_HEAD_BYTES - 1] or not place.isascii():
            return None
        endpoint = place.decode("ascii")
        return endpoint if parsed(endpoint) is not None else None

    def _code(self, said: bytes) -> bytes:
        return hmac.digest(self._key, said, "sha256")


class Beacon:
    """Announces a branch and hears the others.

    Args:
        multicast: Carries the datagrams.
        signature: Makes and reads beacons.
        endpoint: Where the ROUTER socket of this branch is.
        found: Called with the endpoints of others; neither waits nor raises.
        traffic: Where beacons are counted.
    """

    def __init__(
        self,
        multicast: Multicast,
        signature: Signature,
        *,
        endpoint: str,
        found: Callable[[str], None],
        traffic: Traffic,
    ) -> None:
        self._multicast = multicast
        self._signature = signature
        self._datagram = signature.beacon(endpoint)
        self._found = found
        self._traffic = traffic
        self._heard: dict[str, _Heard] = {}
        self._answer = Event()
        self._answered_at = float("-inf")
        self._refreshed_at = float("-inf")
        self._works: bool | None = None
        self._greenlets = Group()
        self._listening: set[int] = set()
        self._warning = Seldom(_WARN_PERIOD_S)

    def start(self) -> None:
        """Begin to announce and to hear."""
        self._greenlets.spawn(self._speak)

    def stop(self) -> None:
        """Fall silent."""
        self._greenlets.kill(timeout=_STOP_S)
        self._multicast.close()

    # --- speaking -------------------------------------------------------------------------------

    def _speak(self) -> None:
        began = time.monotonic()
        for due_s in FIRST_S:
            self._wait(began + due_s - time.monotonic())
            self._announce()
        while True:
            self._wait(self._period_s() * _chance(1 - JITTER, 1 + JITTER))
            self._announce()

    def _wait(self, time_s: float) -> None:
        """Wait until the next beacon is due, or somebody new wants an answer."""
        if not self._answer.wait(max(0.0, time_s)):
            return
        crowd_s = min(ANSWER_DELAY_S * len(self._heard), ANSWER_DELAY_S_MAX)
        early_s = self._answered_at + ANSWER_PERIOD_S - time.monotonic()
        gevent.sleep(max(early_s, _chance(0.0, crowd_s)))
        self._answer.clear()
        self._answered_at = time.monotonic()

    def _announce(self) -> None:
        try:
            self._tend()
            works = self._multicast.send(self._datagram) > 0
        except Exception:
            if self._warning.due():
                logger.exception("a beacon could not be sent; it goes on")
            return
        self._tell_whether_it_works(works)

    def _tend(self) -> None:
        """Look for new interfaces, and forget who has fallen silent."""
        now = time.monotonic()
        if now > self._refreshed_at + REFRESH_PERIOD_S:
            self._refreshed_at = now
            self._refresh()
        for endpoint, heard in list(self._heard.items()):
            if now > heard.at + self._forget_s():
                del self._heard[endpoint]

    def _refresh(self) -> None:
        self._multicast.refresh()
        for udp in self._multicast.sockets:
            if udp.fileno() not in self._listening:
                self._listening.add(udp.fileno())
                self._greenlets.spawn(self._hear, udp)

    def _tell_whether_it_works(self, works: bool) -> None:
        if works is self._works:
            return
        if not works:
            logger.warning(
                "UDP multicast does not work here, so other branches are not found by themselves: "
                "name one of them with --join"
            )
        elif self._works is False:
            logger.info("UDP multicast works (again): other branches are found by themselves")
        self._works = works

    def _period_s(self) -> float:
        return PERIOD_S * max(1.0, len(self._heard) / CROWD)

    def _forget_s(self) -> float:
        return FORGET_PERIODS * self._period_s()

    # --- hearing --------------------------------------------------------------------------------

    def _hear(self, udp: Any) -> None:
        count = 0
        while True:
            try:
                datagram, source = udp.recvfrom(DATAGRAM_BYTES_MAX + 1)
                self._take(datagram, str(source[0]))
            except OSError as exc:
                logger.debug("a beacon could not be received: %s", exc)
                gevent.sleep(PERIOD_S)
            except Exception:
                if self._warning.due():
                    logger.exception("a beacon could not be taken in; hearing goes on")
            count += 1
            if count % BURST_MAX == 0:
                gevent.sleep(BREATH_S)

    def _take(self, datagram: bytes, source: str) -> None:
        if len(datagram) > DATAGRAM_BYTES_MAX or not self._signature.is_of_cluster(datagram):
            return
        endpoint = self._signature.endpoint(datagram)
        if endpoint is None:
            self._traffic.beacons_refused += 1
            if self._warning.due():
                logger.warning(
                    "a beacon in this cluster's name from %s was not made with its secret: it is "
                    "another cluster of that name, or its branches shall have the same secret",
                    source,
                )
            return
        self._traffic.beacons_heard += 1
        self._note(endpoint, time.monotonic())

    def _note(self, endpoint: str, now: float) -> None:
        """Hand an endpoint on, and answer if it is new."""
        heard = self._heard.get(endpoint)
        if heard is None:
            if len(self._heard) >= HEARD_MAX:
                return
            heard = self._heard[endpoint] = _Heard(float("-inf"))
        if now > heard.at + self._forget_s():
            self._answer.set()
        heard.at = now
        if now >= heard.found_at + FOUND_PERIOD_S:
            heard.found_at = now
            self._found(endpoint)


def _chance(low: float, high: float) -> float:
    return random.uniform(low, high)  # noqa: S311 - no secret hangs on it
