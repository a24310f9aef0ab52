"""Calls to a broker: each ends in bounded time, and what fails is an error of ours.

Laws:

* whatever transports raise, and silence, is the broker's absence; what else it is the call says
  itself, with an error of ``cyme.errors``;
* no message tells the password of a broker.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import urlsplit

import gevent
from gevent.lock import BoundedSemaphore

from cyme.core.model import MASK, Broker
from cyme.errors import BrokerUnavailable, CymeError, DeadlineExceeded

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: What the system says of a connection that the other side has ended; it depends on the moment.
_ENDED = frozenset({errno.ECONNRESET, errno.EPIPE, errno.EINVAL, errno.ENOTCONN})

#: A call that has not ended so long after its time hangs in the broker, and is cut off.
HANG_S = 0.25


class Calls:
    """Makes the calls to one broker, one after the other.

    Args:
        broker: The broker.
        let_go: Lets go of the connection; called when the broker is held to be away, or a call
            was cut off, so that the next one begins anew.
        patience_s: The broker is given at least so long to answer, in seconds, however short a
            call's time is.
    """

    def __init__(self, broker: Broker, let_go: Callable[[], None], patience_s: float = 0.0) -> None:
        self._broker = broker
        self._let_go = let_go
        self._patience_s = patience_s
        self._turn = BoundedSemaphore(1)

    def make(self, call: Callable[[float], T], timeout_s: float) -> T:
        """Make a call in its turn, and return what it returns.

        Args:
            call: Takes the deadline, in monotonic seconds.
            timeout_s: How long the call may take, the wait for its turn included.

        Raises:
            BrokerUnavailable: The broker cannot be reached, or hangs.
            DeadlineExceeded: Earlier calls took all the time.
            CymeError: The call raised it; the connection is kept.
        """
        deadline = time.monotonic() + timeout_s
        if not self._turn.acquire(timeout=timeout_s):
            raise DeadlineExceeded(
                f"Earlier calls to {self._broker.masked_url} have not been answered yet; try again."
            )
        try:
            left_s = max(deadline - time.monotonic(), self._patience_s)
            with answering(self._broker, left_s + HANG_S):
                return call(deadline)
        except BaseException as exc:
            if isinstance(exc, BrokerUnavailable) or not isinstance(exc, CymeError):
                self._let_go()
            raise
        finally:
            self._turn.release()


@contextmanager
def answering(broker: Broker, timeout_s: float) -> Iterator[None]:
    """Bound the time of what is done with a broker; errors of ``cyme.errors`` pass.

    Raises:
        BrokerUnavailable: The time is over, or a transport raised something.
    """
    limit = gevent.Timeout(max(0.0, timeout_s))
    try:
        with limit:
            yield
    except CymeError:
        raise
    except gevent.Timeout as timeout:
        if timeout is not limit:
            raise
        raise unavailable(broker.url, f"it does not answer within {timeout_s:.1f} s") from None
    except Exception as exc:
        # What transports raise has no common root; here it becomes ours.
        logger.debug("broker %s failed", broker.masked_url, exc_info=True)
        raise unavailable(broker.url, exc) from exc


def unavailable(url: str, reason: object, what: str = "The broker") -> BrokerUnavailable:
    """Return the error for what is away.

    Args:
        url: Where it was looked for; its password is masked, here and in the reason.
        reason: What was found instead: a sentence, or an exception.
        what: What it is, at the beginning of a sentence.
    """
    told = reason_of(reason, url).rstrip(".")
    return BrokerUnavailable(
        f"{what} {Broker(url).masked_url} cannot be reached: {told}. "
        "Check that it runs, and its URL."
    )


def reason_of(failure: object, url: str) -> str:
    """Return why something failed in words, the password of the URL being masked.

    Args:
        failure: A sentence, or an exception.
        url: What it was done with.
    """
    told = str(failure) or type(failure).__name__
    if _errno_of(failure) in _ENDED:
        told = "it ended the connection"
    for secret in {Broker(url).password, urlsplit(url).password}:
        told = told.replace(secret, MASK) if secret else told
    return told


def _errno_of(failure: object) -> int | None:
    """Return the system's number of a failure; libraries wrap its error in their own."""
    while isinstance(failure, BaseException) and failure.__cause__ is not None:
        failure = failure.__cause__
    return failure.errno if isinstance(failure, OSError) else None
