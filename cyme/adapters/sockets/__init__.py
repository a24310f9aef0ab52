"""The sockets of the cluster: ZeroMQ between branches that know each other, UDP to get there."""

from cyme.adapters.sockets.links import ZmqLinks
from cyme.adapters.sockets.traffic import Traffic

__all__ = ["Traffic", "ZmqLinks"]
