"""CURVE: who has the secret of the cluster is admitted, nobody else.

All branches of a cluster use one Curve25519 pair, derived from the secret and the cluster's name.
A client must know the pair's public key to be understood at all, and show that it holds the
private one. Clusters that share a secret by accident still have different pairs.

ZeroMQ asks whether a client's key is admitted at an address in the process (RFC 27, ZAP). Where
nobody answers there it would let everybody in, so the sockets demand an answer.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import zmq
from zmq.utils import z85

from cyme.adapters.sockets.channel import Channel
from cyme.adapters.sockets.options import Context, Socket
from cyme.adapters.sockets.traffic import Seldom, Traffic

logger = logging.getLogger(__name__)

ZAP_ENDPOINT = "inproc://zeromq.zap.01"
_ZAP_DOMAIN = b"cyme"
_ZAP_VERSION = b"1.0"

# A request has an identity, an empty frame, and: version, request id, domain, address, routing
# id, mechanism, client key.
_REQUEST_FRAMES = 9

_REFUSALS = (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, zmq.EVENT_HANDSHAKE_FAILED_AUTH)
_WARN_PERIOD_S = 60.0


@dataclass(frozen=True, slots=True)
class Keys:
    """What is derived from the secret of a cluster.

    Attributes:
        private: The private key of the pair, in ZeroMQ's printable form.
        public: The public key, likewise.
        beacon: What beacons are authenticated with, 32 bytes.
    """

    private: bytes = field(repr=False)
    public: bytes
    beacon: bytes = field(repr=False)

    @classmethod
    def derived(cls, secret: bytes, cluster: str) -> Keys:
        """Return the keys of a cluster.

        Args:
            secret: What its branches share; as hard to guess as the cluster is to be safe.
            cluster: The name of the cluster.
        """
        private = z85.encode(_derived(secret, b"cyme curve", cluster))
        return cls(private, zmq.curve_public(private), _derived(secret, b"cyme beacon", cluster))

    def secure(self, socket: Socket) -> None:
        """Have a socket speak CURVE, from whichever end it connects."""
        socket.curve_publickey = self.public
        socket.curve_secretkey = self.private

    def secure_server(self, socket: Socket) -> None:
        """Have a socket that binds admit those alone who have the key."""
        self.secure(socket)
        socket.curve_server = True
        socket.zap_domain = _ZAP_DOMAIN
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)

    def secure_client(self, socket: Socket) -> None:
        """Have a socket that connects talk to those alone who have the key."""
        self.secure(socket)
        socket.curve_serverkey = self.public


def _derived(secret: bytes, purpose: bytes, cluster: str) -> bytes:
    key = hashlib.sha512(secret).digest()
    return hashlib.blake2b(cluster.encode(), digest_size=32, key=key, person=purpose).digest()


class Admission:
    """Answers ZeroMQ's question whether a client's key is admitted.

    Args:
        context: Of the sockets that it answers for.
        keys: Those of the cluster.
    """

    def __init__(self, context: Context, keys: Keys) -> None:
        self._admitted = bytes(z85.decode(keys.public))
        # ROUTER where RFC 27 says REP: it cannot get out of step.
        socket = context.socket(zmq.ROUTER)
        socket.linger = 0
        socket.bind(ZAP_ENDPOINT)
        # It has counters of its own: questions are no messages of the cluster.
        self._channel = Channel(
            socket, self._answer, traffic=Traffic(), name="admission", frames_max=_REQUEST_FRAMES
        )

    def start(self) -> None:
        """Begin to answer."""
        self._channel.start()

    def close(self) -> None:
        """Cease to answer; whoever comes then is not admitted."""
        self._channel.close()

    def join(self, timeout_s: float) -> None:
        """Wait for the greenlet to end."""
        self._channel.join(timeout_s)

    def _answer(self, frames: Sequence[bytes]) -> None:
        if len(frames) != _REQUEST_FRAMES:
            return
        identity, _, version, request, domain, _, _, mechanism, key = frames
        admitted = (
            version == _ZAP_VERSION
            and domain == _ZAP_DOMAIN
            and mechanism == b"CURVE"
            and hmac.compare_digest(key, self._admitted)
        )
        status, text = (b"200", b"OK") if admitted else (b"400", b"not of this cluster")
        self._channel.send([identity, b"", _ZAP_VERSION, request, status, text, b"", b""])


class Refusals:
    """Counts the connections to a socket that were refused, and tells of them in the log.

    A peer with another secret is refused before anybody is asked about its key, so ZeroMQ's own
    account of its handshakes is read. A peer that gives up by itself, as one without CURVE may,
    is counted too; but so is one that merely looked whether the port is open, hence no warning.

    Args:
        context: Of the socket.
        watched: A socket that is about to bind.
        traffic: Where refusals are counted.
    """

    def __init__(self, context: Context, watched: Socket, traffic: Traffic) -> None:
        self._watched = watched
        self._traffic = traffic
        self._warning = Seldom(_WARN_PERIOD_S)
        account = f"inproc://cyme.refusals.{watched.underlying}"
        watched.monitor(account, sum(_REFUSALS) + zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
        socket = context.socket(zmq.PAIR)
        socket.linger = 0
        # Without a limit: where there is no room ZeroMQ would wait, and all connections with it.
        socket.rcvhwm = 0
        socket.connect(account)
        self._channel = Channel(socket, self._refused, traffic=Traffic(), name="refusals")

    def start(self) -> None:
        """Begin to count."""
        self._channel.start()

    def close(self) -> None:
        """Cease to count; to be called before the watched socket is closed."""
        self._watched.disable_monitor()
        self._channel.close()

    def join(self, timeout_s: float) -> None:
        """Wait for the greenlet to end."""
        self._channel.join(timeout_s)

    def _refused(self, frames: Sequence[bytes]) -> None:
        event = int.from_bytes(frames[0][:2], sys.byteorder)
        if event == zmq.EVENT_MONITOR_STOPPED:
            return
        self._traffic.denied += 1
        if event in _REFUSALS and self._warning.due():
            logger.warning(
                "a connection at %s did not show the key of this cluster and was refused, as were "
                "%d in all; where that is a branch, see that its cluster's name and secret are "
                "the same",
                frames[-1].decode(errors="replace"),
                self._traffic.denied,
            )
