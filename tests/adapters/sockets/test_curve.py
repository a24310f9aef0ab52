from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest
import zmq

from cyme.adapters.sockets import ZmqLinks
from cyme.adapters.sockets.curve import Keys
from tests.adapters.sockets.ground import SECRET, Branch, Branches, RawPeer
from tests.waiting import eventually

OTHER_SECRET = b"another secret, just as long as that"

RawPeers = Callable[..., RawPeer]


def _is_denied(branch: Branch, peer: RawPeer) -> None:
    """See that a peer that keeps trying is counted, and neither hears nor is heard."""
    peer.connect()
    if peer.socket.type == zmq.DEALER:
        peer.socket.send(b"let me in", zmq.NOBLOCK)
    eventually(lambda: branch.links.traffic.denied >= 1)
    for _ in range(20):
        branch.links.publish([b"a word"])
        gevent.sleep(0.01)
    assert not peer.received()
    assert not branch.inlet.messages


def test_a_peer_with_the_key_is_admitted(
    branches: Branches, raw_peers: RawPeers, cluster: str
) -> None:
    branch = branches()
    keys = Keys.derived(SECRET, cluster)
    caller = raw_peers(zmq.DEALER, branch.links.calls_at).with_keys(keys, keys).connect()
    listener = raw_peers(zmq.SUB, branch.links.beats_at).with_keys(keys, keys).connect()
    caller.socket.send_multipart([b"ping", b"1"])
    eventually(lambda: caller.received() == [b"pong", b"1"])

    def hears() -> bool:
        branch.links.publish([b"a word"])
        return listener.received() == [b"a word"]

    eventually(hears)
    assert branch.links.traffic.denied == 0


def test_a_peer_without_keys_gets_nothing(branches: Branches, raw_peers: RawPeers) -> None:
    branch = branches()
    _is_denied(branch, raw_peers(zmq.DEALER, branch.links.calls_at))
    other = branches()
    _is_denied(other, raw_peers(zmq.SUB, other.links.beats_at))


def test_a_peer_with_another_secret_gets_nothing(
    branches: Branches, raw_peers: RawPeers, cluster: str, caplog: pytest.LogCaptureFixture
) -> None:
    keys = Keys.derived(OTHER_SECRET, cluster)
    branch = branches()
    _is_denied(branch, raw_peers(zmq.DEALER, branch.links.calls_at).with_keys(keys, keys))
    assert caplog.text.count("secret are the same") == 1
    other = branches()
    _is_denied(other, raw_peers(zmq.SUB, other.links.beats_at).with_keys(keys, keys))


def test_a_peer_that_knows_the_public_key_alone_gets_nothing(
    branches: Branches, raw_peers: RawPeers, cluster: str
) -> None:
    keys, own = Keys.derived(SECRET, cluster), Keys.derived(OTHER_SECRET, cluster)
    branch = branches()
    _is_denied(branch, raw_peers(zmq.DEALER, branch.links.calls_at).with_keys(keys, own))
    other = branches()
    _is_denied(other, raw_peers(zmq.SUB, other.links.beats_at).with_keys(keys, own))


def test_another_cluster_with_the_same_secret_gets_nothing(
    branches: Branches, raw_peers: RawPeers
) -> None:
    keys = Keys.derived(SECRET, "another cluster")
    branch = branches()
    _is_denied(branch, raw_peers(zmq.DEALER, branch.links.calls_at).with_keys(keys, keys))


def test_branches_with_different_secrets_say_nothing_to_each_other(branches: Branches) -> None:
    one, other = branches(), branches(secret=OTHER_SECRET)
    one.links.listen([other.links.beats_at])
    one.links.send(other.links.calls_at, [b"ping", b"1"])
    eventually(lambda: other.links.traffic.denied >= 2)
    other.links.publish([b"a word"])
    gevent.sleep(0.1)
    assert not other.inlet.messages
    assert not one.inlet.published
    assert one.links.traffic.sent == 0


def test_nobody_is_admitted_where_nobody_answers_for_keys(
    branches: Branches, raw_peers: RawPeers, cluster: str
) -> None:
    branch = branches()
    assert branch.links._bound is not None
    branch.links._bound._admission.close()
    own = Keys.derived(OTHER_SECRET, cluster)
    keys = Keys.derived(SECRET, cluster)
    peer = raw_peers(zmq.DEALER, branch.links.calls_at).with_keys(keys, own).connect()
    peer.socket.send(b"let me in", zmq.NOBLOCK)
    gevent.sleep(0.5)
    assert not branch.inlet.messages


def test_keys_are_a_function_of_the_secret_and_the_cluster() -> None:
    keys = Keys.derived(SECRET, "c")
    assert keys == Keys.derived(SECRET, "c")
    assert len({keys.private, keys.public, keys.beacon}) == 3
    for other in (Keys.derived(OTHER_SECRET, "c"), Keys.derived(SECRET, "d")):
        assert keys.private != other.private
        assert keys.public != other.public
        assert keys.beacon != other.beacon


def test_no_key_is_shown() -> None:
    keys = Keys.derived(SECRET, "c")
    shown = repr(keys) + repr(vars(ZmqLinks("127.0.0.1", 0, secret=SECRET, cluster="c")))
    for secret in (SECRET, keys.private, keys.beacon):
        assert repr(secret)[2:-1] not in shown
