"""What a branch does at signals."""

from __future__ import annotations

import logging
import os
import signal
import sys

import gevent
from gevent.event import Event

from cyme.errors import StartupError
from cyme.programs import logs

logger = logging.getLogger(__name__)

_FORCED = 1  # the exit code of a branch that was not let finish


class Signals:
    """Turns signals into a wish to stop.

    TERM and INT ask to stop, the second one ends the process at once: what was acknowledged is
    durable, and the workers do not depend on their branch. HUP opens the log file anew; with no
    log file it is what a closed terminal sends, and asks to stop.
    """

    def __init__(self) -> None:
        self._asked = Event()
        self._watchers: list[object] = []
        self._error: StartupError | None = None

    def install(self) -> None:
        """Listen to the signals from now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._watchers.append(gevent.signal_handler(number, self._stop, number))
        self._watchers.append(gevent.signal_handler(signal.SIGHUP, self._hang_up))

    def stop_because(self, error: StartupError) -> None:
        """Stop as a signal would have it, and have the error raised where that is noticed."""
        self._error = error
        self._asked.set()

    def is_stop_asked(self) -> bool:
        """Whether the process was asked to stop.

        Raises:
            StartupError: It is to stop because of this error.
        """
        if self._error is not None:
            raise self._error
        return bool(self._asked.is_set())

    def wait(self) -> None:
        """Wait until the process is asked to stop; raises as ``is_stop_asked``."""
        self._asked.wait()
        self.is_stop_asked()

    def _stop(self, number: int) -> None:
        name = signal.Signals(number).name
        if self._asked.is_set():
            logger.warning("%s again: ending at once; the workers run on", name)
            logging.shutdown()
            sys.stderr.flush()
            os._exit(_FORCED)
        logger.info("%s: stopping; a second one ends the branch at once", name)
        self._asked.set()

    def _hang_up(self) -> None:
        if logs.reopen():
            logger.info("SIGHUP: the log file is open anew")
        else:
            self._stop(signal.SIGHUP)
