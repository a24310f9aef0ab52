"""The options of the cluster's sockets, and why they are what they are."""

from __future__ import annotations

import zmq

Socket = zmq.Socket[bytes]
Context = zmq.Context[Socket]

#: Bytes of one frame at most. A connection that brings more is closed by ZeroMQ.
FRAME_BYTES_MAX = 1024 * 1024

#: Connections that wait to be accepted.
BACKLOG = 1024
#: Messages that wait in the pipe to one peer; those that do not fit are dropped.
SENT_WAITING_MAX = 256
#: Messages of one peer that wait to be read; then its connection is not read either, and what it
#: sends waits with it. Each may have a megabyte, and a peer may send faster than is read here.
RECEIVED_WAITING_MAX = 32
#: The subscriber stalls with the hub, and a publisher says a handful of things a second.
SUB_WAITING_MAX = 64

#: A peer's machine that is gone says nothing, so both ends have the system look after a connection:
#: it asks after so long without a word, so often, and gives up what is not acknowledged in time.
#: ZeroMQ's own heartbeats do so too, but they take a connection whose messages wait to be read for
#: a dead one, and then libzmq (4.3.5) aborts the process: its issue 3937, ``_input_stopped``.
KEEPALIVE_S = 2
KEEPALIVE_PROBES = 2
SILENCE_S_MAX = 6.0
HANDSHAKE_S = 5.0
#: The system's own patience is two minutes, which would outlast most partitions.
CONNECT_S = 3.0
RECONNECT_S_MIN = 0.25
RECONNECT_S_MAX = 4.0

#: What CURVE adds to a frame, and room.
_OVERHEAD_BYTES = 64


def new_socket(context: Context, kind: int) -> Socket:
    """Return a socket with the options that all have in common.

    Raises:
        zmq.ZMQError: There is no descriptor left.
    """
    socket: Socket = context.socket(kind)
    socket.linger = 0
    socket.maxmsgsize = FRAME_BYTES_MAX + _OVERHEAD_BYTES
    socket.sndhwm = SENT_WAITING_MAX
    socket.rcvhwm = SUB_WAITING_MAX if kind == zmq.SUB else RECEIVED_WAITING_MAX
    socket.backlog = BACKLOG
    socket.tcp_keepalive = 1
    socket.tcp_keepalive_idle = KEEPALIVE_S
    socket.tcp_keepalive_intvl = KEEPALIVE_S
    socket.tcp_keepalive_cnt = KEEPALIVE_PROBES
    socket.tcp_maxrt = _ms(SILENCE_S_MAX)
    socket.handshake_ivl = _ms(HANDSHAKE_S)
    socket.connect_timeout = _ms(CONNECT_S)
    socket.reconnect_ivl = _ms(RECONNECT_S_MIN)
    socket.reconnect_ivl_max = _ms(RECONNECT_S_MAX)
    return socket


def connect(socket: Socket, target: str) -> None:
    """Connect a socket to a numeric endpoint; it happens by and by."""
    # With this option set, ZeroMQ would make IPv6 sockets for IPv4 too, which fails where the
    # machine has no IPv6. It counts for the connections made after it.
    socket.ipv6 = "[" in target
    socket.connect(target)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
