"""Tells a service manager how the branch is doing, as sd_notify(3) describes it.

The protocol is a datagram of ``NAME=value`` lines. Nobody answers, and a failure to send one
is no reason to end a branch.
"""

from __future__ import annotations

import logging
import os
import socket

import gevent

logger = logging.getLogger(__name__)

_STOP_TIMEOUT_S = 1.0


class ServiceManager:
    """The service manager that started this process, if one did.

    Args:
        address: The address in ``NOTIFY_SOCKET``; empty means that there is none.
        watchdog_s: Within how many seconds it wants a sign of life, or None.
    """

    def __init__(self, address: str, watchdog_s: float | None) -> None:
        # An at sign stands for the NUL that begins an abstract address.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog_s = watchdog_s
        self._greenlet: gevent.Greenlet | None = None

    def ready(self) -> None:
        """Say that the branch serves, and give signs of life from now on.

        They come from the loop that serves requests, so that they end when it hangs.
        """
        self._send(f"READY=1\nMAINPID={os.getpid()}\nSTATUS=Serving")
        if self._address and self._watchdog_s:
            self._greenlet = gevent.spawn(self._live, self._watchdog_s / 3)

    def stopping(self) -> None:
        """Say that the branch stops."""
        self._send("STOPPING=1\nSTATUS=Stopping; the workers run on")

    def stop(self) -> None:
        """End the signs of life."""
        if self._greenlet is not None:
            self._greenlet.kill(timeout=_STOP_TIMEOUT_S)
            self._greenlet = None

    def _live(self, period_s: float) -> None:
        while True:
            self._send("WATCHDOG=1")
            gevent.sleep(period_s)

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(_STOP_TIMEOUT_S)
                sender.connect(self._address)
                sender.sendall(message.encode())
        except OSError as exc:
            logger.warning("the service manager at NOTIFY_SOCKET cannot be told: %s", exc)
