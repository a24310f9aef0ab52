"""What the kernel counted on the TCP connections of this process: bytes, not packets."""

from __future__ import annotations

import os
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

#: Where ``struct tcp_info`` of Linux has ``tcpi_bytes_received`` and ``tcpi_bytes_sent``.
_RECEIVED_AT = 128
_SENT_AT = 200
_INFO_BYTES = 256
_COUNT = struct.Struct("=Q")


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes on the wire, without the headers of TCP and IP.

    Attributes:
        sent: What went out, be it twice.
        received: What came in.
    """

    sent: int
    received: int


class WireBytes:
    """Adds up what passes the TCP connections of this process.

    A connection takes its counts along when it closes, so this is to be asked every few seconds.
    """

    def __init__(self) -> None:
        self._connections: dict[str, Bytes] = {}
        self._gone = Bytes(0, 0)

    def counted(self) -> Bytes:
        """Return what has passed since the start, but for the last moments of closed connections.

        Raises:
            RuntimeError: This system does not count.
        """
        now = _connections()
        for name in self._connections.keys() - now.keys():
            self._gone = _added(self._gone, self._connections[name])
        self._connections = now
        total = self._gone
        for each in now.values():
            total = _added(total, each)
        return total


def _connections() -> dict[str, Bytes]:
    """Return the counts of every open TCP connection, by the name that the kernel gives it."""
    if sys.platform != "linux":
        raise RuntimeError("Only Linux tells how many bytes passed a connection.")
    found = {}
    for entry in os.scandir("/proc/self/fd"):
        try:
            name = str(Path(entry.path).readlink())
            if name.startswith("socket:"):
                counts = _counts(int(entry.name))
                if counts is not None:
                    found[name] = counts
        except OSError:
            continue  # it was closed at this moment
    return found


def _counts(descriptor: int) -> Bytes | None:
    """Return the counts of a socket, None if it is no TCP connection."""
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        if connection.family not in {socket.AF_INET, socket.AF_INET6}:
            return None
        if connection.type != socket.SOCK_STREAM:
            return None
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    if len(info) < _SENT_AT + _COUNT.size:
        raise RuntimeError("This kernel does not count the bytes of a connection.")
    (sent,) = _COUNT.unpack_from(info, _SENT_AT)
    (received,) = _COUNT.unpack_from(info, _RECEIVED_AT)
    return Bytes(sent, received)


def _added(one: Bytes, other: Bytes) -> Bytes:
    return Bytes(one.sent + other.sent, one.received + other.received)
